"""States in files."""

import os
import re
import types

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.errors import CheckpointError
from tfstyle.experiment import checkpoint
from tfstyle.experiment.checkpoint import Checkpoints
from tfstyle.experiment.checkpoint import read_checkpoint
from tfstyle.experiment.checkpoint import read_latest
from tfstyle.training.state import State


def make_state(step, generator):
    return State(
        {
            "steps": [step],
            "evaluations": step + 1,
            "total": [0.1 + 0.2],
            "optimizer": {"scale": [5e-324], "num_pairs": 1},
        },
        {
            "image": generator.normal(size=(1, 3, 4, 3)).astype(np.float32),
            "optimizer/0": np.array(7, np.int64),
        },
    )


def make_variable(shape):
    given = []
    return types.SimpleNamespace(shape=shape, assign=given.append, given=given)


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path)


@pytest.fixture
def save(folder, generator):
    """Returns a function that saves states of steps; it returns the path."""

    def save(*steps, path=None):
        checkpoints = Checkpoints(folder, {}, path)
        for step in steps:
            checkpoints(make_state(step, generator))
        return checkpoints.path

    return save


def test_state_comes_back_bit_for_bit(tmp_path, generator):
    state = make_state(3, generator)
    checkpoints = Checkpoints(str(tmp_path / "c"), {"flags": {"seed": "0"}})
    checkpoints(state)
    found = read_latest(str(tmp_path / "c"))
    assert found.path == checkpoints.path
    assert found.job == {"flags": {"seed": "0"}}
    assert found.state.numbers == state.numbers
    assert set(found.state.arrays) == set(state.arrays)
    with np.load(found.path) as file:  # NumPy reads it as well
        for name, array in state.arrays.items():
            assert found.state.arrays[name].dtype == array.dtype
            np.testing.assert_array_equal(found.state.arrays[name], array)
            np.testing.assert_array_equal(file[name], array)
    part = found.state.part("optimizer")
    assert part.integer("num_pairs", 0, 5) == 1
    assert part.reals("scale", 1) == [5e-324]
    variable = make_variable(())
    part.restore("0", variable)
    assert variable.given == [7]


def test_the_last_two_are_kept_by_evaluations(tmp_path, folder, save):
    (tmp_path / "notes.npz").write_text("of the user")
    save(0, 999_999, 1_000_000, 12_345_678)
    assert sorted(os.listdir(folder)) == [
        "notes.npz",
        "step_1000000_evaluation_1000001.npz",
        "step_12345678_evaluation_12345679.npz",
    ]
    assert read_latest(folder).state.numbers["steps"] == [12_345_678]


def test_state_that_the_run_goes_on_from_is_not_written_again(tmp_path, save):
    path = save(3)
    (file,) = tmp_path.iterdir()
    before = file.read_bytes()
    save(3, path=path)
    assert file.read_bytes() == before


def test_damaged_ones_of_later_steps_go_and_whole_ones_stay(
    tmp_path, folder, save
):
    path = save(1, 2)
    for step in (7, 9):
        name = f"step_{step:06}_evaluation_{step + 1:07}.npz"
        (tmp_path / name).write_text("damaged")
    assert read_latest(folder).path == path
    save(3, path=path)
    assert sorted(os.listdir(folder)) == [
        "step_000002_evaluation_0000003.npz",
        "step_000003_evaluation_0000004.npz",
    ]
    assert read_latest(folder).state.numbers["steps"] == [3]


def test_empty_or_absent_folder_holds_none(folder):
    assert read_latest(folder) is None
    assert read_latest(f"{folder}/absent") is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_the_one_before_a_damaged_one_is_taken(folder, save, share, caplog):
    older = save(1)
    newer = save(2)
    os.truncate(newer, int(os.path.getsize(newer) * share))
    assert read_latest(folder).path == older
    (record,) = caplog.records
    assert re.search(r"_0000003.npz' is damaged", record.getMessage())


def test_one_flipped_bit_is_found(folder, save):
    path = save(1)
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        data[data.index(b"\x93NUMPY") + 200] ^= 1
        file.seek(0)
        file.write(data)
    with pytest.raises(CheckpointError, match="damaged"):
        read_checkpoint(path)
    with refuses("", folder, "--resume=restart", kind=CheckpointError):
        read_latest(folder)


def test_another_format_is_refused(save, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    path = save(1)
    monkeypatch.undo()
    with refuses("", "format 1", "Received: 2", kind=CheckpointError):
        read_checkpoint(path)


def test_array_of_another_shape_is_refused(folder, save):
    save(1)
    state = read_latest(folder).state
    variable = make_variable((1, 3, 5, 3))
    shapes = "[1, 3, 5, 3]", "[1, 3, 4, 3]"
    with refuses("", "image", *shapes, kind=CheckpointError):
        state.restore("image", variable)
    with refuses("", "sum", "nothing", kind=CheckpointError):
        state.restore("sum", variable)
    assert variable.given == []


def test_failed_writing_leaves_the_one_before(folder, save, generator):
    save(1)
    before = os.listdir(folder)
    state = make_state(2, generator)
    state.arrays["broken"] = np.array([object()])
    with pytest.raises(ValueError, match="pickle"):
        Checkpoints(folder, {})(state)
    assert os.listdir(folder) == before
    assert read_latest(folder).state.numbers["steps"] == [1]
