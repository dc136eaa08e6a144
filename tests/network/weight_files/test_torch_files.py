"""torch's files: two of its own, and what is refused."""

import io
import pathlib
import pickle
import zipfile

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files import torch_files
from tfstyle.network.weight_files import torch_pickle
from tfstyle.network.weight_files.inputs import INPUTS
from tfstyle.network.weight_files.inputs import convert
from tfstyle.network.weight_files.reading import read_layers
from tfstyle.network.weight_files.reading import read_weights

FOLDER = pathlib.Path(__file__).parent
ARCHIVE, LEGACY = FOLDER / "vgg19.pth", FOLDER / "vgg19_legacy.pth"
"""Written by torch 2.13.0 from tensors named as in `torchvision.models.vgg19`.

`torch.manual_seed(5)`, then per layer one normal number a filter, which fills
its kernel, and one a bias; dense layers of zeros. All are views, which makes
the files small. The older format has float16.
"""


def test_both_formats_hold_the_same_layers():
    layers, stated = read_layers(str(ARCHIVE))
    older, _ = read_layers(str(LEGACY))
    assert stated is None
    assert list(layers) == [layer.name for layer in CONVOLUTIONS]
    for layer in CONVOLUTIONS:
        kernel, bias = layers[layer.name]
        assert kernel.shape == layer.kernel_shape
        assert (kernel == kernel[:1, :1, :1]).all()
        assert len(np.unique(kernel)) == len(np.unique(bias)) == layer.channels
        for array, other in zip(
            layers[layer.name], older[layer.name], strict=True
        ):
            np.testing.assert_array_equal(other, np.float16(array))
    first = layers["block1_conv1"][0][0, 0, 0, :3]
    np.testing.assert_allclose(first, [1.8423, 0.5189, -1.7119], atol=1e-4)


def test_input_must_be_named_unless_the_network_is_known():
    with refuses("", str(ARCHIVE), "--weights_input=", kind=WeightsError):
        read_weights(str(ARCHIVE))
    read = read_weights(str(ARCHIVE), "torchvision")
    layers = read_layers(str(ARCHIVE))[0]
    expected, offset, _ = convert(layers, INPUTS["torchvision"])
    assert (read.offset, read.network) == (
        offset,
        "a VGG19 with torchvision's input",
    )
    np.testing.assert_array_equal(
        read.layers["block1_conv1"][0], expected["block1_conv1"][0]
    )


def test_tensors_are_views_with_offset_and_strides():
    values = np.arange(20, dtype=np.float32)
    storage = torch_pickle.Storage("<f4", "0", 20)
    tensor = torch_pickle.Tensor(storage, 2, (3, 2), (1, 6))
    found = torch_files.view(values, tensor, "a")
    np.testing.assert_array_equal(found, [[2, 8], [3, 9], [4, 10]])
    for wrong in (
        tensor._replace(offset=12),
        tensor._replace(offset=-1),
        tensor._replace(strides=(1, -6)),
        tensor._replace(shape=(3, 4)),
    ):
        with refuses("", "exceeds its storage", kind=WeightsError):
            torch_files.view(values, wrong, "a")


class _Call:
    """Pickled as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    "value",
    [
        _Call(print, "code ran"),
        [1, 2],
        {("a", 1): 2},
        {1.5: 2},
        {"a": {"b", "c"}},
        {"state_dict": 3},
    ],
)
def test_pickles_of_anything_else_are_refused(tmp_path, capsys, value):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", pickle.dumps(value, 2))
    with refuses("", str(path), kind=WeightsError):
        read_weights(str(path))
    assert capsys.readouterr().out == ""


def rewrite(path, change):
    """Copies ARCHIVE with one member changed, or all compressed."""
    with (
        zipfile.ZipFile(ARCHIVE) as archive,
        zipfile.ZipFile(path, "w") as copy,
    ):
        for member in archive.infolist():
            content = archive.read(member)
            kind, content = change(member.filename, content)
            copy.writestr(member.filename, content, kind)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda name, data: (zipfile.ZIP_DEFLATED, data), "is compressed"),
        (
            lambda name, data: (0, b"big" if "byteorder" in name else data),
            "little-endian",
        ),
        (
            lambda name, data: (0, data * (3 if "/data/" in name else 1)),
            "too large",
        ),
        (
            lambda name, data: (0, data[: 4 if "/data/" in name else None]),
            "exceeds its storage",
        ),
        (
            lambda name, data: (0, data.replace(b"Half", b"Quar")
                                .replace(b"FloatSto", b"ShortSto")),
            "more than tensors",
        ),
        (
            lambda name, data: (0, data + bytes(2**20) * name.endswith("pkl")),
            "too large",
        ),
    ],
)  # fmt: skip
def test_other_archives_are_refused(tmp_path, change, text):
    path = str(tmp_path / "a.pth")
    rewrite(path, change)
    with refuses("", path, text, kind=WeightsError):
        read_weights(path, "caffe")


def test_truncated_files_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    for whole in (ARCHIVE, LEGACY):
        content = whole.read_bytes()
        for cut in (len(content) - 1, len(content) // 2, 3000, 200, 20):
            path.write_bytes(content[:cut])
            with refuses("", str(path), kind=WeightsError):
                read_weights(str(path), "caffe")


def test_keys_are_texts_or_numbers():
    """Comparing nested tuples, as keys, would take for ever."""
    stream = io.BytesIO(pickle.dumps({((1,),): 2}, 2))
    with refuses("", "more than tensors", kind=WeightsError):
        torch_pickle.unpickle(stream, {})


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_every_protocol_are_followed(protocol):
    value = {"a": [1, 2.5, None, True, ("text", -(2**40))], "b": {3: ()}}
    stream = io.BytesIO(pickle.dumps(value, protocol))
    assert torch_pickle.unpickle(stream, {}) == value


def test_pairs_of_python_2_are_used_once():
    pairs = [("a", 1), ("b", 2)]
    ordered = torch_pickle._Global("OrderedDict")
    assert torch_pickle._reduce(ordered, (pairs,)) == {"a": 1, "b": 2}
    assert torch_pickle._reduce(ordered, (pairs,)) == {}


@pytest.mark.parametrize("name", ["state_dict", "model"])
def test_network_is_found_beside_other_things(name):
    storage = torch_pickle.Storage("<f4", "0", 6)
    tensor = torch_pickle.Tensor(storage, 1, (2,), (3,))
    saved = {"epoch": 3, name: {"features.0.bias": tensor}}
    values = np.arange(6, dtype=np.float32).tobytes()
    tensors = torch_files.Tensors(saved, lambda _: values)
    assert tensors.shapes == {"features.0.bias": (2,)}
    np.testing.assert_array_equal(tensors.read("features.0.bias"), [1, 4])
    with refuses("", "more than tensors", kind=WeightsError):
        torch_files.Tensors({"epoch": 3}, lambda _: values)
