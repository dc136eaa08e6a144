"""MatConvNet's files, written by SciPy."""

import struct

import numpy as np
import pytest
import scipy.io

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.images.preprocessing import IMAGENET_MEAN_BGR
from tfstyle.network.weight_files import matlab_files
from tfstyle.network.weight_files.reading import read_weights

RED, GREEN, BLUE = IMAGENET_MEAN_BGR[::-1]


def make_layers(layers, *, is_old):
    found = [{"name": "relu1_1", "type": "relu"}]
    for number, (kernel, bias) in enumerate(layers.values(), start=1):
        parts = {"filters": kernel, "biases": bias[np.newaxis]}
        if not is_old:
            cell = np.empty((1, 2), object)
            cell[0, :] = kernel, bias[:, np.newaxis]
            parts = {"weights": cell}
        found.append({"name": f"conv1_{number}", "type": "conv"} | parts)
    cells = np.empty((1, len(found)), object)
    cells[0, :] = found
    return cells


@pytest.mark.parametrize("is_old", [True, False])
def test_layers_and_mean_are_read_in_both_versions(layers, tmp_path, is_old):
    path = str(tmp_path / "imagenet-vgg-verydeep-19.mat")
    mean = np.array([RED, GREEN, BLUE + 2.5])
    if is_old:
        normal = {"averageImage": np.ones((224, 224, 1)) * mean}
        about = {"normalization": normal}
    else:
        normal = {"averageImage": mean.reshape(1, 1, 3)}
        about = {"meta": {"normalization": normal}}
    about["layers"] = make_layers(layers, is_old=is_old)
    scipy.io.savemat(path, about)
    read = read_weights(path)
    assert read.network == "a VGG19 with RGB input, 0..255"
    assert read.offset == pytest.approx((-2.5, 0, 0))
    kernel, bias = layers["block1_conv1"]
    found = read.layers["block1_conv1"]
    np.testing.assert_array_equal(found[0], kernel[:, :, ::-1])
    np.testing.assert_array_equal(found[1], bias)
    for array, other in zip(
        read.layers["block1_conv2"], layers["block1_conv2"], strict=True
    ):
        np.testing.assert_array_equal(array, other)


def test_other_networks_are_refused(layers, tmp_path):
    path = str(tmp_path / "a.mat")
    cells = make_layers(layers, is_old=True)
    normal = {"averageImage": np.zeros((8, 8, 3))}
    scipy.io.savemat(path, {"layers": cells[:, :2], "normalization": normal})
    with refuses("", path, "conv1_2 is missing", kind=WeightsError):
        read_weights(path)
    normal["averageImage"][2, 3, 1] = 4
    scipy.io.savemat(path, {"layers": cells, "normalization": normal})
    with refuses("", path, "mean is an image", kind=WeightsError):
        read_weights(path)
    scipy.io.savemat(path, {"layers": cells})
    with refuses("", path, "averageImage, is missing", kind=WeightsError):
        read_weights(path)
    scipy.io.savemat(path, {"net": 3})
    with refuses("", path, "conv1_1 is missing", kind=WeightsError):
        read_weights(path)


@pytest.mark.parametrize("do_compression", [False, True])
def test_arrays_larger_than_their_part_of_the_file_are_refused(
    layers, tmp_path, monkeypatch, do_compression
):
    path = tmp_path / "a.mat"
    normal = {"averageImage": np.zeros((1, 1, 3))}
    content = {"layers": make_layers(layers, is_old=False)}
    content["normalization"] = normal
    scipy.io.savemat(path, content, do_compression=do_compression)
    assert read_weights(str(path)).layers.keys() == layers.keys()
    monkeypatch.setattr(matlab_files, "MOST_BYTES", 100_000)
    with refuses("", str(path), "too large", kind=WeightsError):
        read_weights(str(path))


def test_dimensions_must_fit_into_the_file(layers, tmp_path):
    path = tmp_path / "a.mat"
    cells = np.empty((1, 3), object)
    cells[0, :] = 1.0, 2.0, 3.0
    scipy.io.savemat(path, {"layers": cells})
    content = path.read_bytes()
    place = content.index(struct.pack("<2i", 1, 3))
    path.write_bytes(
        content[:place] + struct.pack("<2i", 1, 50) + content[place + 8 :]
    )
    with refuses("", str(path), "exceeds its part", kind=WeightsError):
        read_weights(str(path))
