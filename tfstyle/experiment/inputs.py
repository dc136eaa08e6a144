"""The image files that a config names, read."""

import dataclasses
import hashlib

import numpy as np

from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import INITS
from tfstyle.images import files as image_files


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """The images of one job, as they are in their files.

    Attributes:
        content: uint8 `[H, W, 3]`, or None.
        alpha: uint8 `[H, W]`, the content's, or None.
        styles: uint8 `[H, W, 3]` each.
        content_masks: uint8 `[H, W]` each.
        style_masks: uint8 `[H, W]` each.
        initial_image: uint8 `[H, W, 3]`, or None.
    """

    content: np.ndarray | None
    alpha: np.ndarray | None
    styles: list[np.ndarray]
    content_masks: list[np.ndarray]
    style_masks: list[np.ndarray]
    initial_image: np.ndarray | None

    def describe(self) -> dict[str, str]:
        """Returns size and hash of every image by field and number."""
        named = {"content_image": self.content, "init": self.initial_image}
        for field, images in (
            ("style_images", self.styles),
            ("content_masks", self.content_masks),
            ("style_masks", self.style_masks),
        ):
            for number, pixels in enumerate(images, start=1):
                named[f"{field} {number}"] = pixels
        return {
            name: describe_image(pixels)
            for name, pixels in named.items()
            if pixels is not None
        }


def read_image_files(config: RunConfig) -> ImageFiles:
    """Reads every image file that a config names.

    Raises:
        ImageError: if one cannot be read.
    """

    def read(path):
        return image_files.read_image(path, config.max_image_pixels)

    def read_masks(paths):
        return [
            image_files.read_mask(p, config.max_image_pixels) for p in paths
        ]

    content = read(config.content_image) if config.content_image else None
    return ImageFiles(
        content=None if content is None else content.pixels,
        alpha=None if content is None else content.alpha,
        styles=[read(path).pixels for path in config.style_images],
        content_masks=read_masks(config.content_masks),
        style_masks=read_masks(config.style_masks),
        initial_image=(
            None if config.init in INITS else read(config.init).pixels
        ),
    )


def describe_image(pixels: np.ndarray) -> str:
    """Returns an image's size and the SHA-256 of its pixels.

    Args:
        pixels: uint8 `[H, W, 3]`, as read, before any resizing.
    """
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(f"{height}x{width}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return f"{width}x{height} sha256={digest.hexdigest()}"
