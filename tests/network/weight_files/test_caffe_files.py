"""`.caffemodel` files, written by Google's library of protocol buffers."""

import numpy as np
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network.weight_files.reading import read_weights

FIELD = descriptor_pb2.FieldDescriptorProto


def add_message(file, name, /, **fields):
    """Adds a message to a schema; fields by name: number and type."""
    message = file.message_type.add(name=name)
    for field, (number, kind) in fields.items():
        added = message.field.add(name=field, number=number)
        added.label = FIELD.LABEL_REPEATED
        if isinstance(kind, str):
            added.type, added.type_name = FIELD.TYPE_MESSAGE, f".caffe.{kind}"
        else:
            added.type = kind
        if kind in (FIELD.TYPE_FLOAT, FIELD.TYPE_INT64):
            added.options.packed = True


@pytest.fixture(scope="module")
def net_class():
    """Returns the class of a network in the part of Caffe's schema in use."""
    file = descriptor_pb2.FileDescriptorProto(
        name="caffe.proto", package="caffe", syntax="proto2"
    )
    text, number = FIELD.TYPE_STRING, FIELD.TYPE_INT32
    add_message(file, "Shape", dim=(1, FIELD.TYPE_INT64))
    add_message(
        file,
        "Blob",
        num=(1, number),
        data=(5, FIELD.TYPE_FLOAT),
        shape=(7, "Shape"),
    )
    add_message(
        file, "Old", bottom=(2, text), name=(4, text), type=(5, number),
        blobs=(6, "Blob"), rate=(7, FIELD.TYPE_FLOAT),
    )  # fmt: skip
    add_message(
        file, "New", name=(1, text), type=(2, text), blobs=(7, "Blob"),
        phase=(10, number), momentum=(11, FIELD.TYPE_DOUBLE),
    )  # fmt: skip
    add_message(
        file, "Net", name=(1, text), layers=(2, "Old"), layer=(100, "New")
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("caffe.Net")
    return message_factory.GetMessageClass(found)


def make_net(net_class, layers, kind):
    net = net_class(name=["VGG_ILSVRC_19_layers"])
    number = {"layers": 4, "layer": "Convolution"}[kind]
    getattr(net, kind).add(name=["data"])
    for index, (kernel, bias) in enumerate(layers.values(), start=1):
        layer = getattr(net, kind).add(name=[f"conv1_{index}"], type=[number])
        for array in (kernel.transpose(3, 2, 0, 1), bias):
            blob = layer.blobs.add(num=[len(array)], data=array.ravel())
            blob.shape.add(dim=array.shape)
    return net


@pytest.mark.parametrize("kind", ["layers", "layer"])
def test_layers_are_read_in_both_versions(net_class, layers, tmp_path, kind):
    path = tmp_path / "vgg19.caffemodel"
    net = make_net(net_class, layers, kind)
    path.write_bytes(net.SerializeToString())
    read = read_weights(str(path))
    assert read.network == "a VGG19 with BGR input, 0..255"
    for name, arrays in layers.items():
        for array, other in zip(read.layers[name], arrays, strict=True):
            np.testing.assert_array_equal(array, other)


def test_missing_layers_and_other_sizes_are_refused(
    net_class, layers, tmp_path
):
    path = tmp_path / "a.caffemodel"
    net = make_net(net_class, layers, "layer")
    for change, text in (
        (lambda: net.layer[1].blobs[1].data.pop(), "64 biases"),
        (
            lambda: net.layer[2].name.__setitem__(0, "conv9"),
            "conv1_2 is missing",
        ),
        (lambda: net.layer[2].ClearField("blobs"), "conv1_2 is missing"),
    ):
        content = net.SerializeToString()
        change()
        path.write_bytes(net.SerializeToString())
        with refuses("", str(path), text, kind=WeightsError):
            read_weights(str(path))
        net.ParseFromString(content)
    for cut in (len(content) - 1, len(content) // 2, 40, 3):
        path.write_bytes(content[:cut])
        with refuses("", str(path), kind=WeightsError):
            read_weights(str(path))
