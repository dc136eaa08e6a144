"""The image files that a config names, read."""

import dataclasses
import hashlib

import numpy as np

from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import INITS
from tfstyle.images import files as image_files
from tfstyle.images.masks import read_mask
from tfstyle.images.transparency import show
from tfstyle.images.transparency import weights_of


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """The images of one job, as they are in their files.

    Attributes:
        content: uint8 `[H, W, 3]`, or None.
        alpha: uint8 `[H, W]`, the content's, or None.
        styles: uint8 `[H, W, 3]` each.
        style_alphas: uint8 `[H, W]` or None each.
        content_masks: uint8 `[H, W]` each.
        style_masks: uint8 `[H, W]` each.
        initial_image: uint8 `[H, W, 3]`, or None.
    """

    content: np.ndarray | None
    alpha: np.ndarray | None
    styles: list[np.ndarray]
    style_alphas: list[np.ndarray | None]
    content_masks: list[np.ndarray]
    style_masks: list[np.ndarray]
    initial_image: np.ndarray | None

    def describe(self) -> dict[str, str]:
        """Returns size and hash of every image by field and number."""
        named = {
            "content_image": (self.content, self.alpha),
            "init": (self.initial_image, None),
        }
        styles = zip(self.styles, self.style_alphas, strict=True)
        for number, style in enumerate(styles, start=1):
            named[f"style_images {number}"] = style
        for field, masks in (
            ("content_masks", self.content_masks),
            ("style_masks", self.style_masks),
        ):
            for number, mask in enumerate(masks, start=1):
                named[f"{field} {number}"] = (mask, None)
        return {
            name: describe_image(pixels, alpha)
            for name, (pixels, alpha) in named.items()
            if pixels is not None
        }


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

    content = read(config.content_image) if config.content_image else None
    styles = [read(path) for path in config.style_images]
    return ImageFiles(
        content=None if content is None else content.pixels,
        alpha=None if content is None else content.alpha,
        styles=[style.pixels for style in styles],
        style_alphas=[style.alpha for style in styles],
        content_masks=read_masks(config.content_masks),
        style_masks=read_masks(config.style_masks),
        initial_image=(
            None if config.init in INITS else read(config.init).pixels
        ),
    )


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
