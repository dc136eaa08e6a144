"""Which decoder reads a file: HEIC, AVIF, deep colours of PNG."""

import io
import struct
import sys

import numpy as np
import pytest
from PIL import ExifTags
from PIL import Image
from PIL import ImageOps
from PIL import features
from PIL.PngImagePlugin import PngInfo

from tests.hostile import save
from tests.image_files.pictures import COLORS
from tests.image_files.pictures import difference
from tests.image_files.pictures import make_png
from tests.image_files.pictures import read
from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image

LOSSY = 6  # grey levels of a smooth picture


@pytest.fixture
def image():
    return Image.fromarray(COLORS)


def save_heic(path, image):
    """Writes a HEIC; pillow-heif's own way makes no plugin of it."""
    pillow_heif = pytest.importorskip("pillow_heif")
    file = pillow_heif.from_pillow(image)
    file.save(str(path), quality=95, chroma=444)
    return str(path)


def test_read_image_reads_heic_named_jpg(tmp_path, image):
    image.putalpha(image.getchannel("R"))
    path = save_heic(tmp_path / "a.jpg", image)
    before = dict(Image.OPEN)
    picture = read_image(path)
    assert difference(picture, COLORS).max() <= LOSSY
    np.testing.assert_allclose(picture.alpha, COLORS[..., 0], atol=LOSSY)
    assert before == Image.OPEN


@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_image_turns_heic_once(tmp_path, image, orientation):
    plugin = pytest.importorskip("pillow_heif.as_plugin")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    image.encoderinfo = {"exif": exif.tobytes(), "quality": 95, "chroma": 444}
    plugin._save_heif(image, file, "a.heic")
    image.getexif()[ExifTags.Base.Orientation] = orientation
    turned = np.asarray(ImageOps.exif_transpose(image))
    assert difference(read(tmp_path, file.getvalue()), turned).max() <= LOSSY


def test_read_image_counts_the_pixels_of_heic_first(
    tmp_path, image, monkeypatch
):
    plugin = pytest.importorskip("pillow_heif")
    path = save_heic(tmp_path / "a.heic", image)
    monkeypatch.setattr(plugin.HeifImageFile, "load", lambda _: 1 / 0)
    with refuses("", path, 2239, "56x40", kind=ImageError):
        read_image(path, 40 * 56 - 1)


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        (b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf", "'tfstyle[heic]'"),
        (b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf", "'pillow>=11.3'"),
        (b"FUJIFILMCCD-RAW 0201", "'tfstyle[raw]'"),
    ],
)
def test_read_image_says_what_to_install(
    tmp_path, monkeypatch, content, remedy
):
    for module in ("pillow_heif", "rawpy"):
        monkeypatch.setitem(sys.modules, module, None)  # cannot be imported
    monkeypatch.setattr(features, "check", lambda _: False)
    with refuses("", tmp_path, f"pip install {remedy}", kind=ImageError):
        read(tmp_path, content + bytes(99))


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("has_alpha", [False, True])
def test_read_image_takes_png_colors_by_the_bits_in_use(
    tmp_path, caplog, bits, has_alpha
):
    values = np.rint(COLORS / 255 * (2**bits - 1)).astype(np.uint16)
    alpha = np.arange(40 * 56, dtype=np.uint16).reshape(40, 56) * 20
    if has_alpha:
        values = np.dstack([values, alpha])
    picture = read(tmp_path, make_png(values))
    assert difference(picture, COLORS).max() <= 1
    (record,) = caplog.records
    assert f"read as {bits} bits" in record.getMessage()
    if has_alpha:
        np.testing.assert_array_equal(picture.alpha, np.rint(alpha / 257))


@pytest.mark.parametrize("top", [0xFFFF, 0x3FF])
def test_read_image_hides_the_16_bit_color_that_is_transparent(tmp_path, top):
    values = (np.arange(40 * 56 * 3) % (top + 1)).astype(np.uint16)
    values = values.reshape(40, 56, 3)
    values[8:20, 8:30] = hidden = [0x0123, 0x0102, 0x0311]
    values[30, 30] = [0x0123, 0x0102, 0x0312]  # nearly
    chunk = b"tRNS", np.array(hidden, ">u2").tobytes()
    picture = read(tmp_path, make_png(values, chunk))
    expected = np.full((40, 56), 255)
    expected[8:20, 8:30] = 0
    np.testing.assert_array_equal(picture.alpha, expected)
    assert difference(picture, np.rint(values / top * 255)).max() == 0


@pytest.mark.parametrize("last", [0, 200])
def test_read_image_takes_an_empty_alpha_of_bmp_for_none(tmp_path, last):
    """As viewers do: most programs that write BMP leave it empty."""
    rows = np.dstack([COLORS[::-1, :, ::-1], np.zeros_like(COLORS[..., 0])])
    rows[0, 0, 3] = last
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHI", 124, 56, 40, 1, 32, 3) + bytes(20)
    head += struct.pack("<4I", *masks) + bytes(68)
    start = b"BM" + struct.pack("<IHHI", 138 + rows.nbytes, 0, 0, 138)
    picture = read(tmp_path, start + head + rows.tobytes())
    np.testing.assert_array_equal(picture.pixels, COLORS)
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
        assert read_image(path).pixels.shape == COLORS.shape


def test_read_image_shows_the_first_frame_not_the_stand_in(tmp_path, image):
    path, other = tmp_path / "a.png", image.rotate(180)
    grey = Image.new("RGB", image.size, "grey")
    grey.save(
        path, save_all=True, append_images=[image, other], default_image=True
    )
    np.testing.assert_array_equal(read_image(path).pixels, COLORS)


def test_read_image_hides_what_the_first_frame_of_a_gif_leaves_out(
    tmp_path, image
):
    data = bytearray(save(image.resize((32, 24)).quantize(16), "GIF"))
    data[6:10] = struct.pack("<HH", 56, 40)  # the canvas
    frame = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    data[frame + 1 : frame + 5] = struct.pack("<HH", 8, 6)
    expected = np.zeros((40, 56))
    expected[6:30, 8:40] = 255
    np.testing.assert_array_equal(read(tmp_path, data).alpha, expected)
