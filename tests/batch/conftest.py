"""Fixtures of runs and batches."""

import pytest

from tfstyle.batch.manifest import read_manifest


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Returns a function that reads a text or bytes as a manifest."""
    monkeypatch.chdir(tmp_path)

    def read(content, name="jobs.csv"):
        data = content if isinstance(content, bytes) else content.encode()
        (tmp_path / name).write_bytes(data)
        return read_manifest(name)

    return read
