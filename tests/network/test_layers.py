"""The table of VGG19's layers against Keras and against counted pixels."""

import dataclasses

import keras
import pytest

from tfstyle.network import layers as vgg19_layers
from tfstyle.network.layers import BY_NAME
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.layers import LAYERS


def test_layers_are_those_of_keras():
    network = keras.applications.VGG19(include_top=False, weights=None)
    layers = network.layers[1:]  # without the input
    assert [layer.name for layer in layers] == [x.name for x in LAYERS]
    for layer, ours in zip(layers, LAYERS, strict=True):
        assert layer.output.shape[-1] == ours.channels
        assert isinstance(layer, keras.layers.Conv2D) == ours.is_convolution
        if ours.is_convolution:
            assert layer.kernel.shape == ours.kernel_shape


def test_layers_are_16_convolutions_and_5_poolings():
    assert (len(CONVOLUTIONS), len(LAYERS)) == (16, 21)
    aliases = "1_1 1_2 2_1 2_2 3_1 3_2 3_3 3_4 4_1 4_2 4_3 4_4 5_1 5_2 5_3 5_4"
    assert [layer.alias for layer in CONVOLUTIONS] == [
        f"conv{numbers}" for numbers in aliases.split()
    ]
    poolings = [layer for layer in LAYERS if not layer.is_convolution]
    assert [layer.alias for layer in poolings] == [
        f"pool{block}" for block in range(1, 6)
    ]
    assert LAYERS[2] is poolings[0]
    assert LAYERS[-1] is poolings[-1]


@pytest.mark.parametrize("pooling", ["average", "rms"])
@pytest.mark.parametrize("number", range(21))
def test_reach_is_what_one_position_sees(number, pooling):
    layers = vgg19_layers.make_layers(pooling)
    layer = layers[number]
    position = 100
    first = last = position
    for below in reversed(layers[: number + 1]):
        if below.is_convolution:  # 3x3 at stride 1
            first, last = first - 1, last + 1
        elif pooling == "average":  # 2x2 at stride 2
            first, last = 2 * first, 2 * last + 1
        else:  # 4x4 at stride 2
            first, last = 2 * first - 1, 2 * last + 2
    assert position * layer.stride - first == layer.reach_left
    assert last - position * layer.stride == layer.reach_right
    assert layer.field == last + 1 - first


def test_poolings_differ_by_reach_only():
    for plain, wide in zip(
        LAYERS, vgg19_layers.make_layers("rms"), strict=True
    ):
        assert wide == dataclasses.replace(
            plain, reach_left=wide.reach_left, reach_right=wide.reach_right
        )


def test_keras_name_takes_every_name_and_alias():
    for layer in LAYERS:
        names = {layer.name, layer.alias}
        if layer.is_convolution:
            names.add(layer.alias.replace("conv", "relu"))
        for name in names:
            assert vgg19_layers.keras_name(name) == layer.name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("conv3_9", "conv3_1 to conv3_4"),
        ("relu2_0", "conv2_1 to conv2_2"),
        ("block5_conv5", "conv5_1 to conv5_4"),
        ("Conv4_2", "conv4_1 to conv4_4"),
        ("conv4_2 ", "conv4_1 to conv4_4"),
        ("relu_pool3", "conv3_1 to conv3_4"),
        ("conv6_1", "conv1_1 to conv5_4 and pool1 to pool5"),
        ("conv0_1", "conv1_1 to conv5_4 and pool1 to pool5"),
        ("", "conv1_1 to conv5_4 and pool1 to pool5"),
        # Superscript 2, for which str.isdigit() holds.
        ("conv\u00b2", "conv1_1 to conv5_4 and pool1 to pool5"),
    ],
)
def test_keras_name_tells_what_there_is(name, hint):
    with pytest.raises(ValueError, match=f"{name!r}.* {hint}"):
        vgg19_layers.keras_name(name)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["block1_conv1"], "block1_conv1"),
        (["block5_conv1", "block1_conv1", "block4_conv2"], "block5_conv1"),
        (["block1_pool", "block1_conv2"], "block1_pool"),
        (["block2_conv1", "block1_pool"], "block2_conv1"),
        (iter(["block3_conv4", "block3_conv1"]), "block3_conv4"),
    ],
)
def test_deepest_follows_the_order_of_the_network(names, expected):
    assert vgg19_layers.deepest(names) is BY_NAME[expected]
