"""What tests hold of an error: its class, its field, what was received."""

import contextlib

import pytest

from tfstyle.errors import ConfigError


@contextlib.contextmanager
def refuses(field, *data, kind=ConfigError):
    """Expects an error of a kind that names a field and some data."""
    with pytest.raises(kind) as caught:
        yield caught
    error = caught.value
    assert error.field == field, str(error)
    for datum in data:
        assert str(datum) in str(error)
