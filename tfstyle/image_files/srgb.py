"""Conversion of Pillow images to upright 8-bit sRGB and separate alpha."""

import contextlib
import functools
import io

import numpy as np
from absl import logging
from PIL import Image
from PIL import ImageCms
from PIL import ImageOps

from tfstyle.image_files.bit_depth import to_8_bits


def to_srgb(
    path: str, image: Image.Image
) -> tuple[np.ndarray, np.ndarray | None]:
    """Converts a decoded picture to upright sRGB with 8 bits per channel.

    Args:
        path: path of the picture, for warnings.
        image: decoded picture of any mode.

    Returns:
        Pixels, uint8 `[H, W, 3]`, and alpha, uint8 `[H, W]` or None.

    Raises:
        ValueError: if the levels are floats, none of them finite.
    """
    profile = image.info.get("icc_profile")
    # A picture with damaged EXIF is not rotated.
    with contextlib.suppress(SyntaxError):
        image = ImageOps.exif_transpose(image)
    alpha = None
    if image.mode.startswith("I") or image.mode == "F":
        image, alpha = _narrow(path, image)
    elif image.has_transparency_data:
        image = image.convert("LA" if image.mode == "LA" else "RGBA")
        alpha = np.array(image.getchannel("A"))
        image = image.convert(image.mode[:-1])
    if image.mode in ("1", "P", "YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    if profile or image.mode == "LAB":
        image = _convert_profile(path, image, profile)
    return np.array(image.convert("RGB")), alpha


def _narrow(
    path: str, image: Image.Image
) -> tuple[Image.Image, np.ndarray | None]:
    """Converts grey levels of more than 8 bits to 8 bits.

    Returns:
        Picture of mode L, and alpha, uint8 `[H, W]`, 0 at the file's
        transparent level and else 255, or None.
    """
    values = np.array(image)
    level = image.info.get("transparency")
    alpha = None if level is None else np.where(values == level, 0, 255)
    narrow = Image.fromarray(to_8_bits(path, values))
    return narrow, None if alpha is None else alpha.astype(np.uint8)


def _convert_profile(
    path: str, image: Image.Image, profile: bytes | None
) -> Image.Image:
    """Converts a picture from its colour profile to sRGB."""
    if profile == make_profile():
        return image
    try:
        if profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        else:
            source = ImageCms.createProfile("LAB")
        target = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(
            image, source, target, outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError) as error:
        if image.mode == "LAB":
            raise
        logging.warning(
            "Image %r: its colour profile is unusable (%s); read as sRGB.",
            path,
            error,
        )
        return image


@functools.cache
def make_profile() -> bytes:
    """Returns an sRGB profile with a fixed creation date."""
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    date = np.array([2000, 1, 1, 0, 0, 0], ">u2").tobytes()
    return made[:24] + date + made[36:]
