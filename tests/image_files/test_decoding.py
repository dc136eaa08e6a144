"""Which decoder reads a file: HEIC, AVIF, deep colours of PNG."""

import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL import ImageOps
from PIL import features
from PIL.PngImagePlugin import PngInfo

from tests import hostile
from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image

ORIENTATION = 0x0112
LOSSY = 6  # grey levels of a smooth picture


@pytest.fixture
def image():
    y, x = np.mgrid[:48, :64]
    return Image.fromarray(
        np.stack([x * 4, y * 5, 255 - x - y], -1).astype(np.uint8)
    )


def save_heic(path, image):
    """Writes a HEIC; pillow-heif's own way makes no plugin of it."""
    pillow_heif = pytest.importorskip("pillow_heif")
    file = pillow_heif.from_pillow(image)
    file.save(str(path), quality=95, chroma=444)
    return str(path)


def make_png(values, color_type, more=b""):
    """Returns a PNG of 16 bits, put together without Pillow."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [hostile.png_chunk(b"tRNS", more)] if more else []
    chunks.append(hostile.png_chunk(b"IDAT", zlib.compress(rows)))
    height, width = values.shape[:2]
    return hostile.make_png(width, height, *chunks, depth=16, color=color_type)


def test_read_image_reads_heic_named_jpg(tmp_path, image):
    image.putalpha(image.getchannel("R"))
    path = save_heic(tmp_path / "a.jpg", image)
    before = dict(Image.OPEN)
    picture = read_image(path)
    found = np.dstack([picture.pixels, picture.alpha]).astype(int)
    assert np.abs(found - np.asarray(image)).max() <= LOSSY
    assert before == Image.OPEN


@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_image_turns_heic_once(tmp_path, image, orientation):
    plugin = pytest.importorskip("pillow_heif.as_plugin")
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    image.encoderinfo = {"exif": exif.tobytes(), "quality": 95, "chroma": 444}
    plugin._save_heif(image, file, "a.heic")
    path = tmp_path / "a.jpg"
    path.write_bytes(file.getvalue())
    turned = image.copy()
    turned.getexif()[ORIENTATION] = orientation
    expected = np.asarray(ImageOps.exif_transpose(turned)).astype(int)
    pixels = read_image(str(path)).pixels
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).max() <= LOSSY


def test_read_image_counts_the_pixels_of_heic_first(
    tmp_path, image, monkeypatch
):
    plugin = pytest.importorskip("pillow_heif")
    path = save_heic(tmp_path / "a.heic", image)
    monkeypatch.setattr(plugin.HeifImageFile, "load", lambda _: 1 / 0)
    with refuses("", path, 3071, "64x48", kind=ImageError):
        read_image(path, 48 * 64 - 1)


def test_read_image_names_the_extra_that_reads_heic(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(99))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # cannot be imported
    remedy = "pip install 'tfstyle[heic]'"
    with refuses("", path, "HEIC", remedy, kind=ImageError):
        read_image(str(path))


def test_read_image_names_the_pillow_that_reads_avif(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf" + bytes(99))
    with refuses("", path, "damaged or cut off", kind=ImageError):
        read_image(str(path))
    monkeypatch.setattr(features, "check", lambda _: False)
    remedy = "pip install 'pillow>=11.3'"
    with refuses("", path, "AVIF", remedy, kind=ImageError):
        read_image(str(path))


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_read_image_takes_png_colors_by_the_bits_in_use(
    tmp_path, caplog, image, bits, has_alpha
):
    colors = np.asarray(image).astype(int)
    colors[0, 0] = 255
    values = np.rint(colors / 255 * (2**bits - 1)).astype(int)
    alpha = np.arange(48 * 64).reshape(48, 64) * 20
    if has_alpha:
        values = np.dstack([values, alpha])
    path = tmp_path / "a.png"
    path.write_bytes(make_png(values, 6 if has_alpha else 2))
    picture = read_image(str(path))
    assert np.abs(picture.pixels.astype(int) - colors).max() <= 1
    (record,) = caplog.records
    assert f"read as {bits} bits" in record.getMessage()
    if has_alpha:
        np.testing.assert_array_equal(picture.alpha, np.rint(alpha / 257))


@pytest.mark.parametrize("top", [0xFFFF, 0x3FF])
def test_read_image_hides_the_16_bit_color_that_is_transparent(tmp_path, top):
    values = np.arange(48 * 64 * 3).reshape(48, 64, 3) % (top + 1)
    values[8:20, 8:30] = hidden = [0x0123, 0x0102, 0x0311]
    values[30, 30] = [0x0123, 0x0102, 0x0312]  # nearly
    path = tmp_path / "a.png"
    path.write_bytes(make_png(values, 2, np.array(hidden, ">u2").tobytes()))
    picture = read_image(str(path))
    expected = np.full((48, 64), 255)
    expected[8:20, 8:30] = 0
    np.testing.assert_array_equal(picture.alpha, expected)
    expected = np.rint(values / top * 255)
    np.testing.assert_array_equal(picture.pixels, expected)


@pytest.mark.parametrize("last", [0, 200])
def test_read_image_takes_an_empty_alpha_of_bmp_for_none(tmp_path, image, last):
    """As viewers do: most programs that write BMP leave it empty."""
    rows = np.dstack([np.asarray(image)[::-1, :, ::-1], np.zeros((48, 64))])
    rows[0, 0, 3] = last
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHI", 124, 64, 48, 1, 32, 3) + bytes(20)
    head += struct.pack("<4I", *masks) + bytes(68)
    start = b"BM" + struct.pack("<IHHI", 138 + 4 * 48 * 64, 0, 0, 138)
    path = tmp_path / "a.bmp"
    path.write_bytes(start + head + rows.astype(np.uint8).tobytes())
    picture = read_image(str(path))
    np.testing.assert_array_equal(picture.pixels, np.asarray(image))
    assert (picture.alpha is None) == (last == 0)


def test_orientation_in_xmp_is_ignored_as_in_browsers(tmp_path, image):
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        b'"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description'
        b' rdf:about="" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"'
        b' tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
    )
    for kind in ("PNG", "WEBP", "AVIF", "JPEG"):
        path = tmp_path / kind
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp.decode())
        options = {"pnginfo": info} if kind == "PNG" else {"xmp": xmp}
        image.save(path, kind, **options)
        assert read_image(path).pixels.shape == (48, 64, 3)


def test_read_image_shows_the_first_frame_not_the_stand_in(tmp_path, image):
    path, other = tmp_path / "a.png", image.rotate(180)
    grey = Image.new("RGB", image.size, "grey")
    grey.save(
        path, save_all=True, append_images=[image, other], default_image=True
    )
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, np.asarray(image))


def test_read_image_hides_what_the_first_frame_of_a_gif_leaves_out(
    tmp_path, image
):
    content = io.BytesIO()
    image.resize((32, 24)).quantize(16).save(content, "GIF")
    data = bytearray(content.getvalue())
    data[6:10] = struct.pack("<HH", 64, 48)  # the canvas
    frame = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    data[frame + 1 : frame + 5] = struct.pack("<HH", 8, 6)
    path = tmp_path / "a.gif"
    path.write_bytes(data)
    expected = np.zeros((48, 64))
    expected[6:30, 8:40] = 255
    np.testing.assert_array_equal(read_image(path).alpha, expected)
