"""TIFF files of deep colour, which Pillow alone does not read."""

import itertools
import pathlib
import sys
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL import ImageCms

from tests import hostile
from tests.image_files import pictures
from tests.image_files.pictures import difference
from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text

COLORS, GREY = pictures.COLORS.astype(int), pictures.GREY.astype(int)
ALPHA = pictures.ALPHA.astype(int)
DNG_VERSION = (50706, "B", 4, b"\1\4\0\0", True)


def write(tmp_path, values, **options):
    path = str(tmp_path / "a.tif")
    is_color = values.ndim == 3
    options.setdefault("photometric", "rgb" if is_color else "minisblack")
    tifffile.imwrite(path, values, **options)
    return path


def scaled(values, dtype):
    """Returns levels 0..255 in the range of another type, which is exact."""
    return (values * {"u1": 1, "u2": 257, "f4": 1 / 255}[dtype]).astype(dtype)


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("values", [GREY, COLORS], ids=["grey", "color"])
@pytest.mark.parametrize(
    ("dtype", "top"),
    [("u2", 65535), ("u4", 2**32 - 1), ("f2", 1), ("f4", 1), ("f8", 255)],
)
def test_read_image_reads_every_depth(tmp_path, values, dtype, top, byteorder):
    levels = (values / 255 * top).astype(dtype)
    picture = read_image(write(tmp_path, levels, byteorder=byteorder))
    assert difference(picture, values).max() <= (dtype in ("u2", "f2"))
    assert picture.alpha is None


LAYOUTS = (
    {"compression": "zlib"},
    {"compression": "zlib", "tile": (16, 16)},
    {"tile": (16, 32)},
    {"bigtiff": True},
    {"rowsperstrip": 7},
    {"planarconfig": "separate"},
    {"extratags": [(274, "H", 1, 6, True)]},  # to be turned
)


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        *itertools.product(("u2", "f4"), LAYOUTS),
        ("u2", {"compression": "zlib", "predictor": 2}),
    ],
)
def test_read_image_reads_every_layout(tmp_path, dtype, options):
    levels = scaled(COLORS, dtype)
    if "planarconfig" in options:
        levels = np.moveaxis(levels, -1, 0).copy()
    picture = read_image(write(tmp_path, levels, **options))
    expected = np.rot90(COLORS, -1) if "extratags" in options else COLORS
    np.testing.assert_array_equal(picture.pixels, expected)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_read_image_turns_white_is_zero_round(tmp_path, dtype):
    path = write(tmp_path, scaled(GREY, dtype), photometric="miniswhite")
    assert difference(read_image(path), 255 - GREY).max() == 0


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("u2", "unassalpha"), ("f4", "unassalpha"), ("f4", "assocalpha")],
)
@pytest.mark.parametrize("num_colors", [1, 3])
def test_read_image_keeps_the_alpha_and_divides_by_it_if_it_is_associated(
    tmp_path, dtype, kind, num_colors
):
    colors = COLORS[..., :num_colors]
    is_multiplied = kind == "assocalpha"
    if is_multiplied:
        colors = colors * (ALPHA / 255)[..., np.newaxis]
    path = write(
        tmp_path,
        scaled(np.dstack([colors, ALPHA]), dtype),
        photometric="rgb" if num_colors == 3 else "minisblack",
        planarconfig="contig",
        extrasamples=[kind],
    )
    picture = read_image(path)
    np.testing.assert_array_equal(picture.alpha, ALPHA)
    error = difference(picture, COLORS if num_colors == 3 else GREY)
    is_seen = 150 * is_multiplied <= ALPHA
    assert error[is_seen].max() <= 2 * is_multiplied  # of 8 bits, divided


def test_read_image_takes_deep_colour_by_the_bits_in_use(tmp_path, caplog):
    path = write(tmp_path, (COLORS * 4095 // 255).astype(np.uint16))
    assert difference(read_image(path), COLORS).max() <= 1
    (record,) = caplog.records
    assert "up to 4095 only; read as 12 bits" in record.getMessage()


def test_read_image_checks_the_pixels_of_deep_colour_first(
    tmp_path, monkeypatch
):
    path = write(tmp_path, scaled(COLORS, "f4"))
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda _: 1 / 0)
    with refuses("", path, 2239, "56x40", kind=ImageError):
        read_image(path, 2239)


RAW = np.zeros((80, 100), np.uint16), {"photometric": "cfa"}
PREVIEW = pictures.GREY


@pytest.mark.parametrize(
    "pages",
    [
        [(PREVIEW, {"extratags": [DNG_VERSION]})],
        [RAW],
        [(PREVIEW, {}), RAW],
        [(PREVIEW, {"subfiletype": 1}), RAW],
        [(PREVIEW, {"subfiletype": 1, "subifds": 1}), RAW],
    ],
)
def test_read_image_knows_a_raw_photograph(tmp_path, monkeypatch, pages):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    path = tmp_path / "a.nef"
    with tifffile.TiffWriter(path) as tiff:
        for values, options in pages:
            tiff.write(values, **options)
    with refuses("", path, "raw photograph", kind=ImageError):
        read_image(path)


def test_read_image_leaves_out_reduced_copies(tmp_path, caplog):
    path = str(tmp_path / "a.tif")
    large = np.kron(COLORS, np.ones((2, 2, 1))).astype(np.uint8)
    with tifffile.TiffWriter(path) as tiff:
        small = pictures.COLORS
        tiff.write(small, subfiletype=1, photometric="rgb")
        tiff.write(large, photometric="rgb", subifds=1)
        tiff.write(small, subfiletype=1, photometric="rgb")
    np.testing.assert_array_equal(read_image(path).pixels, large)
    assert not caplog.records


def test_read_image_says_what_it_cannot_read(tmp_path):
    values = scaled(np.dstack([COLORS] * 2), "f4")
    path = write(
        tmp_path, values, planarconfig="contig", photometric="minisblack"
    )
    with refuses("", path, "6 channels", kind=ImageError):
        read_image(path)


COMPRESSIONS = ("lzw", "packbits", "zstd", "lzma", "lerc", "png", "jpegxl")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_read_image_reads_every_compression(tmp_path, compression):
    path = write(tmp_path, scaled(COLORS, "u2"), compression=compression)
    error = difference(read_image(path), COLORS)
    assert error.max() <= (compression == "jpegxl")


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_a_saved_selection_is_no_alpha(tmp_path, dtype, planarconfig):
    values = scaled(np.dstack([COLORS, ALPHA]), dtype)
    if planarconfig == "separate":
        values = np.moveaxis(values, -1, 0).copy()
    path = write(
        tmp_path,
        values,
        photometric="rgb",
        planarconfig=planarconfig,
        extrasamples=["unspecified"],
    )
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, COLORS)
    assert picture.alpha is None


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("extra", ["unspecified", "unassalpha", None])
def test_read_image_reads_inks_and_says_that_it_guesses(tmp_path, dtype, extra):
    inks = np.dstack([255 - COLORS, np.zeros_like(GREY)])
    if extra:
        inks = np.dstack([inks, ALPHA])
    path = write(
        tmp_path,
        scaled(inks, dtype),
        photometric="separated",
        planarconfig="contig",
        extrasamples=[extra] if extra else None,
    )
    picture = read_image(path)
    np.testing.assert_array_equal(picture.pixels, COLORS)
    assert (picture.alpha is not None) == (extra == "unassalpha")
    (text,) = picture.warnings
    assert "CMYK without a colour profile" in text


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
def test_read_image_converts_lab_of_every_depth_and_layout(
    tmp_path, dtype, planarconfig
):
    source, target = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
    image = Image.fromarray(pictures.COLORS)
    lab = ImageCms.profileToProfile(image, source, target, outputMode="LAB")
    values = np.asarray(lab)  # a* and b* signed, as TIFF has them
    if dtype == "u2":
        signed = values[..., 1:].view(np.int8).astype(np.int16) * 256
        lightness = values[..., :1].astype(np.uint16) * 257
        values = np.dstack([lightness, signed.view(np.uint16)])
    if planarconfig == "separate":
        values = np.moveaxis(values, -1, 0).copy()
    path = write(
        tmp_path, values, photometric="cielab", planarconfig=planarconfig
    )
    error = difference(read_image(path), COLORS)
    assert error.mean() < 1.5  # a* and b* are rounded to whole numbers


def test_read_image_refuses_a_part_that_unpacks_to_more(tmp_path):
    bomb = hostile.make_tiff_bomb(zlib.compress(bytes(1 << 25)))
    with refuses("", "cannot be decoded", kind=ImageError):
        pictures.read(tmp_path, bomb)


@pytest.mark.parametrize("values", [GREY, COLORS], ids=["grey", "color"])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
@pytest.mark.parametrize(
    ("side", "is_taken"), [(2048, True), (2064, False), (65504, False)]
)
def test_read_image_refuses_tiles_that_are_larger_than_the_picture(
    tmp_path, values, dtype, side, is_taken
):
    levels = values.astype(dtype)
    path = write(tmp_path, levels, compression="zlib", tile=(64, 64))
    tile = zlib.compress(bytes(min(side, 2064) ** 2 * levels[0, 0].nbytes), 1)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        offset = tiff.filehandle.seek(0, 2)
        tiff.filehandle.write(tile)
        for name, value in {
            "TileWidth": side,
            "TileLength": side,
            "TileOffsets": offset,
            "TileByteCounts": len(tile),
        }.items():
            tiff.pages.first.tags[name].overwrite(value, dtype="I")
    if is_taken:
        assert read_image(path).pixels.shape == COLORS.shape
    else:
        with refuses("", path, "tiles that are larger", kind=ImageError):
            read_image(path)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("num_missing", [0, 500])
def test_read_image_says_that_a_tiff_without_its_table_is_cut_off(
    tmp_path, dtype, num_missing
):
    path = write(tmp_path, GREY.astype(dtype))
    content = bytearray(pathlib.Path(path).read_bytes())
    content[4:8] = len(content).to_bytes(4, "little")  # the table's place
    with refuses("", "damaged or cut off", kind=ImageError):
        pictures.read(tmp_path, content[: len(content) - num_missing])


def test_read_image_names_a_cut_file_of_deep_colour(tmp_path, capfd):
    path = write(tmp_path, scaled(COLORS, "f4"))
    content = pathlib.Path(path).read_bytes()
    with refuses("", "Fetch it again", kind=ImageError):
        pictures.read(tmp_path, content[:-4000])
    assert capfd.readouterr().err == ""


def test_read_image_converts_deep_colour_from_its_profile(tmp_path, caplog):
    tag = (34675, "B", 7, b"garbage", True)
    path = write(tmp_path, scaled(COLORS, "f4"), extratags=[tag])
    assert read_image(path).pixels.shape == COLORS.shape
    assert "an unusable colour profile" in caplog.text
    assert len(caplog.records) == 2  # and the range of the floats, once


def test_read_text_of_deep_colour_is_none(tmp_path):
    assert read_text(write(tmp_path, scaled(COLORS, "u2"))) is None
