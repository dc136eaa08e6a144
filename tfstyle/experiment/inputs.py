"""Input files of a run: expands their names and reads the images."""

import dataclasses
import glob
import os
from collections.abc import Sequence

import numpy as np

from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import INITS
from tfstyle.config.validation import check_images
from tfstyle.errors import ImageError
from tfstyle.image_files import reading as image_files
from tfstyle.image_files.masks import log_stretched
from tfstyle.image_files.masks import read_mask
from tfstyle.image_files.paths import expand_names
from tfstyle.images.image_list import ImageList
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import Picture
from tfstyle.images.transparency import show
from tfstyle.system.loop_progress import LoopProgress
from tfstyle.system.paths import is_address


def expand_image_names(config: RunConfig) -> RunConfig:
    """Expands folders and patterns in a config to the names of their files.

    Raises:
        ImageError: if there are no files, or the content image is a pattern.
    """
    content = config.content_image or ""
    is_file = is_address(content) or os.path.lexists(content)
    if glob.has_magic(content) and not is_file:
        raise ImageError(
            "`content_image` must be one picture. Received the pattern:"
            f" {content!r}. Paint many pictures with --manifest=FILE, which has"
            " one line per picture."
        )
    fields = ["style_images", "style_masks"]
    if not config.content_video:  # there a folder has one mask per frame
        fields.append("content_masks")
    named = {name: expand_names(getattr(config, name)) for name in fields}
    return dataclasses.replace(config, **named)


def read_images(
    config: RunConfig,
    content: Picture | None = None,
    content_masks: Sequence[np.ndarray] | None = None,
) -> ImageSet:
    """Reads the image files of a config; style images may be read again later.

    Args:
        config: the options.
        content: a frame of the film that is the content, or None.
        content_masks: uint8 `[H, W]`, masks of that frame, or None.

    Raises:
        ConfigError: if the number of images does not fit the options.
        ImageError: if an image cannot be read or is fully transparent.
    """
    check_images(
        config,
        bool(config.content_image or content),
        len(config.style_images),
        len(config.content_masks),
        len(config.style_masks),
    )

    def read(path: str) -> Picture:
        image = image_files.read_image(path, config.max_image_pixels)
        return show(image, f"Image {path!r}")

    def read_masks(paths: Sequence[str]) -> list[np.ndarray]:
        return [read_mask(path, config.max_image_pixels) for path in paths]

    progress = LoopProgress("Reading style images", len(config.style_images))

    def read_style(number: int) -> Picture:
        style = read(config.style_images[number])
        progress(number + 1)
        return style

    if config.content_image:
        content = read(config.content_image)
    images = ImageSet(
        content,
        ImageList(read_style, len(config.style_images)),
        read_masks(config.content_masks)
        if content_masks is None
        else content_masks,
        read_masks(config.style_masks),
        None if config.init in INITS else read(config.init).pixels,
    )
    images.describe()  # reads every style, so that errors are found here
    if content_masks is None:
        _log_stretched_masks(config, images)
    return images


def _log_stretched_masks(config: RunConfig, images: ImageSet) -> None:
    masks = zip(config.content_masks, images.content_masks, strict=True)
    if images.content is not None:
        for path, mask in masks:
            log_stretched(path, mask, images.content.pixels)
    masks = zip(config.style_masks, images.style_masks, strict=True)
    for (path, mask), style in zip(masks, images.styles, strict=False):
        log_stretched(path, mask, style.pixels)
