"""What is said of a run's memory, before it and if it does not suffice."""

import math
import re

import pytest

from tests.training.test_memory import GB
from tests.training.test_memory import needed
from tests.training.test_memory import resolved
from tfstyle.errors import OutOfMemoryError
from tfstyle.training import memory_advice


@pytest.fixture(name="free")
def set_free(monkeypatch):
    """Returns a function that sets the free memory."""

    def set_bytes(free):
        monkeypatch.setattr(
            memory_advice, "free_for_run", lambda _, with_swap=False: free
        )

    return set_bytes


def read_flags(text):
    """Returns the two alternatives that a sentence names, as fields."""
    match = re.fullmatch(
        r".*Give (--.*) \(\d+\.\d GB\) or (--image_size=\d+) \(.*\)\.", text
    )
    return [
        dict(flag[2:].split("=") for flag in group.split())
        for group in match.groups()
    ]


def test_scarce_memory_is_warned_of_with_flags_that_fit(free, caplog, tmp_path):
    free(8 * GB)
    caplog.set_level("INFO", logger="absl")
    memory_advice.log_needs(resolved(), 4096, 4096, str(tmp_path))
    need, warning = (record.getMessage() for record in caplog.records[:2])
    assert re.match(
        r"Needs about \d+\.\d GB of memory, 8.0 GB are free; 17 GB of disk,",
        need,
    )
    assert warning.startswith("warning: memory may not suffice. Give --")
    fields, smaller = read_flags(warning)
    assert set(fields) == {"tile_size", "num_correction_pairs"}
    assert needed(**fields) <= 0.8 * 8 * GB
    side = int(smaller["image_size"])
    assert needed(side) <= 0.8 * 8 * GB < needed(side + 32)


def test_enough_memory_is_said_in_one_line(free, caplog, tmp_path):
    free(math.inf)
    caplog.set_level("INFO", logger="absl")
    memory_advice.log_needs(resolved(), 64, 64, str(tmp_path))
    (record,) = caplog.records
    assert "GB of memory, free: unknown; " in record.getMessage()


def test_choices_for_lack_of_memory_are_logged(free, caplog, tmp_path):
    free(math.inf)
    caplog.set_level("INFO", logger="absl")
    config = resolved(tile_size=512, num_correction_pairs=5)
    memory_advice.log_needs(config, 64, 64, str(tmp_path))
    lines = [record.getMessage() for record in caplog.records]
    assert lines[1:] == [
        "Evaluates in tiles of 512 pixels",
        "L-BFGS keeps 5 correction pairs",
    ]


def test_run_that_cannot_fit_is_refused(free):
    need = needed()
    free(0.51 * need)
    memory_advice.check_memory(resolved(), 4096, 4096)
    free(0.49 * need)
    with pytest.raises(OutOfMemoryError) as raised:
        memory_advice.check_memory(resolved(), 4096, 4096)
    assert "for 4096x4096 pixels: they need about" in str(raised.value)
    fields, _ = read_flags(str(raised.value))
    assert needed(**fields) <= 0.8 * 0.49 * need


@pytest.mark.parametrize(
    ("fields", "can_cut"), [({"precision": "mixed_float16"}, True), ({}, False)]
)
def test_advice_has_no_tiles_for_what_needs_the_whole_frame(fields, can_cut):
    text = memory_advice.advise(
        resolved(**fields), 1024, 1024, 1, 5 * GB, can_cut
    )
    assert "tile_size" not in text
    assert "--num_correction_pairs=10 " in text


def test_advice_names_no_flag_where_none_helps():
    text = memory_advice.advise(resolved(), 512, 512, 1, 0)
    assert text.startswith("End other programs")


def test_run_that_lacked_memory_is_told_flags_that_need_half(free):
    free(math.inf)
    config = resolved(tile_size=1024)
    with (
        pytest.raises(OutOfMemoryError) as raised,
        memory_advice.naming_flags_that_fit(config, 4096, 4096),
    ):
        raise MemoryError("so many bytes")
    fields, _ = read_flags(str(raised.value))
    assert "tile_size" in fields or "num_correction_pairs" in fields
    assert needed(**{"tile_size": 1024} | fields) <= 0.55 * needed(
        tile_size=1024
    )
