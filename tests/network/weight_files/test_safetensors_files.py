"""`.safetensors` files, written by their own library."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network.weight_files.inputs import INPUTS
from tfstyle.network.weight_files.inputs import convert
from tfstyle.network.weight_files.reading import read_weights


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_layers_are_read_in_every_precision(layers, tensors, tmp_path, dtype):
    path = str(tmp_path / "vgg19.safetensors")
    rounded = {
        name: array.astype(getattr(ml_dtypes, dtype, dtype))
        for name, array in tensors.items()
    }
    save_file(rounded, path, metadata={"format": "pt"})
    read = read_weights(path, "torchvision")
    expected, offset, _ = convert(layers, INPUTS["torchvision"])
    assert read.offset == offset
    error = {"float16": 1e-3, "bfloat16": 8e-3}.get(dtype, 1e-6)
    for name, arrays in expected.items():
        for array, other in zip(read.layers[name], arrays, strict=True):
            np.testing.assert_allclose(array, other, rtol=error, atol=error)


def test_network_with_batch_normalisation_is_refused(tensors, tmp_path):
    path = str(tmp_path / "vgg19_bn.safetensors")
    tensors["features.1.running_mean"] = np.zeros(64, np.float32)
    save_file(tensors, path)
    with refuses("", path, "vgg19_bn", kind=WeightsError):
        read_weights(path)


def drop_bias(tensors):
    del tensors["features.2.bias"]


def shorten(tensors):
    tensors["features.0.bias"] = np.zeros(63, np.float32)


def widen(tensors):
    tensors["features.4.weight"] = np.zeros((8, 64, 3, 3), np.float32)


def count(tensors):
    tensors["features.0.bias"] = np.zeros(64, np.int32)


def spoil(tensors):
    tensors["features.0.bias"][5] = np.nan


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (drop_bias, "block1_conv2 ('features.2.weight') has no bias"),
        (shorten, "block1_conv1 ('features.0.weight') has no bias"),
        (widen, "weights of another network"),
        (count, "'features.0.bias' is not of floating point"),
        (spoil, "block1_conv1 holds values that are not finite"),
    ],
)
def test_other_tensors_are_refused(tensors, tmp_path, change, text):
    path = str(tmp_path / "a.safetensors")
    change(tensors)
    save_file(tensors, path)
    with refuses("", path, text, kind=WeightsError):
        read_weights(path, "torchvision")


@pytest.mark.parametrize("offsets", [[0, 8], [-4, 252], [10**9, 10**9 + 256]])
def test_wrong_places_are_refused(tensors, tmp_path, offsets):
    path = tmp_path / "a.safetensors"
    save_file(tensors, path)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    header["features.0.bias"]["data_offsets"] = offsets
    text = json.dumps(header).encode()
    head = len(text).to_bytes(8, "little") + text
    path.write_bytes(head + content[8 + size :])
    with refuses("", str(path), kind=WeightsError):
        read_weights(str(path), "torchvision")
