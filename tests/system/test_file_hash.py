"""Hashes of files, against those of their bytes at once."""

import hashlib

import pytest

from tfstyle.system import file_hash


@pytest.mark.parametrize("size", [0, 1, 3, 4, 9])
def test_hash_file_is_of_all_blocks(tmp_path, monkeypatch, size):
    monkeypatch.setattr(file_hash, "_BLOCK", 4)
    data = bytes(range(size))
    (tmp_path / "a").write_bytes(data)
    expected = hashlib.sha256(data).hexdigest()
    assert file_hash.hash_file(str(tmp_path / "a")) == expected
