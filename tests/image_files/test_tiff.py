"""TIFF files of deep colour, which Pillow alone does not read."""

import itertools
import zlib

import numpy as np
import pytest
import tifffile

from tests import hostile
from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text

Y, X = np.mgrid[:40, :50]
COLORS = np.stack([X * 5, Y * 6, 255 - X * 2 - Y * 3], -1)
COLORS[0, :2] = [[0, 0, 0], [255, 255, 255]]
GREY = COLORS[..., 0]
DNG_VERSION = (50706, "B", 4, b"\1\4\0\0", True)


def write(tmp_path, values, **options):
    path = str(tmp_path / "a.tif")
    is_color = values.ndim == 3
    options.setdefault("photometric", "rgb" if is_color else "minisblack")
    tifffile.imwrite(path, values, **options)
    return path


def as_rgb(values):
    return values if values.ndim == 3 else np.dstack([values] * 3)


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
    difference = np.abs(picture.pixels.astype(int) - as_rgb(values))
    assert difference.max() <= (dtype in ("u2", "f2"))
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
    np.testing.assert_array_equal(read_image(path).pixels, as_rgb(255 - GREY))


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [("u2", "unassalpha"), ("f4", "unassalpha"), ("f4", "assocalpha")],
)
@pytest.mark.parametrize("num_colors", [1, 3])
def test_read_image_keeps_the_alpha_and_divides_by_it_if_it_is_associated(
    tmp_path, dtype, kind, num_colors
):
    colors, alpha = COLORS[..., :num_colors], X * 5
    is_multiplied = kind == "assocalpha"
    if is_multiplied:
        colors = colors * (alpha / 255)[..., np.newaxis]
    path = write(
        tmp_path,
        scaled(np.dstack([colors, alpha]), dtype),
        photometric="rgb" if num_colors == 3 else "minisblack",
        planarconfig="contig",
        extrasamples=[kind],
    )
    picture = read_image(path)
    np.testing.assert_array_equal(picture.alpha, alpha)
    expected = COLORS if num_colors == 3 else as_rgb(GREY)
    difference = np.abs(picture.pixels.astype(int) - expected)
    is_seen = 30 * is_multiplied < X
    assert difference[is_seen].max() <= 2 * is_multiplied  # of 8 bits, divided


def test_read_image_checks_the_pixels_of_deep_colour_first(
    tmp_path, monkeypatch
):
    path = write(tmp_path, scaled(COLORS, "f4"))
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda _: 1 / 0)
    with refuses("", path, 1999, "50x40", kind=ImageError):
        read_image(path, 1999)


@pytest.mark.parametrize(("subfile_type", "is_raw"), [(1, True), (0, False)])
def test_read_image_refuses_the_preview_of_a_raw_photograph(
    tmp_path, subfile_type, is_raw
):
    path = str(tmp_path / "a.nef")
    with tifffile.TiffWriter(path) as tiff:
        small = GREY.astype(np.uint8)
        tiff.write(small, subfiletype=subfile_type, subifds=1)
        tiff.write(np.zeros((80, 100), np.uint16), photometric="cfa")
    if is_raw:
        with refuses("", path, "raw photograph", kind=ImageError):
            read_image(path)
    else:  # a smaller copy, as Photoshop adds one
        np.testing.assert_array_equal(read_image(path).pixels, as_rgb(GREY))


IS_DNG = {"extratags": [DNG_VERSION]}
SIX = np.dstack([COLORS] * 2)


@pytest.mark.parametrize(
    ("values", "dtype", "options", "reason"),
    [
        (GREY, "u1", IS_DNG, "raw photograph"),
        (GREY, "u2", IS_DNG, "raw photograph"),
        (GREY, "u1", {"photometric": "cfa"}, "raw photograph"),
        (GREY, "u2", {"photometric": "cfa"}, "raw photograph"),
        (SIX, "f4", {"photometric": "minisblack"}, "channels"),
        (COLORS, "f4", {"compression": "lzma"}, "compression"),
    ],
)
def test_read_image_says_what_it_cannot_read(
    tmp_path, values, dtype, options, reason
):
    levels = scaled(values, dtype)
    path = write(tmp_path, levels, planarconfig="contig", **options)
    with refuses("", path, reason, kind=ImageError):
        read_image(path)


def test_read_image_refuses_a_part_that_unpacks_to_more(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(hostile.make_tiff_bomb(zlib.compress(bytes(1 << 25))))
    with refuses("", path, "unpacks to more", kind=ImageError):
        read_image(str(path))


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
        assert read_image(path).pixels.shape == (40, 50, 3)
    else:
        with refuses("", path, "tiles are larger", kind=ImageError):
            read_image(path)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("num_missing", [0, 500])
def test_read_image_says_that_a_tiff_without_its_table_is_cut_off(
    tmp_path, dtype, num_missing
):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY.astype(dtype))
    content = bytearray(path.read_bytes())
    content[4:8] = len(content).to_bytes(4, "little")  # the table's place
    path.write_bytes(content[: len(content) - num_missing])
    with refuses("", path, "it is cut off", kind=ImageError):
        read_image(str(path))


def test_read_image_names_a_cut_file_of_deep_colour(tmp_path, capfd):
    path = tmp_path / "a.tif"
    write(tmp_path, scaled(COLORS, "f4"))
    path.write_bytes(path.read_bytes()[:-4000])
    with refuses("", path, "Fetch it again", kind=ImageError):
        read_image(str(path))
    assert capfd.readouterr().err == ""


def test_read_image_converts_deep_colour_from_its_profile(tmp_path, caplog):
    tag = (34675, "B", 7, b"garbage", True)
    path = write(tmp_path, scaled(COLORS, "f4"), extratags=[tag])
    assert read_image(path).pixels.shape == (40, 50, 3)
    assert "profile is unusable" in caplog.records[-1].getMessage()


def test_read_text_of_deep_colour_is_none(tmp_path):
    assert read_text(write(tmp_path, scaled(COLORS, "u2"))) is None
