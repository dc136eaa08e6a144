"""Parts for research: features, Gram matrices, the objective function."""

import doctest
import importlib
import inspect
import math
import pydoc
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tfstyle
from tests import ROOT
from tests import references
from tests.processes import end_python
from tests.processes import start_python
from tests.refusals import refuses
from tfstyle.system.machine import Machine

SCENE, STROKES = tfstyle.sample("scene"), tfstyle.sample("strokes")
SMALL = {"weights": "random", "image_size": 32}
STEP = 1e-2  # grey levels; the loss is near quadratic over so few
ROUNDING = 2e-3  # of a difference of two float32


@pytest.mark.parametrize("name", sorted(set(tfstyle.__all__)))
def test_public_names_are_documented_and_their_examples_run(name):
    value = getattr(tfstyle, name)
    if name == "__version__":
        return
    assert inspect.getdoc(value), name
    if inspect.isfunction(value) and inspect.signature(value).parameters:
        assert "Args:" in value.__doc__, name
    module = importlib.import_module(value.__module__)
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    for test in finder.find(value, name, module=module):
        assert runner.run(test).failed == 0


def test_names_are_listed_once_for_people_and_type_checkers():
    assert set(tfstyle._HOMES) | {"__version__"} == set(tfstyle.__all__)
    source = (ROOT / "tfstyle" / "__init__.py").read_text()
    for name, home in tfstyle._HOMES.items():
        assert f"    from {home} import {name}\n" in source


def test_pydoc_reads_well():
    text = pydoc.plain(pydoc.render_doc(tfstyle))
    assert "Stylizer" in text
    assert 'stylizer("lake.jpg", "waves.jpg")' in text


def test_features_are_those_of_the_keras_model():
    found = tfstyle.features(SCENE, ["conv2_1"], weights="random")
    model = tfstyle.make_feature_model(["conv2_1"], weights="random")
    expected = model(tfstyle.preprocess(SCENE))["block2_conv1"]
    np.testing.assert_allclose(found["conv2_1"], expected[0], rtol=1e-4)
    assert found["conv2_1"].dtype == np.float32


def test_gram_matrices_are_those_of_the_features():
    small = SCENE[:64, :80]
    found = tfstyle.gram_matrices(small, ["conv1_1"], weights="random")
    features = tfstyle.features(small, ["conv1_1"], weights="random")["conv1_1"]
    expected = references.gram(features.astype(np.float64))
    np.testing.assert_allclose(found["conv1_1"], expected, rtol=1e-4)


def test_objective_s_gradient_is_its_value_s():
    objective = tfstyle.make_objective(SCENE, STROKES, **SMALL)
    image = objective.initial_image + np.float32(1)
    direction = np.random.default_rng(0).normal(size=image.shape)
    _, gradient = objective(image)
    slope = float(np.sum(np.float64(gradient) * direction))
    up, down = (
        float(objective(image + np.float32(sign * direction))[0])
        for sign in (1, -1)
    )
    assert (up - down) / 2 == pytest.approx(slope, rel=0.05)


def test_objective_is_what_a_run_minimises():
    result = tfstyle.stylize(SCENE, STROKES, **SMALL, num_steps=0)
    objective = tfstyle.make_objective(SCENE, STROKES, **SMALL)
    losses = objective.losses(objective.initial_image)
    assert losses == pytest.approx(result.losses, rel=1e-5)
    pixels = objective.to_pixels(objective.initial_image)
    np.testing.assert_array_equal(pixels, result.pixels)


@pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")  # Keras
def test_feature_models_are_saved_and_loaded(tmp_path):
    images, expected = np.ones((1, 9, 7, 3)), {}
    for pooling in ("average", "rms"):
        model = tfstyle.make_feature_model(
            ["conv1_1", "conv3_1"],
            weights="random",
            pooling=pooling,
            padding="replicate",
        )
        for ending in ("keras", "h5"):
            path = tmp_path / f"{pooling}.{ending}"
            model.save(path)
            expected[path] = model(images)
    code = f"""
import numpy, keras, tfstyle.network.vgg19
for path in {list(map(str, expected))!r}:
    found = keras.models.load_model(path)(numpy.ones((1, 9, 7, 3)))
    found = {{name: features.numpy() for name, features in found.items()}}
    numpy.savez(path + ".npz", **found)
"""
    status, _, stderr = end_python(start_python(code))
    assert status == 0, stderr
    for path, features in expected.items():
        with np.load(f"{path}.npz") as found:
            assert sorted(found) == sorted(features)
            for name, values in features.items():
                np.testing.assert_array_equal(found[name], values.numpy())


def test_extra_losses_are_minimised_too():
    def redness(image, features):
        assert "block4_conv2" in features
        return tf.reduce_mean(tf.square(image[..., 2] / 255 - 0.5))

    plain = tfstyle.stylize(SCENE, STROKES, **SMALL, num_steps=20)
    red = tfstyle.stylize(
        SCENE, STROKES, **SMALL, num_steps=20, extra_losses={"red": redness}
    )
    assert red.pixels[..., 0].mean() > plain.pixels[..., 0].mean() + 10
    losses = red.losses
    weighted = [v for n, v in losses.items() if n.startswith("weighted/")]
    expected = sum(weighted) + losses["extra/red"]
    assert losses["total"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(tfstyle.ConfigError, match="extra_losses"):
        tfstyle.stylize(
            SCENE,
            STROKES,
            **SMALL,
            tile_size=16,
            convolution="direct",
            extra_losses={"red": redness},
        )


def test_extra_losses_get_the_picture_without_a_border():
    seen = []

    def whiteness(image, features):
        seen.append(image.shape)
        return tf.reduce_mean(tf.square(image / 255 - 0.5))

    made = tfstyle.stylize(
        np.zeros((39, 53, 3), np.uint8),
        STROKES,
        **SMALL | {"num_steps": 2, "image_size": 53, "num_levels": 2},
        extra_losses={"white": whiteness},
    )
    assert made.pixels.shape == (39, 53, 3)
    assert [tuple(shape) for shape in seen] == [(1, 20, 26, 3), (1, 39, 53, 3)]


@pytest.mark.soak
def test_extra_losses_see_the_whole_frame_where_memory_is_scarce(monkeypatch):
    def free_for_run(self, enough, with_swap=False):
        return math.inf if with_swap else 0.0

    monkeypatch.setattr(Machine, "free_for_run", free_for_run)
    losses = {"red": lambda image, features: tf.reduce_mean(image)}
    # More than one tile.
    options = SMALL | {"num_steps": 1, "num_levels": 1, "image_size": 400}
    made = tfstyle.stylize(SCENE, STROKES, **options, extra_losses=losses)
    assert made.config.tile_size == 0
    assert tfstyle.stylize(SCENE, STROKES, **options).config.tile_size > 0
    for _ in tfstyle.Stylizer(**SMALL).iterate(
        SCENE, STROKES, num_steps=1, extra_losses=losses
    ):
        pass
    tfstyle.make_objective(SCENE, STROKES, **SMALL, extra_losses=losses)


@pytest.mark.parametrize("options", [{"image_size": 3}, {"poling": "max"}])
def test_options_that_decide_no_feature_are_refused(options):
    (name,) = options
    with refuses(name):
        tfstyle.features(SCENE, ["conv1_1"], weights="random", **options)


def test_layer_that_is_none_is_refused():
    with refuses("layers", "conv9_1"):
        tfstyle.features(SCENE, ["conv9_1"], weights="random")
    with refuses("layers", "['conv1_1']"):
        tfstyle.features(SCENE, "conv1_1", weights="random")


def test_importing_the_program_disturbs_no_other_flags():
    code = (
        "from absl import flags; import tfstyle.main;"
        "assert 'content_image' not in flags.FLAGS"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
