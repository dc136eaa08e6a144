"""Numbers and names from bytes; behind the end are zeros."""

import pytest
import tensorflow as tf

from tfstyle.experiment import file_bytes


@pytest.fixture
def data():
    return tf.constant([1, 2, 3, 250], tf.uint8)


@pytest.mark.parametrize(
    ("position", "count", "big_endian", "expected"),
    [
        (0, 2, True, 0x0102),
        (0, 2, False, 0x0201),
        (0, 4, True, 0x010203FA),
        (3, 1, False, 250),
        (3, 2, True, 250 * 256),
        (3, 4, False, 250),
        (2**32, 4, True, 0),
    ],
)
def test_number_is_that_of_its_bytes(
    data, position, count, big_endian, expected
):
    found = file_bytes.number(data, position, count, big_endian)
    assert int(found) == expected


@pytest.mark.parametrize(
    ("position", "name", "expected"),
    [
        (1, b"\2\3", True),
        (1, b"\2\4", False),
        (3, b"\xfa\xfa", False),
        (9, b"\1", False),
    ],
)
def test_starts_compares_bytes(data, position, name, expected):
    assert bool(file_bytes.starts(data, position, name)) is expected
