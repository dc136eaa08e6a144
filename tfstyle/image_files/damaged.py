"""Decoding of truncated or damaged pictures.

Like a viewer, this decodes the readable part, with a warning, if at most
`MOST` of the picture is missing. The missing share is measured by decoding
twice: pixels that no data reach differ between the two results.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image
from PIL import ImageFile

from tfstyle.errors import ImageError
from tfstyle.image_files.decoded import Source

MOST = 0.1
"""Maximum share of a picture that may be missing."""
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "PPM", "TIFF")
"""Formats that Pillow decodes row by row, so that a part can be recovered."""
PROGRESSIVE = 0xC2
SCAN, END = 0xDA, 0xD9


def load(source: Source, image: ImageFile.ImageFile) -> Image.Image:
    """Decodes a picture, or the readable part of a damaged one.

    The caller must hold the lock of Pillow's settings and reset them.

    Args:
        source: file from which the picture was opened.
        image: the picture, not yet decoded.

    Raises:
        ImageError: if more than `MOST` of the picture is missing.
        MemoryError: if there is not enough memory for the picture.
        Exception: Pillow's error, if nothing can be decoded.
    """
    file = source.file
    try:
        image.load()
        if not (_is_jpeg(image) and _ends_grey(image)):
            return image
        # An end marker may stand amid the data: without it an error is raised.
        file = io.BytesIO(_without_end(source.read()))
        image = Image.open(file, formats=["JPEG"])
        image.load()
        return image
    except MemoryError:
        raise
    except Exception:
        if image.format not in FORMATS:
            raise
        rest, share = _decode_rest(file, image)
        missing = f"{share:.0%}" if share >= 0.01 else "less than 1%"
        if not share or "progressive" in image.info:
            missing = "much detail" if share else "some detail"
        problem = f"is cut off or damaged: {missing} of it is missing"
        if share > MOST:
            raise ImageError(
                f"Image {source.path!r} {problem}, more than a tenth. Fetch it"
                " again."
            ) from None
        if share or _is_jpeg(image):
            source.warnings.append(f"{problem}. Fetch it again.")
        return rest


def _ends_grey(image: Image.Image) -> bool:
    """True if the last pixel is the grey that libjpeg fills in."""
    width, height = image.size
    last = image.getpixel((width - 1, height - 1))
    return bool((np.abs(np.subtract(last, 127.5)) < 2).all())


def _without_end(data: bytes) -> bytes:
    """Returns a JPEG's data up to its first end marker.

    Bytes are added, as the decoder reads a few in advance.
    """
    ends = (place for marker, place, _ in read_segments(data) if marker == END)
    return data[: next(ends, None)] + bytes(64)


def read_segments(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yields the segments of a JPEG up to its end, without its pixels.

    Yields:
        Marker, offset of the marker, and content.
    """
    place = 2
    while 0 <= (place := data.find(b"\xff", place)) < len(data) - 1:
        marker = data[place + 1]
        if marker in (0, 0xFF) or 0xD0 <= marker < END:
            place += 1  # entropy-coded data, or a marker without a segment
            continue
        if marker == END:
            yield marker, place, b""
            return
        if place + 4 > len(data):
            return
        end = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if end > len(data):
            return
        yield marker, place, data[place + 4 : end]
        place = end


def _decode_rest(
    file: BinaryIO, image: ImageFile.ImageFile
) -> tuple[Image.Image, float]:
    """Returns the readable part of a picture, and the missing share."""
    image.tile = []  # no decoding; keeps the pixels decoded so far
    image.load()
    reached = np.asarray(image)
    is_jpeg = _is_jpeg(image)
    formats = ["JPEG" if is_jpeg else image.format]
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    with Image.open(file, formats=formats) as other:
        if not is_jpeg:
            _begin_white(other)
        other.load()
        pixels = np.asarray(other)
        differs = np.atleast_3d(pixels != reached).any(-1)
        if not is_jpeg:
            return image, float(differs.mean())
        # libjpeg fills the rest of a truncated JPEG with one grey.
        if "progressive" in other.info:
            file.seek(0)
            return other.copy(), float(_lacks_scans(file.read()))
        is_grey = np.atleast_3d(pixels == pixels[-1, -1]).all(-1)
        return other.copy(), float((is_grey & differs.any(1)[:, None]).mean())


def _is_jpeg(image: ImageFile.ImageFile) -> bool:
    return image.format in ("JPEG", "MPO")


def _begin_white(image: ImageFile.ImageFile) -> None:
    """Initialises a picture's memory to white, not black, before decoding."""
    prepare = image.load_prepare

    def prepare_white():
        prepare()
        num_bands = len(image.getbands())
        white = 255 if num_bands == 1 else (255,) * num_bands
        image.im.paste(white, (0, 0, *image.size))

    image.load_prepare = prepare_white


def _lacks_scans(data: bytes) -> bool:
    """True if a progressive JPEG ends before its last scan begins.

    The last scan only refines the lowest bit of existing coefficients, so
    truncating it is not visible. A scan's header lists the coefficients and
    components that it encodes, and the number of bits left to later scans.
    """
    missing = set()
    for marker, _, segment in read_segments(data):
        if marker == PROGRESSIVE:
            components = segment[6::3]
            missing = {(c, k) for c in components for k in range(64)}
        elif marker == SCAN:
            components = segment[1 : 1 + 2 * segment[0] : 2]
            first, last, bits = segment[-3:]
            if not bits & 15:
                brought = range(first, last + 1)
                missing -= {(c, k) for c in components for k in brought}
    return bool(missing)
