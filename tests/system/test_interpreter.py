"""Which programs are a Python that children can run, and how they end."""

import sys

import pytest

from tfstyle.errors import SetupError
from tfstyle.system.interpreter import describe_end
from tfstyle.system.interpreter import start_python


def test_python_is_started():
    child = start_python(["-c", "exit(3)"])
    assert child.wait() == 3


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/opt/krita", "needs a Python interpreter, which '/opt/krita'"),
        (
            "/opt/python9",
            "cannot be started .No such file or directory",
        ),
    ],
)
def test_python_that_cannot_be_started_is_an_error(monkeypatch, path, text):
    monkeypatch.setattr(sys, "executable", path)
    with pytest.raises(SetupError, match=text):
        start_python(["-c", ""])


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (-9, "was killed, as the system does for lack of memory"),
        (-11, "was ended by SIGSEGV"),
        (127, "could not be started (status 127)"),
        (2, "ended with status 2"),
    ],
)
def test_each_end_has_its_words(status, text):
    assert describe_end(status) == text
