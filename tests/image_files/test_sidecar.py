"""Records beside pictures, and texts that a format cannot hold."""

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files import reading as image_files
from tfstyle.image_files import sidecar
from tfstyle.image_files.writing import write_image

PIXELS = np.arange(20 * 24 * 3).reshape(20, 24, 3).astype(np.uint8)
TEXT = "how it was made: \u00fc\n"


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_record_is_read_where_a_picture_says_nothing(tmp_path, ending):
    path = str(tmp_path / f"a{ending}")
    write_image(path, PIXELS, record=TEXT)
    assert image_files.read_text(path) is None
    assert sidecar.read_text(path).startswith(TEXT)
    data = (tmp_path / f"a{ending}").read_bytes()
    assert b"how it was made" not in data
    assert b"h\0o\0w" not in data


def test_record_is_believed_beside_no_other_picture(tmp_path):
    path, place = str(tmp_path / "a.png"), tmp_path / "a.png.cfg"
    write_image(path, PIXELS, record=TEXT)
    record = place.read_bytes()
    write_image(path, 255 - PIXELS)
    assert not place.exists()
    place.write_bytes(record)
    assert sidecar.read_text(path) is None
    write_image(path, PIXELS)
    place.write_bytes(record)
    assert sidecar.read_text(path).startswith(TEXT)


def test_text_inside_a_picture_counts_before_a_record(tmp_path):
    path = str(tmp_path / "a.png")
    write_image(path, PIXELS, text="inside", record=TEXT)
    assert sidecar.read_text(path) == "inside"


def test_file_that_is_no_record_of_the_picture_stays_as_it_is(tmp_path):
    path, record = tmp_path / "a.png", tmp_path / "a.png.cfg"
    write_image(path, PIXELS, record=TEXT)
    of_first = record.read_text()
    write_image(path, 255 - PIXELS)
    for text in (of_first, of_first + "my notes\n", "mine"):
        record.write_text(text)
        write_image(path, PIXELS // 2, text="inside")
        assert record.read_text() == text
    before = path.read_bytes()
    with refuses("", record, kind=ImageError):
        write_image(path, 255 - PIXELS, record=TEXT)
    assert record.read_text() == text
    assert path.read_bytes() == before


def test_longer_file_is_no_record(tmp_path, monkeypatch):
    path = str(tmp_path / "a.png")
    write_image(path, PIXELS, record=TEXT)
    record = tmp_path / "a.png.cfg"
    size = record.stat().st_size
    monkeypatch.setattr(sidecar, "MAX_RECORD", size)
    assert sidecar.read_text(path).startswith(TEXT)
    record.write_text("#" + record.read_text())
    assert sidecar.read_text(path) is None
    assert sidecar.find_record(path) is None


@pytest.mark.parametrize("letter", ["a", "\u00fc"])
def test_text_that_is_too_long_for_a_jpeg_is_beside_it(
    tmp_path, letter, caplog
):
    path = str(tmp_path / "a.jpg")
    write_image(path, PIXELS, text=letter * 30000)
    assert image_files.read_text(path) == letter * 30000
    write_image(path, PIXELS, text=letter * 70000)
    assert f"{path}.cfg" in caplog.text
    assert image_files.read_text(path) is None
    assert sidecar.read_text(path).startswith(letter * 70000)
