"""TIFF files of deep colour, which Pillow alone does not read."""

import io
import itertools
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

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
)


@pytest.mark.parametrize(
    ("dtype", "options"),
    [
        *itertools.product(("u2", "f4"), LAYOUTS),
        ("u2", {"compression": "zlib", "predictor": 2}),
    ],
)
def test_read_image_reads_every_layout(tmp_path, dtype, options):
    levels = (COLORS * (257 if dtype == "u2" else 1 / 255)).astype(dtype)
    picture = read_image(write(tmp_path, levels, **options))
    np.testing.assert_array_equal(picture.pixels, COLORS)


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_read_image_keeps_planes_apart(tmp_path, dtype):
    levels = (COLORS * (257 if dtype == "u2" else 1 / 255)).astype(dtype)
    planes = np.moveaxis(levels, -1, 0).copy()
    path = write(tmp_path, planes, planarconfig="separate")
    np.testing.assert_array_equal(read_image(path).pixels, COLORS)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_read_image_turns_white_is_zero_round(tmp_path, dtype):
    levels = (GREY * (1 if dtype == "u1" else 257)).astype(dtype)
    path = write(tmp_path, levels, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(path).pixels, as_rgb(255 - GREY))


@pytest.mark.parametrize("dtype", ["u2", "f4"])
@pytest.mark.parametrize("num_colors", [1, 3])
def test_read_image_keeps_the_alpha(tmp_path, dtype, num_colors):
    levels = np.dstack([COLORS[..., :num_colors], X * 5])
    path = write(
        tmp_path,
        (levels * (257 if dtype == "u2" else 1 / 255)).astype(dtype),
        photometric="rgb" if num_colors == 3 else "minisblack",
        planarconfig="contig",
        extrasamples=["unassalpha"],
    )
    picture = read_image(path)
    np.testing.assert_array_equal(picture.alpha, X * 5)
    expected = COLORS if num_colors == 3 else as_rgb(GREY)
    np.testing.assert_array_equal(picture.pixels, expected)


@pytest.mark.parametrize("num_colors", [1, 3])
def test_read_image_divides_by_an_alpha_that_colours_are_multiplied_with(
    tmp_path, num_colors
):
    alpha = (X * 5 / 255)[..., np.newaxis]
    colors = COLORS[..., :num_colors] / 255
    path = write(
        tmp_path,
        np.dstack([colors * alpha, alpha]).astype(np.float32),
        photometric="rgb" if num_colors == 3 else "minisblack",
        planarconfig="contig",
        extrasamples=["assocalpha"],
    )
    picture = read_image(path)
    np.testing.assert_array_equal(picture.alpha, X * 5)
    is_seen = X > 30
    expected = COLORS if num_colors == 3 else as_rgb(GREY)
    difference = picture.pixels.astype(int) - expected
    assert np.abs(difference[is_seen]).max() <= 2  # of 8 bits, divided


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_read_image_turns_deep_colour_upright(tmp_path, dtype):
    levels = (COLORS * (257 if dtype == "u2" else 1 / 255)).astype(dtype)
    path = write(tmp_path, levels, extratags=[(274, "H", 1, 6, True)])
    expected = np.rot90(COLORS, -1)
    np.testing.assert_array_equal(read_image(path).pixels, expected)


def test_read_image_takes_deep_colour_by_the_bits_in_use(tmp_path, caplog):
    path = write(tmp_path, (COLORS * 4095 // 255).astype(np.uint16))
    picture = read_image(path)
    assert np.abs(picture.pixels.astype(int) - COLORS).max() <= 1
    (record,) = caplog.records
    assert "levels reach 4095 only; read as 12 bits" in record.getMessage()


def test_read_image_checks_the_pixels_of_deep_colour_first(
    tmp_path, monkeypatch
):
    path = write(tmp_path, (COLORS / 255).astype(np.float32))
    monkeypatch.setattr(tifffile.TiffPage, "asarray", lambda _: 1 / 0)
    with pytest.raises(ImageError, match="at most 1999 pixels"):
        read_image(path, 1999)


@pytest.mark.parametrize(
    "options",
    [{"extratags": [DNG_VERSION]}, {"photometric": "cfa"}],
    ids=["dng", "sensor"],
)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_read_image_refuses_a_raw_photograph(tmp_path, dtype, options):
    path = write(tmp_path, GREY.astype(dtype), **options)
    with pytest.raises(ImageError, match=r"raw photograph\. Develop it"):
        read_image(path)


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
        with pytest.raises(ImageError, match="raw photograph"):
            read_image(path)
    else:  # a smaller copy, as Photoshop adds one
        np.testing.assert_array_equal(read_image(path).pixels, as_rgb(GREY))


@pytest.mark.parametrize(
    ("values", "options", "text"),
    [
        (np.dstack([COLORS] * 2), {"photometric": "minisblack"}, "channels"),
        (COLORS, {"compression": "lzma"}, "unusual compression. Save it"),
    ],
)
def test_read_image_says_what_it_cannot_read(tmp_path, values, options, text):
    levels = (values / 255).astype(np.float32)
    path = write(tmp_path, levels, planarconfig="contig", **options)
    with pytest.raises(ImageError, match=text):
        read_image(path)


def test_read_image_refuses_a_part_that_unpacks_to_more(tmp_path):
    levels = (COLORS / 255).astype(np.float32)
    path = write(tmp_path, levels, compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        page = tiff.pages.first
        size = page.databytecounts[0]
        bomb = zlib.compress(bytes(1 << 20))
        assert len(bomb) < size
        tiff.filehandle.seek(page.dataoffsets[0])
        tiff.filehandle.write(bomb)
    with pytest.raises(ImageError, match="unpacks to more than its pixels"):
        read_image(path)


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
        tags = tiff.pages.first.tags
        offset = tiff.filehandle.seek(0, 2)
        tiff.filehandle.write(tile)
        for name, value in {
            "TileWidth": side,
            "TileLength": side,
            "TileOffsets": offset,
            "TileByteCounts": len(tile),
        }.items():
            tags[name].overwrite(value, dtype="I")
    if is_taken:
        assert read_image(path).pixels.shape == (40, 50, 3)
    else:
        with pytest.raises(ImageError, match="tiles are larger than the pic"):
            read_image(path)


def test_read_image_says_that_a_file_without_its_end_is_cut_off(tmp_path):
    path = tmp_path / "a.tif"
    Image.fromarray(COLORS.astype(np.uint8)).save(path, compression="tiff_lzw")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ImageError, match=r"decoded \(it is cut off\)"):
        read_image(str(path))


def test_read_image_names_a_cut_file_of_deep_colour(tmp_path, capfd):
    path = tmp_path / "a.tif"
    write(tmp_path, (COLORS / 255).astype(np.float32))
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(ImageError, match=r"decoded \(.*Fetch it again"):
        read_image(str(path))
    assert capfd.readouterr().err == ""


def test_read_image_converts_deep_colour_from_its_profile(tmp_path, caplog):
    levels = (COLORS / 255).astype(np.float32)
    tag = (34675, "B", 7, b"garbage", True)
    path = write(tmp_path, levels, extratags=[tag])
    assert read_image(path).pixels.shape == (40, 50, 3)
    assert "profile is unusable" in caplog.records[-1].getMessage()


def test_read_text_of_deep_colour_is_an_error_or_none(tmp_path):
    path = write(tmp_path, (COLORS * 257).astype(np.uint16))
    assert read_text(path) is None
    Image.open(path).close()


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_read_image_says_that_a_tiff_without_its_table_is_cut_off(
    tmp_path, dtype
):
    file = io.BytesIO()
    tifffile.imwrite(file, GREY.astype(dtype))
    content = bytearray(file.getvalue())
    content[4:8] = len(content).to_bytes(4, "little")  # the table's place
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"a\.tif' cannot.*it is cut off"):
        read_image(str(path))
