"""Decoding of truncated or damaged pictures.

Like a viewer, this decodes the readable part, with a warning, if at most
`MOST` of the picture is missing. The missing share is measured by decoding
twice: pixels that no data reach differ between the two results.
"""

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from absl import logging
from PIL import Image
from PIL import ImageFile

from tfstyle.errors import ImageError

MOST = 0.1
"""Maximum share of a picture that may be missing."""
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "PPM", "TIFF")
"""Formats that Pillow decodes row by row, so that a part can be recovered."""
PROGRESSIVE = 0xC2
SCAN = 0xDA


def load(path: str, file: BinaryIO, image: ImageFile.ImageFile) -> Image.Image:
    """Decodes a picture, or the readable part of a damaged one.

    The caller must hold the lock of Pillow's settings.

    Args:
        path: path of the picture, for messages.
        file: file from which the picture was opened.
        image: the picture, not yet decoded.

    Raises:
        ImageError: if more than `MOST` of the picture is missing.
        MemoryError: if there is not enough memory for the picture.
        Exception: Pillow's error, if nothing can be decoded.
    """
    try:
        image.load()
        return image
    except MemoryError:
        raise
    except Exception:
        if image.format not in FORMATS:
            raise
        rest, share = _decode_rest(file, image)
        missing = "less than 1%" if share else "some detail"
        missing = f"{share:.0%}" if share >= 0.01 else missing
        if "progressive" in image.info:
            missing = "much detail" if share else "some detail"
        problem = f"Image {path!r} is cut off or damaged: {missing} of it"
        if share > MOST:
            raise ImageError(
                f"{problem} is missing, more than a tenth. Fetch it again."
            ) from None
        if share or _is_jpeg(image):
            logging.warning("%s is missing. Fetch it again.", problem)
        return rest


def _decode_rest(
    file: BinaryIO, image: ImageFile.ImageFile
) -> tuple[Image.Image, float]:
    """Returns the readable part of a picture, and the missing share."""
    image.tile = []  # no decoding; keeps the pixels decoded so far
    image.load()
    reached = np.asarray(image)
    is_jpeg = _is_jpeg(image)
    with decoding_on(), _open_again(file, image.format) as other:
        if not is_jpeg:
            _begin_white(other)
        other.load()
        differs = _any_channel(np.asarray(other) != reached)
        if not is_jpeg:
            return image, float(differs.mean())
        # libjpeg fills the rest of a truncated JPEG with one grey.
        if "progressive" in other.info:
            file.seek(0)
            return other.copy(), float(_lacks_scans(file.read()))
        pixels = np.asarray(other)
        is_grey = ~_any_channel(pixels != pixels[-1, -1])
        return other.copy(), float((is_grey & differs.any(1)[:, None]).mean())


def _is_jpeg(image: ImageFile.ImageFile) -> bool:
    return image.format in ("JPEG", "MPO")


@contextlib.contextmanager
def decoding_on() -> Iterator[None]:
    """Makes Pillow decode truncated files in the block.

    The caller must hold the lock of Pillow's settings.
    """
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _open_again(file: BinaryIO, name: str) -> ImageFile.ImageFile:
    file.seek(0)
    return Image.open(file, formats=["JPEG" if name == "MPO" else name])


def _begin_white(image: ImageFile.ImageFile) -> None:
    """Initialises a picture's memory to white, not black, before decoding."""
    prepare = image.load_prepare

    def prepare_white():
        prepare()
        num_bands = len(image.getbands())
        white = 255 if num_bands == 1 else (255,) * num_bands
        image.im.paste(white, (0, 0, *image.size))

    image.load_prepare = prepare_white


def _any_channel(is_true: np.ndarray) -> np.ndarray:
    return is_true if is_true.ndim == 2 else is_true.any(-1)


def _lacks_scans(data: bytes) -> bool:
    """True if a progressive JPEG ends before its last scan begins.

    The last scan only refines the lowest bit of existing coefficients, so
    truncating it is not visible. A scan's header lists the coefficients and
    components that it encodes, and the number of bits left to later scans.
    """
    missing, place = set(), 2
    while 0 <= (place := data.find(b"\xff", place)) < len(data) - 3:
        marker = data[place + 1]
        if marker in (0, 0xFF) or 0xD0 <= marker <= 0xD9:
            place += 1  # entropy-coded data, or a marker without a segment
            continue
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if end > len(data):
            break
        segment = data[place + 4 : end]
        if marker == PROGRESSIVE:
            components = segment[6::3]
            missing = {(c, k) for c in components for k in range(64)}
        elif marker == SCAN:
            components = segment[1 : 1 + 2 * segment[0] : 2]
            first, last, bits = segment[-3:]
            if not bits & 15:
                brought = range(first, last + 1)
                missing -= {(c, k) for c in components for k in brought}
        place = end
    return bool(missing)
