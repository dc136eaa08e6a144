"""Images of any kind as arrays: paths, PIL images, NumPy arrays, tensors."""

import io
import os
import pathlib
from collections.abc import Sequence
from typing import Any
from typing import TypeAlias

import numpy as np
from absl import logging
from PIL import Image

from tfstyle.config.validation import check_address
from tfstyle.errors import ConfigError
from tfstyle.errors import ImageError
from tfstyle.image_files import reading as image_files
from tfstyle.image_files import srgb
from tfstyle.image_files.decoded import Source
from tfstyle.image_files.decoding import from_pillow
from tfstyle.image_files.masks import to_mask
from tfstyle.image_files.paths import expand_names
from tfstyle.image_files.reading import MAX_PIXELS
from tfstyle.images.picture import Picture
from tfstyle.system.paths import expand_path

ImageLike: TypeAlias = str | os.PathLike[str] | Image.Image | np.ndarray | Any
"""A path, a PIL image, or an array or tensor `[H, W]`, `[H, W, 1]`,
`[H, W, 3]` or `[H, W, 4]` (RGB, alpha last), with an optional batch axis of 1;
uint8, bool, or float from 0 (black) to 1 (white). A `Result` or a `Step` is
an image too."""

SAMPLES = ("scene", "strokes", "mosaic")


def sample(name: str) -> np.ndarray:
    """Returns a sample picture, uint8 `[H, W, 3]`, RGB.

    Example:
        >>> sample("scene").shape
        (576, 768, 3)

    Args:
        name: `scene`, a village by a lake; `strokes`, brush strokes along
            swirls; or `mosaic`, stones set in bands.

    Raises:
        ConfigError: if no sample has this name.
    """
    if name not in SAMPLES:
        raise ConfigError(
            f"`name` must be one of {', '.join(SAMPLES)}. Received: {name!r}."
        )
    folder = pathlib.Path(__file__).parents[1] / "samples"
    return image_files.read_image(str(folder / f"{name}.jpg")).pixels


def read_pixels(
    image: ImageLike, argument: str, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Reads the pixels and alpha channel of an image.

    Args:
        image: see `ImageLike`.
        argument: name of the argument, for error messages.
        max_pixels: files with more pixels are refused.

    Raises:
        ConfigError: if the type, shape or range is not supported.
        ImageError: if a file cannot be read.
    """
    if isinstance(image, str | os.PathLike):
        path = expand_path(os.fspath(image))
        check_address(argument, path)
        return image_files.read_image(path, max_pixels)
    if isinstance(image, Image.Image):
        return _read_pil(image, argument)
    pixels = _to_uint8(image, argument)
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    alpha = pixels[..., 3].copy() if pixels.shape[2] == 4 else None
    pixels = pixels[..., :3]
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    return Picture(np.ascontiguousarray(pixels), alpha)


def read_mask(
    mask: ImageLike, argument: str, max_pixels: int = MAX_PIXELS
) -> np.ndarray:
    """Reads an image as a mask, uint8 `[H, W]`; see `masks.to_mask`.

    Raises:
        ConfigError: if the type, shape or range is not supported.
        ImageError: if a file cannot be read, or shows more than two classes.
    """
    image = read_pixels(mask, argument, max_pixels)
    return to_mask(image.pixels, image.alpha, f"`{argument}`")


def as_list(images: ImageLike | Sequence[ImageLike] | None) -> list[ImageLike]:
    """Returns one or several images as a list; None gives an empty list.

    Folders and patterns such as `styles/*.jpg` are expanded to their files.
    """
    if images is None:
        return []
    if isinstance(images, list | tuple):
        return list(images)
    if isinstance(images, str | os.PathLike):
        return list(expand_names([expand_path(os.fspath(images))]))
    if isinstance(images, Image.Image):
        return [images]
    return list(images) if getattr(images, "ndim", 0) == 4 else [images]


def _read_pil(image: Image.Image, argument: str) -> Picture:
    try:
        image.load()
        source = Source(argument, io.BytesIO(), lambda size: None)
        profile = image.info.get("icc_profile")
        picture = srgb.to_srgb(source, from_pillow(image, profile))
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(
            f"`{argument}` cannot be decoded ({str(error) or repr(error)})."
            " Use another picture."
        ) from error
    for text in picture.warnings:
        logging.warning("`%s` %s", argument, text)
    return picture


def _to_uint8(image: Any, argument: str) -> np.ndarray:
    """Checks an array or tensor and converts it to uint8, with 2 or 3 axes."""
    is_array = hasattr(image, "__array__")
    array = np.asarray(image if is_array else None)
    if array.dtype != np.uint8 and array.dtype.kind not in "bf":
        kind = array.dtype if is_array else type(image).__name__
        raise ConfigError(
            f"`{argument}` must be a path, a PIL image, or an array or tensor"
            f" of uint8, or of float from 0 to 1. Received: {kind}. Divide"
            " larger integers by their maximum."
        )
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in _DEPTH)
    if not is_image or not array.size:
        raise ConfigError(
            f"`{argument}` must have the shape [H, W], [H, W, 1], [H, W, 3] or"
            f" [H, W, 4]. Received: {list(array.shape)}."
        )
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "f" and not (0 <= array.min() <= array.max() <= 1):
        raise ConfigError(
            f"`{argument}` must be from 0 (black) to 1 (white) as float."
            f" Received: {array.min():.4g} to {array.max():.4g}. Convert grey"
            " levels up to 255 to uint8."
        )
    return np.rint(array.astype(np.float32) * 255).astype(np.uint8)


_DEPTH = (1, 3, 4)
