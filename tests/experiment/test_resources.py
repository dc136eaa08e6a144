"""Estimates in the log, and advice if memory does not suffice."""

import dataclasses
import math
import re

import numpy as np
import pytest

from tests.training import test_memory
from tests.training.test_memory import GB
from tests.training.test_memory import ONEDNN
from tests.training.test_memory import resolved
from tfstyle.errors import OutOfMemoryError
from tfstyle.experiment import resources
from tfstyle.images.image_set import ImageSet
from tfstyle.training.plan import make_plan


def plan(side=4096, free=math.inf, can_cut=True, **fields):
    """Returns the plan of a square output."""
    images = ImageSet.of_arrays(None, [np.zeros((side, side, 3), np.uint8)])
    made = make_plan(
        resolved(image_size=0, padding="zero", **fields),
        images,
        dataclasses.replace(ONEDNN, memory=free),
    )
    return dataclasses.replace(made, can_cut=made.can_cut and can_cut)


def needed(side=4096, **fields):
    return test_memory.needed(side, padding="zero", **fields)


def read_flags(text):
    """Returns the two alternatives that a sentence names, as fields."""
    match = re.fullmatch(
        r".*Give (--.*) \(\d+\.\d GB\) or (--image_size=\d+) \(.*\)\.", text
    )
    return [
        dict(flag[2:].split("=") for flag in group.split())
        for group in match.groups()
    ]


def test_scarce_memory_is_warned_of_with_flags_that_fit(caplog, tmp_path):
    caplog.set_level("INFO", logger="absl")
    resources.log_needs(plan(free=8 * GB), str(tmp_path))
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


def test_enough_memory_is_said_in_one_line(caplog, tmp_path):
    caplog.set_level("INFO", logger="absl")
    resources.log_needs(plan(64), str(tmp_path))
    (record,) = caplog.records
    assert "GB of memory, free: unknown; " in record.getMessage()


def test_choices_for_lack_of_memory_are_logged(caplog, tmp_path):
    caplog.set_level("INFO", logger="absl")
    small = plan(64, tile_size=512, num_correction_pairs=5)
    resources.log_needs(small, str(tmp_path))
    lines = [record.getMessage() for record in caplog.records]
    assert lines[1:] == [
        "Evaluates in tiles of 512 pixels",
        "L-BFGS keeps 5 correction pairs",
    ]


def test_run_that_cannot_fit_is_refused():
    need = needed()
    resources.check_memory(plan(free=0.51 * need))
    with pytest.raises(OutOfMemoryError) as raised:
        resources.check_memory(plan(free=0.49 * need))
    assert "for 4096x4096 pixels: they need about" in str(raised.value)
    fields, _ = read_flags(str(raised.value))
    assert needed(**fields) <= 0.8 * 0.49 * need


@pytest.mark.parametrize(
    ("fields", "can_cut"), [({"precision": "mixed_float16"}, True), ({}, False)]
)
def test_advice_has_no_tiles_for_what_needs_the_whole_frame(fields, can_cut):
    text = resources.advise(plan(1024, can_cut=can_cut, **fields), 5 * GB)
    assert "tile_size" not in text
    assert "--num_correction_pairs=10 " in text


def test_advice_names_no_flag_where_none_helps():
    text = resources.advise(plan(512), 0)
    assert "--" not in text


def test_run_that_lacked_memory_is_told_flags_that_need_half():
    with (
        pytest.raises(OutOfMemoryError) as raised,
        resources.naming_flags_that_fit(plan(tile_size=1024)),
    ):
        raise MemoryError("so many bytes")
    fields, _ = read_flags(str(raised.value))
    assert "tile_size" in fields or "num_correction_pairs" in fields
    assert needed(**{"tile_size": 1024} | fields) <= 0.55 * needed(
        tile_size=1024
    )


def test_checkpoints_need_disk():
    def disk(**fields):
        return resources.estimate_disk(plan(**fields))

    assert disk() == pytest.approx(2 * 41 * 4096**2 * 12, rel=0.02)
    assert disk(optimizer="adam") == pytest.approx(
        2 * 3 * 4096**2 * 12, rel=0.1
    )
    assert disk(checkpoint_every_seconds=0) < 0.2 * GB
