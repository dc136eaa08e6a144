"""Merged pictures in the documents of Photoshop, Krita and OpenRaster."""

import io
import struct
import zipfile

from PIL import Image

from tfstyle.errors import ImageError
from tfstyle.image_files.decoded import Source

ZIPPED = ("KRITA", "OPENRASTER")
"""Formats that are ZIP archives."""
MERGED = "mergedimage.png"
"""Name of the merged picture in a Krita or OpenRaster document."""
MOST_RATIO = 20
"""Maximum compression of the merged picture, which is compressed already."""
_EXPORT = "Export it as PNG or JPEG."
PSD_HEADER = 26
MULTICHANNEL = b"\0\7"
"""Colour mode at the end of the header, of channels without colours."""
PSD_VERSION = 1057
"""Resource whose fifth byte is 0 if the merged picture is not stored."""


def open_merged(source: Source) -> io.BytesIO:
    """Returns the PNG of the merged picture of a Krita or OpenRaster document.

    Raises:
        ImageError: if there is none.
    """
    with zipfile.ZipFile(source.file) as archive:
        if MERGED not in archive.namelist():
            raise ImageError(
                f"Image {source.path!r} is a document without a merged"
                f" picture. {_EXPORT}"
            )
        sizes = archive.getinfo(MERGED)
        if sizes.file_size > MOST_RATIO * sizes.compress_size + (1 << 24):
            raise ValueError("its merged picture is no PNG")
        return io.BytesIO(archive.read(MERGED))


def open_photoshop(source: Source) -> Image.Image:
    """Opens the merged picture of a Photoshop document.

    Raises:
        ImageError: if it has none, or not with 8 bits of grey, RGB or CMYK.
    """
    try:
        if source.read(PSD_HEADER)[24:] == MULTICHANNEL:
            raise KeyError("Pillow would read its first channel")
        image = Image.open(source.file, formats=["PSD"])
    except (KeyError, OSError) as error:
        raise ImageError(
            f"Image {source.path!r} is a Photoshop document with an"
            f" unsupported colour mode or depth. {_EXPORT}"
        ) from error
    for number, _, data in image.resources:
        if number == PSD_VERSION and data[4:5] == b"\0":
            raise ImageError(
                f"Image {source.path!r} is a Photoshop document saved without"
                f" its merged picture. {_EXPORT}"
            )
    return image


def is_transparent(source: Source) -> bool:
    """True if a Photoshop document's fourth channel is its transparency.

    Else it is a saved selection. The sign of the number of layers tells it.
    """
    file = source.file
    file.seek(PSD_HEADER)
    for _ in range(2):  # colour table and resources
        file.seek(struct.unpack(">I", file.read(4))[0], io.SEEK_CUR)
    length, _, num_layers = struct.unpack(">IIh", file.read(10))
    return length > 0 and num_layers < 0
