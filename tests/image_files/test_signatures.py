"""What a file is by its first bytes, and what is said of one not read."""

import pytest

from tests import hostile
from tfstyle.image_files import signatures


def make_document(mimetype):
    return hostile.make_document(b"a picture", mimetype)[: signatures.HEAD]


OTHERS = {
    b"\n<!DOCTYPE html><html>": "a web page",
    b"<?xml version='1.0'?><!-- a --><html xmlns=''>": "a web page",
    b"\xef\xbb\xbf<HTML>": "a web page",
    b"<!-- -- a -> b --><!----><html>": "a web page",
    b"<!---->" * (signatures.HEAD // 7): "a text file",  # without delay
    b"<?xml version='1.0'?>\n<!-- a --><svg>": "(SVG)",
    b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN">\n<svg>': "(SVG)",
    b'{"error": "not found"}': "a text file",
    b"\xff\xfec\0o\0n\0": "a text file",
    b"M\xfcnchen;": "a text file",
    b"version https://git-lfs.github.com/spec/v1\n": "git lfs pull",
    b"%PDF-1.7\n%\xe2\xe3": "a PDF",
    b"8BPS\0\2": "a large Photoshop",
    b"SIMPLE  =                    T": "a FITS",
    b"P7\nWIDTH 4\n": "a Netpbm",
    b"v/1\x01": "an OpenEXR",
    b"gimp xcf v011\0": "a GIMP",
    b"\0\0\1\0\1\0\x10\x10\0\0": "an icon",
    b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41": "a film",
    b"\x1aE\xdf\xa3\x01\0": "a film",
    b"RIFF\0\0\0\0AVI LIST": "a film",
    make_document("application/epub+zip"): "an archive",
    bytes(range(7, 99)): "not a picture in a known format",
}


@pytest.mark.parametrize(("head", "expected"), OTHERS.items())
def test_describe_other_names_what_a_file_is(head, expected):
    assert signatures.find_kind(head) is None
    assert expected in signatures.describe_other(head)


KINDS = {
    b"8BPS\0\1": "PSD",
    b"\xff\x0a\xfa\x7f": "JPEGXL",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEGXL",
    b"#?RADIANCE\n": "RADIANCE",
    make_document("application/x-krita"): "KRITA",
    make_document("image/openraster"): "OPENRASTER",
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "RAW",
    b"FUJIFILMCCD-RAW 0201": "RAW",
    b"II\x1a\0\0\0HEAPCCDR\2\0": "RAW",
    b"IIU\0\x18\0\0\0": "RAW",
    b"\x28\0\0\0" + bytes(8) + b"\1\0": "DIB",
}


@pytest.mark.parametrize(("head", "kind"), KINDS.items())
def test_find_kind_goes_by_the_first_bytes(head, kind):
    assert signatures.find_kind(head) == kind


@pytest.mark.parametrize(
    ("major", "compatible", "kind"),
    [
        (b"avif", b"mif1miaf", "AVIF"),
        (b"mif1", b"mif1avifmiaf", "AVIF"),
        (b"heix", b"", "HEIC"),
        (b"mif1", b"mif1heic", "HEIC"),
        (b"msf1", b"hevc", "HEIC"),
        (b"M4V ", b"mp42isom", None),
    ],
)
def test_find_kind_goes_by_the_brands_of_a_box(major, compatible, kind):
    head = b"\0\0\0\x20ftyp" + major + bytes(4) + compatible
    assert signatures.find_kind(head) == kind
