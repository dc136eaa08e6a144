"""What a file is by its first bytes, and what is said of one not read."""

import io
import zipfile

import pytest

from tfstyle.image_files import signatures

OTHERS = {
    b"\n<!DOCTYPE html><html>": "is a web page, not a picture. Fetch",
    b"<?xml version='1.0'?><!-- a --><html xmlns=''>": "is a web page",
    b"\xef\xbb\xbf<HTML>": "is a web page",
    b"<!-- -- a -> b --><!----><html>": "is a web page",
    b"<!---->" * (signatures.HEAD // 7): "is a text file",  # without delay
    b"<?xml version='1.0'?>\n<!-- a --><svg>": "a vector drawing (SVG)",
    b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN">\n<svg>': "(SVG)",
    b'{"error": "not found"}': "is a text file, not a picture. Give the path",
    b"\xff\xfec\0o\0n\0": "is a text file",
    b"M\xfcnchen;": "is a text file",
    b"version https://git-lfs.github.com/spec/v1\n": "Run git lfs pull.",
    b"%PDF-1.7\n%\xe2\xe3": "is a PDF document. Save its page as PNG",
    b"8BPS\0\1": "is a Photoshop document. Export it",
    b"gimp xcf v011\0": "is a GIMP document",
    b"\0\0\1\0\1\0\x10\x10\0\0": "is an icon",
    b"\xff\x0a\xfa\x7f": "is a JPEG XL picture",
    b"\0\0\0\x0cJXL \r\n\x87\n": "is a JPEG XL picture",
    b"#?RADIANCE\n": "is an HDR picture",
    b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41": "is a film. Save one",
    b"\0\0\0\x14ftypqt  \0\0\0\0qt  ": "is a film",
    b"\x1aE\xdf\xa3\x01\0": "is a film",
    b"RIFF\0\0\0\0AVI LIST": "is a film",
    b"PK\3\4\x14\0": "is an archive. Unpack it.",
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "is a raw photograph. Develop it",
    b"FUJIFILMCCD-RAW 0201": "is a raw photograph",
    b"IIU\0\x18\0\0\0": "is a raw photograph",
    bytes(range(7, 99)): "is not a JPEG, PNG, WEBP, TIFF, BMP, GIF, JPEG2000",
}


@pytest.mark.parametrize(("head", "expected"), OTHERS.items())
def test_describe_other_names_what_a_file_is(head, expected):
    assert signatures.find_kind(head) is None
    assert expected in signatures.describe_other(head)


@pytest.mark.parametrize(
    ("major", "compatible", "kind"),
    [
        (b"avif", b"mif1miaf", "AVIF"),
        (b"mif1", b"mif1avifmiaf", "AVIF"),
        (b"avis", b"msf1", "AVIF"),
        (b"heic", b"mif1heic", "HEIC"),
        (b"heix", b"", "HEIC"),
        (b"mif1", b"mif1heic", "HEIC"),
        (b"msf1", b"hevc", "HEIC"),
        (b"isom", b"isomavc1", None),
        (b"M4V ", b"mp42isom", None),
    ],
)
def test_find_kind_goes_by_the_brands_of_a_box(major, compatible, kind):
    head = b"\0\0\0\x20ftyp" + major + bytes(4) + compatible
    assert signatures.find_kind(head) == kind


@pytest.mark.parametrize(
    ("mimetype", "name"),
    [("application/x-krita", "a Krita"), ("image/openraster", "an OpenRaster")],
)
def test_document_in_an_archive_is_named(mimetype, name):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("mimetype", mimetype)
        file.writestr("mergedimage.png", b"a picture")
    found = signatures.describe_other(content.getvalue()[: signatures.HEAD])
    assert found == f"is {name} document. Export it as PNG or JPEG."
