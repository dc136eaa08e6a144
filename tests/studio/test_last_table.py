"""The file of the last table."""

import pytest

from tfstyle.errors import WriteError
from tfstyle.studio import last_table


def test_table_is_read_again(tmp_path):
    root, path = str(tmp_path), tmp_path / "table.json"
    last_table.check(root)
    assert last_table.read(root) == []
    rows = [["a.jpg", "b.jpg", "1"]]
    last_table.write(root, rows)
    assert last_table.read(root) == rows
    last_table.check(root)
    for other in ("[", '{"a": 1}', "[1]"):
        path.write_text(other)
        assert last_table.read(root) == []
        with pytest.raises(WriteError, match=r"table\.json"):
            last_table.check(root)
