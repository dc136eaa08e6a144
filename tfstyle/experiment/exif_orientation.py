"""The EXIF orientation of an image file, inside a TensorFlow graph.

A picture whose EXIF is damaged or missing is taken as it lies.

References:
    CIPA DC-008 (EXIF), 4.6.2 and 4.6.5; PNG, third edition, 11.3.4.5; WebP
    container specification.
"""

import tensorflow as tf

from tfstyle.experiment.file_bytes import number
from tfstyle.experiment.file_bytes import starts

TAG = 0x0112
_SHORT, _LONG = 3, 4
_ENTRY = 12  # bytes: tag 2, type 2, count 4, value 4
_MAX_PARTS = 100_000
"""Segments or chunks of a file; a damaged one must not take for ever."""


def read(data: tf.Tensor, kind: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Reads the orientation and whether the file has its end.

    Args:
        data: uint8 `[N]`, a file.
        kind: int32 scalar: 0 JPEG, 1 PNG, 4 WebP; others have no EXIF.

    Returns:
        The orientation, int64 scalar from 1 to 8, and a bool scalar.
    """

    def without():
        zero = tf.constant(0, tf.int64)
        return zero, zero, tf.constant(True)

    start, end, is_whole = tf.switch_case(
        kind,
        [
            lambda: _find_in_jpeg(data),
            lambda: _find_in_png(data),
            without,
            without,
            lambda: _find_in_webp(data),
        ],
    )
    start += 6 * tf.cast(starts(data, start, b"Exif\0\0"), tf.int64)
    return _parse(data[start : tf.maximum(start, end)]), is_whole


def turn_upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turns and mirrors pixels `[H, W, C]` by an orientation from 1 to 8."""

    def is_one_of(*values):
        return tf.reduce_any(orientation == tf.constant(values, tf.int64))

    pixels = tf.cond(
        orientation >= 5,
        lambda: tf.transpose(pixels, [1, 0, 2]),
        lambda: pixels,
    )
    pixels = tf.cond(
        is_one_of(3, 4, 7, 8), lambda: pixels[::-1], lambda: pixels
    )
    return tf.cond(
        is_one_of(2, 3, 6, 7), lambda: pixels[:, ::-1], lambda: pixels
    )


def _parse(exif: tf.Tensor) -> tf.Tensor:
    """Returns the orientation of EXIF bytes, 1 if there is none."""
    big = starts(exif, 0, b"MM\0*")
    is_exif = big | starts(exif, 0, b"II*\0")
    directory = number(exif, 4, 4, big)
    num_entries = number(exif, directory, 2, big)
    size = tf.size(exif, tf.int64)
    start = tf.minimum(directory + 2, size)
    room = (size - start) // _ENTRY
    stop = start + _ENTRY * tf.minimum(num_entries, room)
    entries = tf.cast(tf.reshape(exif[start:stop], [-1, _ENTRY]), tf.int64)

    def column(first, places):
        digits = entries[:, first : first + places]
        digits = tf.where(big, digits[:, ::-1], digits)
        powers = tf.constant([256**p for p in range(places)], tf.int64)
        return tf.reduce_sum(digits * powers, axis=1)

    kinds = column(2, 2)
    values = tf.where(kinds == _SHORT, column(8, 2), column(8, 4))
    is_number = (kinds == _SHORT) | (kinds == _LONG)
    is_orientation = (column(0, 2) == TAG) & is_number & (column(4, 4) == 1)
    is_orientation &= (values >= 1) & (values <= 8)
    found = tf.boolean_mask(values, is_orientation)
    last = tf.concat([tf.ones([1], tf.int64), found], axis=0)[-1]
    return tf.where(is_exif, last, tf.ones_like(last))


def _find_in_jpeg(data: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Walks the segments up to the scan; an end marker must come after it."""
    size = tf.size(data, tf.int64)

    def goes_on(position, start, end):
        del start, end
        marker = number(data, position + 1, 1)
        is_marker = starts(data, position, b"\xff")
        return is_marker & (marker != 0xDA) & (marker != 0xD9)

    def step(position, start, end):
        marker = number(data, position + 1, 1)
        length = number(data, position + 2, 2, True)
        is_exif = starts(data, position, b"\xff\xe1") & starts(
            data, position + 4, b"Exif\0\0"
        )
        is_first = is_exif & (start == 0)
        start = tf.where(is_first, position + 4, start)
        end = tf.where(is_first, position + 2 + length, end)
        advance = 2 + tf.maximum(length, 2)
        stands_alone = (marker == 0x01) | (marker & 0xF8 == 0xD0)
        advance = tf.where(stands_alone, tf.constant(2, tf.int64), advance)
        advance = tf.where(marker == 0xFF, tf.constant(1, tf.int64), advance)
        return tf.minimum(position + advance, size), start, end

    scan, start, end = _walk(goes_on, step, 2)
    rest = data[scan:]
    is_end = (rest[:-1] == 0xFF) & (rest[1:] == 0xD9)
    return start, tf.minimum(end, size), tf.reduce_any(is_end)


def _find_in_png(data: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Walks the chunks up to the last, IEND."""
    return _find_chunk(data, 8, b"eXIf", png=True)


def _find_in_webp(data: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Walks the chunks up to the file's end."""
    start, end, _ = _find_chunk(data, 12, b"EXIF", png=False)
    return start, end, number(data, 4, 4) + 8 <= tf.size(data, tf.int64)


def _find_chunk(
    data: tf.Tensor, first: int, name: bytes, png: bool
) -> tuple[tf.Tensor, ...]:
    """Finds a chunk of PNG or RIFF, and whether IEND was met."""
    size = tf.size(data, tf.int64)

    def goes_on(position, start, end):
        del start, end
        return (position < size) & ~starts(data, position + 4, b"IEND")

    def step(position, start, end):
        length = number(data, position + (0 if png else 4), 4, png)
        is_exif = starts(data, position + (4 if png else 0), name)
        start = tf.where(is_exif, position + 8, start)
        end = tf.where(is_exif, position + 8 + length, end)
        tail = 4 if png else length % 2  # checksum, or padding
        return tf.minimum(position + 8 + length + tail, size), start, end

    position, start, end = _walk(goes_on, step, first)
    return start, tf.minimum(end, size), position < size


def _walk(goes_on, step, first: int) -> tuple[tf.Tensor, ...]:
    """Returns the last position, and where EXIF starts and ends, or 0."""
    zero = tf.constant(0, tf.int64)
    return tf.while_loop(
        goes_on,
        step,
        (tf.constant(first, tf.int64), zero, zero),
        maximum_iterations=_MAX_PARTS,
    )
