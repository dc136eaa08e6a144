"""The image files that a config names, read."""

import dataclasses
import functools
import glob
import hashlib
import os
from collections.abc import Sequence

import numpy as np

from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import INITS
from tfstyle.images import files as image_files
from tfstyle.images.attribution import NOTHING
from tfstyle.images.attribution import Attribution
from tfstyle.images.errors import ImageError
from tfstyle.images.image_list import ImageList
from tfstyle.images.masks import log_stretched
from tfstyle.images.masks import read_mask
from tfstyle.images.names import expand_names
from tfstyle.images.transparency import show
from tfstyle.images.transparency import weights_of
from tfstyle.system.loop_progress import LoopProgress


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """The images of one job, as they are in their files.

    Attributes:
        content: uint8 `[H, W, 3]`, or None.
        alpha: uint8 `[H, W]`, the content's, or None.
        styles: uint8 `[H, W, 3]` each; those of files are read when they are
            needed.
        style_alphas: uint8 `[H, W]` or None each.
        content_masks: uint8 `[H, W]` each.
        style_masks: uint8 `[H, W]` each.
        initial_image: uint8 `[H, W, 3]`, or None.
        attribution: of the content.
    """

    content: np.ndarray | None
    alpha: np.ndarray | None
    styles: Sequence[np.ndarray]
    style_alphas: list[np.ndarray | None]
    content_masks: list[np.ndarray]
    style_masks: list[np.ndarray]
    initial_image: np.ndarray | None
    attribution: Attribution = NOTHING

    def describe(self) -> dict[str, str]:
        """Returns size and hash of every image by field and number."""
        return dict(self._descriptions)

    @functools.cached_property
    def _descriptions(self) -> dict[str, str]:
        described = {}
        if self.content is not None:
            described["content_image"] = describe_image(
                self.content, self.alpha
            )
        if self.initial_image is not None:
            described["init"] = describe_image(self.initial_image)
        for number, style in enumerate(self.styles):
            described[f"style_images {number + 1}"] = describe_image(
                style, self.style_alphas[number]
            )
        for field, masks in (
            ("content_masks", self.content_masks),
            ("style_masks", self.style_masks),
        ):
            for number, mask in enumerate(masks, start=1):
                described[f"{field} {number}"] = describe_image(mask)
        return described


def expand_image_names(config: RunConfig) -> RunConfig:
    """Returns a config that names the files of folders and patterns.

    Raises:
        ImageError: if there are none, or the content is named by a pattern.
    """
    content = config.content_image or ""
    if glob.has_magic(content) and not os.path.lexists(content):
        raise ImageError(
            f"`content_image` {content!r} is a pattern, and a run paints one"
            " picture. Many are the lines of a --manifest, which (echo"
            " content_image,output_image; for f in FOLDER/*.jpg; do echo"
            ' "$f,painted/${f##*/}"; done) > jobs.csv makes.'
        )
    fields = ("style_images", "content_masks", "style_masks")
    named = {name: expand_names(getattr(config, name)) for name in fields}
    return dataclasses.replace(config, **named)


def read_image_files(config: RunConfig) -> ImageFiles:
    """Reads every image file that a config names.

    Raises:
        ImageError: if one cannot be read, or nothing of it can be seen.
    """

    def read(path):
        image = image_files.read_image(path, config.max_image_pixels)
        return show(image, f"Image {path!r}")

    def read_masks(paths):
        return [read_mask(path, config.max_image_pixels) for path in paths]

    style_alphas: list[np.ndarray | None] = [None] * len(config.style_images)
    progress = LoopProgress("Reading style images", len(style_alphas))

    def read_style(number):
        style = read(config.style_images[number])
        style_alphas[number] = style.alpha
        progress(number + 1)
        return style.pixels

    content = read(config.content_image) if config.content_image else None
    images = ImageFiles(
        content=None if content is None else content.pixels,
        alpha=None if content is None else content.alpha,
        styles=ImageList(
            [
                functools.partial(read_style, number)
                for number in range(len(style_alphas))
            ]
        ),
        style_alphas=style_alphas,
        content_masks=read_masks(config.content_masks),
        style_masks=read_masks(config.style_masks),
        initial_image=(
            None if config.init in INITS else read(config.init).pixels
        ),
        attribution=content.attribution if content else NOTHING,
    )
    images.describe()  # reads every style once, and with it their alphas
    _log_stretched_masks(config, images)
    return images


def _log_stretched_masks(config: RunConfig, images: ImageFiles) -> None:
    masks = zip(config.content_masks, images.content_masks, strict=True)
    if images.content is not None:
        for path, mask in masks:
            log_stretched(path, mask, images.content)
    masks = zip(config.style_masks, images.style_masks, strict=True)
    for (path, mask), style in zip(masks, images.styles, strict=False):
        log_stretched(path, mask, style)


def describe_image(pixels: np.ndarray, alpha: np.ndarray | None = None) -> str:
    """Returns an image's size and the SHA-256 of what it shows.

    Args:
        pixels: uint8 `[H, W, 3]`, as read, before any resizing.
        alpha: uint8 `[H, W]`, or None.
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{height}x{width}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    if weights_of(alpha) is not None:
        digest.update(np.ascontiguousarray(alpha).data)
    return f"{width}x{height} sha256={digest.hexdigest()}"
