"""Expected errors have one base class; all others are bugs."""

import builtins
import importlib
import inspect
import pkgutil

import pytest
import tensorflow as tf

import tfstyle
from tfstyle import errors
from tfstyle import main
from tfstyle.errors import ConfigError
from tfstyle.system.out_of_memory import raising_out_of_memory_errors
from tools import list_messages


def test_every_error_of_ours_is_an_expected_one():
    found = set()
    for module in pkgutil.walk_packages(tfstyle.__path__, "tfstyle."):
        try:
            members = inspect.getmembers(importlib.import_module(module.name))
        except ModuleNotFoundError as error:
            if error.name not in ("fastapi", "gradio"):
                raise
            continue  # the studio's environment has them
        found |= {x for _, x in members if inspect.isclass(x)}
    ours = [
        x
        for x in found
        if issubclass(x, Exception) and x.__module__.startswith("tfstyle.")
    ]
    assert len(ours) > 10
    assert all(issubclass(x, errors.TfstyleError) for x in ours)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("`seed` is wrong."), 2),
        (errors.WriteError(28, "No space left on device", "a.png"), 1),
        (MemoryError("so many bytes"), 1),
        (tf.errors.ResourceExhaustedError(None, None, "so many bytes"), 1),
        (tf.errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY"), 1),
        (ImportError("a.so: failed to map segment from shared object"), 1),
        (ImportError("a.so: cannot allocate memory in static TLS block"), 1),
        (OSError(12, "Cannot allocate memory"), 1),
        (RuntimeError("can't start new thread"), 1),
    ],
)
def test_expected_error_is_one_line_and_a_status(error, status, capsys):
    def fail():
        raise error

    assert main.run_expecting_errors(fail) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "No such file"),
        KeyError(""),
        ValueError("out of memory"),
        RuntimeError(),
        ImportError("No module named 'a'"),
        tf.errors.InternalError(None, None, "no such kernel"),
    ],
)
def test_any_other_error_keeps_its_traceback(error):
    def fail():
        raise error

    with pytest.raises(type(error)):
        main.run_expecting_errors(fail)


def test_lack_of_memory_says_what_was_refused_and_a_remedy():
    text = "In WinogradConv2D OOM when allocating tensor with shape[9,9] and"
    error = tf.errors.ResourceExhaustedError(None, None, text)
    with (
        pytest.raises(
            errors.OutOfMemoryError,
            match=r"^There is not enough memory \(OOM when allocating tensor"
            r" with shape\[9,9\]\)\. Give less\.$",
        ),
        raising_out_of_memory_errors("Give less."),
    ):
        raise error


def test_one_line_cannot_steer_a_terminal():
    assert errors.one_line("a\n b\x1b[2Jc") == r"a b\x1b[2Jc"
    assert len(errors.one_line("a" * 1000)) == errors.LONGEST


def test_every_message_is_made_of_sentences():
    messages = [
        (place, text)
        for place, name, text in list_messages.find_messages()
        if not hasattr(builtins, name)  # the reasons that a message quotes
    ]
    assert len(messages) > 100
    for place, text in messages:
        assert text.endswith((".", "{}")), place
        assert not set("!\n") & set(text), place
        assert "please" not in text.lower(), place


def test_escape_controls_leaves_letters_of_all_kinds():
    text = "a\u202fb\u00a0\u65b0\u3000\u200d\u00ad \U0001f468\n\tend"
    assert errors.escape_controls(text) == text
    hostile = errors.escape_controls("a\x1b[2J\x9b\r\u202eb\u2067\0")
    assert hostile == r"a\x1b[2J\x9b\r\u202eb\u2067\x00"
