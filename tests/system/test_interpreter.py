"""Which programs are a Python that children can run."""

import sys

import pytest

from tfstyle.system.interpreter import find_python


@pytest.mark.parametrize(
    ("path", "is_python"),
    [
        ("/usr/bin/python3", True),
        ("/opt/blender/4.2/python/bin/python3.11", True),
        ("C:/Python/python.exe", True),
        ("/opt/pypy/bin/pypy3", True),
        ("/usr/bin/krita", False),
        ("/opt/studio/paint", False),
        ("", False),
        (None, False),
    ],
)
def test_program_is_known_by_its_name(monkeypatch, path, is_python):
    monkeypatch.setattr(sys, "executable", path)
    assert find_python() == (path if is_python else None)


def test_frozen_program_is_none(monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert find_python() is None
