"""File format detection by magic bytes, regardless of the file name.

An unsupported file is refused in one sentence that names its type and a
remedy.
"""

import re

HEAD = 512
"""Number of leading bytes used to detect the format."""

READ = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF.{4}WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "BMP": rb"BM",
    "DIB": rb"\x28\0\0\0.{8}\x01\0",
    "GIF": rb"GIF8[79]a",
    "JPEG2000": rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
    "PPM": rb"P[1-6f]\s",
    "AVIF": rb".{4}ftyp(.{4}){0,15}?avi[fs]",
    "JPEGXL": rb"\0\0\0\x0cJXL |\xff\x0a",
    "RADIANCE": rb"#\?R(ADIANCE|GBE)",
    "PSD": rb"8BPS\0\x01",
    "KRITA": rb"PK\x03\x04.{26}mimetype.{0,64}?application/x-krita",
    "OPENRASTER": rb"PK\x03\x04.{26}mimetype.{0,64}?image/openraster",
    "RAW": (
        rb"II\x1a\0\0\0HEAPCCDR|.{4}ftypcrx |FUJIFILMCCD-RAW|FOVb"
        rb"|II(RO|RS|U\0)|MMOR|\0MRM"
    ),
    "HEIC": rb".{4}ftyp(.{4}){0,15}?(he[iv][cxms]|mif1|msf1)",
}
"""Patterns of the supported formats; the first match decides."""

RAW = (
    "is a raw photograph. pip install 'tfstyle[raw]' develops it; or develop it"
    " in darktable, for example, and save it as TIFF or JPEG."
)
_EXPORT = "Export it as PNG or JPEG."
_MARKUP = rb"(?i)(\xef\xbb\xbf)?\s*(<.*)?"

OTHERS = {
    rb"8BP[SB]": f"is a large Photoshop document. {_EXPORT}",
    rb"gimp xcf": f"is a GIMP document. {_EXPORT}",
    rb"\0\0\x01\0.\0|icns": f"is an icon. {_EXPORT}",
    rb"%PDF": "is a PDF document. Save its page as PNG or JPEG.",
    rb"%!PS|\xc5\xd0\xd3\xc6": f"is a PostScript document. {_EXPORT}",
    rb"v/1\x01": f"is an OpenEXR picture. {_EXPORT}",
    rb"SIMPLE  =": f"is a FITS file. {_EXPORT}",
    rb"P7\n|PF\s": f"is a Netpbm picture of an unsupported kind. {_EXPORT}",
    (
        rb".{4}(ftyp|moov|mdat|wide)|RIFF.{4}AVI |\x1aE\xdf\xa3|OggS|FLV"
        rb"|\0\0\x01[\xba\xb3]"
    ): "is a film. Save one of its frames as PNG or JPEG.",
    rb"PK[\x03\x05]|7z\xbc\xaf|Rar!|\x1f\x8b": "is an archive. Unpack it.",
    rb"version https://git-lfs": (
        "is a pointer of Git LFS, not the picture. Run git lfs pull."
    ),
    _MARKUP + rb"<(!doctype html|html|head|body)": (
        "is a web page, not a picture. Fetch the picture itself."
    ),
    _MARKUP + rb"<svg": f"is a vector drawing (SVG). {_EXPORT}",
    # UTF-16, or no control characters
    rb"\xff\xfe|\xfe\xff|[^\0-\x08\x0e-\x1f\x7f]*\Z": (
        "is a text file, not a picture. Give the path of a picture."
    ),
    rb"": "is not a picture in a known format. Save it as PNG or JPEG.",
}
"""Patterns of all other files, with the end of the error message."""


def find_kind(head: bytes) -> str | None:
    """Returns the format of a picture, a key of `READ`, or None.

    Args:
        head: first `HEAD` bytes of the file.
    """
    return next((k for k, p in READ.items() if _matches(p, head)), None)


def describe_other(head: bytes) -> str:
    """Describes an unsupported file, with a remedy.

    Args:
        head: first `HEAD` bytes of the file.
    """
    return next(text for p, text in OTHERS.items() if _matches(p, head))


def _matches(pattern: bytes, head: bytes) -> bool:
    return re.match(pattern, head, re.DOTALL) is not None
