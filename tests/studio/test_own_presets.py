"""Presets of users."""

import pytest

from tfstyle.errors import ConfigError
from tfstyle.errors import WriteError
from tfstyle.studio import dials
from tfstyle.studio import own_presets


def test_preset_is_kept_replaced_and_removed(tmp_path):
    root = str(tmp_path)
    assert own_presets.read(root) == dials.PRESETS
    own_presets.keep(root, "  wild  sea ", ["--seed=1"])
    own_presets.keep(root, "wild sea", ["--seed=2"])
    found = own_presets.read(root)
    assert found == dials.PRESETS | {"wild sea": ["--seed=2"]}
    assert dials.find_preset(["--seed=2"], found) == "wild sea"
    own_presets.remove(root, "wild sea")
    own_presets.remove(root, "Painting")
    assert own_presets.read(root) == dials.PRESETS


@pytest.mark.parametrize("name", ["", "  ", "Painting", 41 * "a"])
def test_name_that_cannot_be_used_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="A preset needs a name"):
        own_presets.keep(str(tmp_path), name, [])
    assert [*tmp_path.iterdir()] == []


def test_flags_that_are_invalid_or_name_files_are_left_out(tmp_path):
    path = tmp_path / own_presets.NAME
    path.write_text(
        '{"a": ["--seed=x"], "b": ["--init=/etc/passwd", "--seed=1"], "c": 1}'
    )
    found = own_presets.read(str(tmp_path))
    assert found == dials.PRESETS | {"b": ["--seed=1"]}


def test_file_of_another_kind_stays(tmp_path):
    path = tmp_path / own_presets.NAME
    path.write_text("mine")
    with pytest.raises(WriteError, match="not a file of presets"):
        own_presets.keep(str(tmp_path), "a", [])
    assert path.read_text() == "mine"
