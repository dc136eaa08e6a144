"""Reads Caffe's `.caffemodel` files.

Such a file is a protocol buffer. Of its fields only names and values of layers
are read, so that neither Caffe nor its schema is needed.

References:
    caffe.proto: NetParameter, V1LayerParameter, LayerParameter, BlobProto;
    https://protobuf.dev/programming-guides/encoding/.
"""

import mmap
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from tfstyle.errors import WeightsError
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.weight_files.arrays import check_layer
from tfstyle.network.weight_files.arrays import transpose_kernel

_OLD_LAYER, _LAYER = 2, 100
"""Fields of a network: its layers, in two versions of the format."""
_NAME = {_OLD_LAYER: 4, _LAYER: 1}
_BLOB = {_OLD_LAYER: 6, _LAYER: 7}
_DATA = 5
"""Field of a blob: its values, float32."""
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
"""Kinds of values of a protocol buffer."""


def is_caffemodel(start: bytes) -> bool:
    """Checks by its first bytes that a file may be one: a name or a layer."""
    return start[:1] in (b"\x0a", b"\x12", b"\xa2")


def read_caffemodel(file: BinaryIO) -> dict[str, LayerWeights]:
    """Reads VGG19's convolutions by their names in Caffe, such as `conv1_1`.

    Raises:
        WeightsError: if a layer is missing or has another size.
    """
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        blobs = {}
        for kind, part in _fields(data, 0, len(data)):
            if kind in _NAME:
                name, parts = _read_layer(data, kind, *part)
                if parts:
                    blobs[name] = parts
        layers = {}
        for layer in CONVOLUTIONS:
            if layer.alias not in blobs:
                raise WeightsError(f"layer {layer.alias} is missing.")
            values = [_find_values(data, *part) for part in blobs[layer.alias]]
            sizes = [end - begin for begin, end in values]
            shape = layer.channels, layer.channels_in, 3, 3
            if sizes != [4 * int(np.prod(shape)), 4 * layer.channels]:
                raise WeightsError(
                    f"layer {layer.alias} must have kernels {shape} and"
                    f" {layer.channels} biases. These are not VGG19's weights."
                )
            kernel, bias = (
                np.frombuffer(data[begin:end], "<f4") for begin, end in values
            )
            kernel = transpose_kernel(kernel.reshape(shape))
            layers[layer.name] = check_layer(layer, kernel, bias)
    return layers


def _read_layer(
    data: mmap.mmap, kind: int, begin: int, end: int
) -> tuple[str, list[tuple[int, int]]]:
    """Returns a layer's name and the places of its blobs."""
    name, blobs = "", []
    for field, part in _fields(data, begin, end):
        if field == _NAME[kind]:
            name = data[slice(*part)].decode()
        elif field == _BLOB[kind]:
            blobs.append(part)
    return name, blobs


def _find_values(data: mmap.mmap, begin: int, end: int) -> tuple[int, int]:
    """Returns the place of a blob's values, empty if there are none."""
    for field, part in _fields(data, begin, end):
        if field == _DATA:
            return part
    return 0, 0


def _fields(
    data: mmap.mmap, place: int, end: int
) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yields number and place of every field of a message that has bytes.

    Raises:
        WeightsError: if the message is not a protocol buffer.
    """
    while place < end:
        key, place = _read_varint(data, place)
        field, kind = key >> 3, key & 7
        if kind == _BYTES:
            size, place = _read_varint(data, place)
            yield field, (place, place + size)
            place += size
        elif kind == _VARINT:
            _, place = _read_varint(data, place)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            place += 8 if kind == _EIGHT_BYTES else 4
        else:
            place = end + 1
    if place != end:
        raise WeightsError("it is truncated, or not a .caffemodel.")


def _read_varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    """Reads a number of one to ten bytes; returns it and the next place."""
    number = 0
    for index, byte in enumerate(data[place : place + 10]):
        number |= (byte & 127) << (7 * index)
        if byte < 128:
            return number, place + index + 1
    raise WeightsError("it is truncated, or not a .caffemodel.")
