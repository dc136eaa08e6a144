"""Multi-output models cut after the deepest layer."""

import tensorflow as tf

from tests.targets import relative_error
from tfstyle.config.config import Config
from tfstyle.network.extractor import make_feature_model
from tfstyle.network.options import NetworkOptions
from tfstyle.network.vgg19 import make_vgg19
from tfstyle.training.extractor import make_extractor


def test_model_returns_the_named_layers_and_ends_at_the_deepest(random_weights):
    network = make_vgg19(random_weights.layers, NetworkOptions())
    model = make_feature_model(
        network, ["block2_conv1", "block1_conv1", "block2_conv1"]
    )
    outputs = model(tf.zeros([2, 40, 33, 3]))
    shapes = {name: tuple(value.shape) for name, value in outputs.items()}
    assert shapes == {
        "block1_conv1": (2, 40, 33, 64),
        "block2_conv1": (2, 20, 16, 128),
    }
    assert "block2_conv2" not in [layer.name for layer in model.layers]


def test_extractor_has_content_and_style_layers():
    config = Config(
        weights="random",
        seed=3,
        content_layers=("relu2_2",),
        style_layers=("conv1_1", "pool2"),
    )
    extractor = make_extractor(config)
    outputs = extractor(tf.zeros([1, 16, 16, 3]))
    assert set(outputs) == {"block1_conv1", "block2_conv2", "block2_pool"}
    assert extractor.origin == "random, seed 3"
    assert len(extractor.sha256) == 64


def test_features_are_float32_in_float16(generator):
    config = {"weights": "random", "content_layers": ("conv2_1",)}
    image = tf.constant(generator.normal(0, 60, (1, 32, 32, 3)), tf.float32)
    features, expected = (
        make_extractor(Config(precision=precision, **config))(image)
        for precision in ("mixed_float16", "float32")
    )
    for name, value in features.items():
        assert value.dtype == tf.float32
        assert 0 < relative_error(value, expected[name]) < 5e-3
