"""Keras' files of weights: what Keras writes, and what must be refused."""

import hashlib
import os
import shutil

import h5py
import keras
import numpy as np
import pytest
from keras.src.legacy.saving import legacy_h5_format

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files.arrays import hash_weights
from tfstyle.network.weight_files.keras_files import write_weights
from tfstyle.network.weight_files.reading import read_weights

KERNEL = "layers/conv2d/vars/0"  # of block1_conv1, as Keras names it
BIAS = "layers/conv2d/vars/1"
LAST_KERNEL = "layers/conv2d_15/vars/0"
LAST_BIAS = "layers/conv2d_15/vars/1"

keras_makes_arrays = pytest.mark.filterwarnings(
    # Keras' own conversion of a variable, under NumPy 2.
    "ignore:__array__ implementation:DeprecationWarning"
)


@pytest.fixture(autouse=True)
def remove_large_files(tmp_path):
    # pytest keeps the folders of three runs: more than a gigabyte.
    yield
    shutil.rmtree(tmp_path)


@pytest.fixture(scope="module")
def layers(random_weights):
    generator = np.random.default_rng(1)
    return {
        name: (kernel, generator.standard_normal(bias.shape, np.float32))
        for name, (kernel, bias) in random_weights.layers.items()
    }


def make_application():
    return keras.applications.VGG19(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )


def read_layers(path):
    return read_weights(path).layers


def assert_same_layers(actual, expected):
    assert list(actual) == [layer.name for layer in CONVOLUTIONS]
    for name, arrays in actual.items():
        for part, array in zip(arrays, expected[name], strict=True):
            assert part.dtype == np.float32
            np.testing.assert_array_equal(part, array)


def write_sparse(path, kernel_name=None, bias_name=None):
    """Writes a valid file of 45 kB: its values exist as fill values only."""
    with h5py.File(path, "w") as file:
        for index, layer in enumerate(CONVOLUTIONS):
            group = f"conv2d_{index}" if index else "conv2d"
            names = [
                (name or f"layers/{group}/vars/{part}").format(layer.name)
                for part, name in enumerate((kernel_name, bias_name))
            ]
            for name, shape, value in (
                (names[0], layer.kernel_shape, 0.5),
                (names[1], layer.channels, 0.25),
            ):
                file.create_dataset(name, shape, "f4", fillvalue=value)


@pytest.fixture
def sparse(tmp_path):
    path = str(tmp_path / "vgg19.weights.h5")
    write_sparse(path)
    return path


# Keras' files.


@keras_makes_arrays
def test_written_file_loads_here_and_in_keras_application(layers, tmp_path):
    path = str(tmp_path / "vgg19.weights.h5")
    write_weights(path, layers)
    assert_same_layers(read_layers(path), layers)
    network = make_application()
    network.load_weights(path)
    found = {name: network.get_layer(name).get_weights() for name in layers}
    assert_same_layers(found, layers)


def save_older(network, path):
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, network)


@keras_makes_arrays
@pytest.mark.parametrize(
    ("save", "name"),
    [(keras.Model.save_weights, "a.weights.h5"), (save_older, "a.h5")],
)
def test_read_weights_reads_what_keras_saves(layers, tmp_path, save, name):
    path = str(tmp_path / name)
    network = make_application()
    for layer, arrays in layers.items():
        network.get_layer(layer).set_weights(arrays)
    save(network, path)
    assert_same_layers(read_layers(path), layers)


@pytest.mark.parametrize(
    "names",
    [
        ("{0}/{0}_W_1:0", "{0}/{0}_b_1:0"),  # Keras' own download
        ("{0}/{0}/kernel:0", "{0}/{0}/bias:0"),  # Keras 2
        ("model_weights/{0}/kernel", "model_weights/{0}/bias"),
    ],
)
def test_read_weights_reads_older_names_of_variables(names, tmp_path):
    path = str(tmp_path / "old.h5")
    write_sparse(path, *names)
    with h5py.File(path, "r+") as file:
        file.create_group("block1_pool")
    read = read_layers(path)
    for layer in CONVOLUTIONS:
        kernel, bias = read[layer.name]
        assert kernel.shape == layer.kernel_shape
        assert (kernel == 0.5).all()
        assert (bias == 0.25).all()


def test_read_weights_leaves_out_dense_top(sparse):
    expected = read_layers(sparse)
    with h5py.File(sparse, "r+") as file:
        for name in ("layers/dense", "layers/dense_1", "layers/dense_2"):
            group = file.create_group(f"{name}/vars")
            group.create_dataset("0", (25088, 4096), "f4", fillvalue=1)
            group.create_dataset("1", 4096, "f4", fillvalue=1)
    assert_same_layers(read_layers(sparse), expected)


def test_read_weights_turns_other_precisions_into_float32(sparse):
    with h5py.File(sparse, "r+") as file:
        del file[KERNEL], file[BIAS]
        file[KERNEL] = np.full((3, 3, 3, 64), 0.1, np.float64)
        file[BIAS] = np.full(64, 0.5, np.float16)
    kernel, bias = read_layers(sparse)["block1_conv1"]
    assert (kernel.dtype, bias.dtype) == (np.float32, np.float32)
    assert (kernel == np.float32(0.1)).all()
    assert (bias == 0.5).all()


def test_hash_weights_is_sha256_of_names_shapes_and_values(layers):
    digest = hashlib.sha256()
    for layer in CONVOLUTIONS:
        kernel, bias = layers[layer.name]
        shape = layer.name.encode(), layer.channels_in, layer.channels
        digest.update(b"%s/kernel(3, 3, %d, %d)" % shape)
        digest.update(kernel.astype("<f4").tobytes())
        digest.update(b"%s/bias(%d,)" % (layer.name.encode(), layer.channels))
        digest.update(bias.astype("<f4").tobytes())
    assert hash_weights(layers) == digest.hexdigest()
    turned = {
        name: (np.asfortranarray(kernel), bias.astype(">f4"))
        for name, (kernel, bias) in layers.items()
    }
    assert hash_weights(turned) == digest.hexdigest()


# What is refused.


@pytest.mark.parametrize(
    ("name", "text"), [("", "not a regular"), ("nowhere.h5", "does not exist")]
)
def test_read_weights_refuses_missing_file_and_folder(tmp_path, name, text):
    path = os.path.join(tmp_path, name)
    with refuses("", repr(path), text, kind=WeightsError):
        read_layers(path)


def test_read_weights_refuses_truncated_and_text_file(layers, tmp_path):
    path = str(tmp_path / "vgg19.weights.h5")
    write_weights(path, layers)
    size = os.path.getsize(path)
    for cut in (size - 1, size - 4096, size // 2, 2048, 96, 9, 8, 1, 0):
        os.truncate(path, cut)
        with refuses("", repr(path), "truncated", kind=WeightsError):
            read_layers(path)
    with open(path, "wb") as file:
        file.write(b"block1_conv1\n" * 100)
    with refuses("", repr(path), "not a weight file", kind=WeightsError):
        read_layers(path)


def delete(path):
    def damage(file, other):
        del file[path]

    return damage


def replace(path, *arguments, **options):
    def damage(file, other):
        del file[path]
        file.create_dataset(path, *arguments, **options)

    return damage


def add(shape):
    return lambda file, other: file.create_dataset(f"{BIAS}2", shape, "f4")


def assign(path, place, value):
    return lambda file, other: file[path].__setitem__(place, value)


def link_out(path):
    def damage(file, other):
        del file[path]
        file[path] = h5py.ExternalLink(other, f"/{path}")
        assert KERNEL in file  # the link works

    return damage


def link_out_of_older(file, other):
    del file["layers"]
    file["block1_conv1"] = h5py.ExternalLink(other, "/layers/conv2d/vars")


def link_softly(file, other):
    file.move(KERNEL, "kernel")
    file[KERNEL] = h5py.SoftLink("/kernel")


def make_virtual(file, other):
    del file[KERNEL]
    layout = h5py.VirtualLayout((3, 3, 3, 64), "f4")
    layout[:] = h5py.VirtualSource(other, KERNEL, (3, 3, 3, 64))
    file.create_virtual_dataset(KERNEL, layout)


def store_outside(file, other):
    replace(BIAS, 64, "f4", external=[(other, 0, 256)])(file, other)


FIRST, LAST = "block1_conv1", "block5_conv4"


@pytest.mark.parametrize(
    ("damage", "layer", "text"),
    [
        (delete("layers/conv2d/vars"), FIRST, "is missing"),
        (delete("layers/conv2d_7/vars"), "block3_conv4", "is missing"),
        (delete(KERNEL), FIRST, "no kernel and bias"),
        (delete(LAST_BIAS), LAST, "no kernel and bias"),
        (link_out(KERNEL), FIRST, "no kernel and bias"),
        (link_softly, FIRST, "no kernel and bias"),
        (add((3, 3, 3, 64)), FIRST, "two kernels or biases"),
        (add((64,)), FIRST, "two kernels or biases"),
        (replace(KERNEL, (64, 3, 3, 3), "f4"), FIRST, "(64, 3, 3, 3)"),
        (replace(KERNEL, (9, 3, 64), "f4"), FIRST, "(9, 3, 64)"),
        (replace(LAST_KERNEL, (3, 3, 512, 513), "f4"), LAST, "(512,)"),
        (replace(LAST_BIAS, (513,), "f4"), LAST, "Received: float32 (513,)"),
        (replace(BIAS, (), "f4"), FIRST, "Received: float32 ()"),
        (
            replace(KERNEL, (2**14,) * 4, "f4", chunks=(1, 1, 1, 1)),
            FIRST,
            "Received: float32 (16384, 16384, 16384, 16384)",
        ),
        *(
            (replace(BIAS, 64, dtype), FIRST, f"{np.dtype(dtype)} (64,)")
            for dtype in ("i4", "u1", "c8", "S4")
        ),
        *(
            (assign(*place, value), layer, "not finite")
            for *place, layer in (
                (KERNEL, (2, 2, 2, 63), FIRST),
                (LAST_BIAS, 511, LAST),
            )
            for value in (np.nan, np.inf, -np.inf)
        ),
        *(
            (damage, FIRST, "links to another file")
            for damage in (
                *map(link_out, ("layers/conv2d/vars", "layers")),
                link_out_of_older,
                make_virtual,
                store_outside,
            )
        ),
    ],
)
def test_read_weights_refuses(damage, layer, text, sparse, tmp_path):
    other = str(tmp_path / "other.h5")
    write_sparse(other)
    with h5py.File(sparse, "r+") as file:
        damage(file, other)
    with refuses("", repr(sparse), layer, text, kind=WeightsError):
        read_layers(sparse)
