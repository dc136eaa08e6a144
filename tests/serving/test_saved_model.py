"""The SavedModel, loaded where neither tfstyle nor Keras can be imported."""

import json
import os
import subprocess
import sys
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import ROOT
from tests import references
from tests.network.weight_files.test_torch_files import ARCHIVE
from tfstyle.config.run_config import RunConfig
from tfstyle.image_files.writing import write_image
from tfstyle.images.preprocessing import preprocess
from tfstyle.network.extractor import Extractor
from tfstyle.objective.gram import gram_sum
from tfstyle.serving import saved_model
from tfstyle.training.extractor import make_extractor

FEATURES = 1e-4  # against float64
ROUNDING = 1e-5  # another order of the same sums
STRANGER = """
import sys
sys.modules["keras"] = sys.modules["tfstyle"] = None
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
print(*model.signatures["serve"](images=tf.zeros([1, 16, 16, 3])))
"""
GRADIENTS = """
import sys
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
@tf.function(jit_compile=True)
def gradient(images):
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = 0.0
        for name in ("serve", "gram", "style_descriptor"):
            for values in model.signatures[name](images=images).values():
                loss += tf.reduce_sum(values**2)
    return tape.gradient(loss, images)
for level in (1.0, 2.0, 3.0):
    assert tf.reduce_any(gradient(tf.fill([1, 16, 16, 3], level)) != 0)
"""
ONE_LAYER = {"content_layers": ("conv1_1",), "style_layers": ("conv1_1",)}


class Export(NamedTuple):
    """An exported version, its description and the network it was made of."""

    path: str
    facts: dict
    extractor: Extractor

    def load(self):
        """Returns the model, which owns the variables of its signatures."""
        return tf.saved_model.load(self.path)


def export(folder, **fields):
    """Exports a network as the next version in a folder."""
    options = {"weights": "random", "convolution": "direct"} | fields
    config = RunConfig(**options).resolved()
    extractor = make_extractor(config)
    path = saved_model.export_extractor(extractor, config, str(folder))
    with open(f"{path}/assets/tfstyle.json", encoding="utf-8") as file:
        return Export(path, json.load(file), extractor)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Returns the export of the default layers."""
    folder = tmp_path_factory.mktemp("export") / "features"
    return export(folder, pooling="average", padding="zero")


@pytest.fixture(scope="module")
def model(exported):
    return exported.load()


@pytest.fixture
def batches(generator):
    return (
        generator.integers(0, 256, (1, 33, 50, 3)).astype(np.uint8),
        generator.integers(0, 256, (3, 16, 21, 3)).astype(np.uint8),
    )


def relative_error(actual, expected):
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


def test_process_without_keras_and_tfstyle_loads_the_model(exported, tmp_path):
    command = [sys.executable, "-c", STRANGER, exported.path]
    stdout = subprocess.check_output(command, cwd=tmp_path, text=True)
    facts = exported.facts
    layers = {*facts["content_layers"], *facts["style_layers"]}
    assert set(stdout.split()) == layers


def test_reloaded_equals_live_at_two_sizes_and_batches(
    model, batches, exported
):
    for batch in batches:
        floats = tf.constant(batch, tf.float32)
        served = [
            model.signatures["serve"](images=floats),
            model.signatures["serving_default"](images=floats),
            model.signatures["serve_uint8"](images=tf.constant(batch)),
        ]
        grams = model.signatures["gram"](images=floats)
        found = model.signatures["style_descriptor"](images=floats)
        descriptors = found["style_descriptor"]
        assert descriptors.shape == (len(batch), 305_888)
        for index, pixels in enumerate(batch):
            features = exported.extractor(tf.constant(preprocess(pixels)))
            for name, expected in features.items():
                for values in served:
                    assert values[name].dtype == tf.float32
                    found = values[name][index]
                    assert relative_error(found, expected[0]) < ROUNDING
            triangles = []
            for name in exported.facts["style_layers"]:
                gram = gram_sum(features[name]).normalized().numpy()
                assert relative_error(grams[name][index], gram) < ROUNDING
                triangles.append(gram[np.triu_indices(len(gram))])
            expected = np.concatenate(triangles)
            assert relative_error(descriptors[index], expected) < ROUNDING


def test_features_equal_an_independent_vgg19(model, batches, random_weights):
    pixels = batches[0]
    found = model.signatures["serve_uint8"](images=tf.constant(pixels))
    expected = references.forward(
        preprocess(pixels[0])[0], random_weights.layers, "block5_conv1"
    )
    for name, value in found.items():
        assert relative_error(value[0], expected[name]) < FEATURES


def test_encoded_decodes_in_the_graph(model, batches, tmp_path):
    pixels = batches[1][:2]
    files = []
    for number, image in enumerate(pixels):
        path = tmp_path / f"{number}.png"
        write_image(str(path), image)
        files.append(path.read_bytes())
    sample = (ROOT / "tfstyle" / "samples" / "scene.jpg").read_bytes()
    encoded = model.signatures["encoded"]
    expected = model.signatures["serve_uint8"](images=tf.constant(pixels))
    found = encoded(encoded_images=tf.constant(files))
    resized = model.signatures["encoded_resized"](
        encoded_images=tf.constant([files[0], sample]),
        size=tf.constant([16, 21]),
    )
    for name in ("block1_conv1", "block5_conv1"):
        np.testing.assert_array_equal(found[name], expected[name])
        assert resized[name].shape == expected[name].shape
        assert relative_error(resized[name][0], expected[name][0]) < ROUNDING
    for wrong, message in (
        ([files[0][:60]], "Invalid PNG"),
        ([b"not a picture"], "Unknown image file format"),
        ([files[0], sample], r"\[576,768,3\]"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            encoded(encoded_images=tf.constant(wrong))


def test_keras_layer_runs_a_signature(exported, model, batches):
    layer = keras.layers.TFSMLayer(exported.path, call_endpoint="serve")
    images = tf.constant(batches[1], tf.float32)
    found = layer(images)
    expected = model.signatures["serve"](images=images)
    assert found.keys() == expected.keys()
    for name, features in expected.items():
        assert relative_error(found[name], features) < ROUNDING


@pytest.mark.filterwarnings("ignore:__array__ impl:DeprecationWarning")  # Keras
def test_keras_model_trains_around_frozen_features(exported, model, tmp_path):
    layer = keras.layers.TFSMLayer(exported.path, call_endpoint="serve")
    assert not layer.trainable_weights
    before = [weight.numpy() for weight in layer.weights]
    assert len(before) == 26
    images = keras.Input((None, None, 3))
    pool = keras.layers.GlobalAveragePooling2D()
    head = keras.layers.Dense(2)
    outputs = head(pool(layer(images)["block2_conv1"]))
    trained = keras.Model(images, outputs)
    trained.compile("adam", "mse")
    batch = np.full((2, 16, 21, 3), 100, np.float32)
    kernel = head.kernel.numpy()
    trained.fit(batch, np.ones((2, 2)), verbose=0)
    assert np.any(head.kernel.numpy() != kernel)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    features = layer(batch)["block5_conv1"]
    expected = model.signatures["serve"](images=batch)["block5_conv1"]
    np.testing.assert_array_equal(features, expected)
    trained.save(tmp_path / "trained.keras")
    loaded = keras.models.load_model(
        tmp_path / "trained.keras", safe_mode=False
    )
    np.testing.assert_array_equal(
        loaded.predict(batch, verbose=0), trained.predict(batch, verbose=0)
    )


def test_model_has_signatures_but_no_methods(model):
    """TensorFlow Lite's converter drops signatures beside a method `serve`."""
    assert model.signatures.keys() == {
        *("serve", "serving_default", "serve_uint8", "gram"),
        *("style_descriptor", "encoded", "encoded_resized"),
    }
    for name in model.signatures:
        assert not hasattr(model, name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"pooling": "average", "padding": "zero"},
        {"pooling": "rms", "padding": "replicate"},
        {
            "padding": "zero",
            "weights": str(ARCHIVE),
            "weights_input": "torchvision",
        },
    ],
)
def test_xla_compiles_gradients_once(tmp_path, options):
    layers = {"content_layers": ("conv2_1",), "style_layers": ("conv1_1",)}
    made = export(tmp_path / "features", **layers, **options)
    dump = tmp_path / "dump"
    subprocess.run(
        [sys.executable, "-c", GRADIENTS, made.path],
        env=os.environ | {"XLA_FLAGS": f"--xla_dump_to={dump}"},
        check=True,
    )
    compiled = dump.glob("*gradient*before_optimizations.txt")
    assert len(list(compiled)) == 1


@pytest.mark.parametrize(
    ("endpoint", "size"), [("serve", (15, 40)), ("gram", (40, 15))]
)
def test_too_small_an_image_is_refused(model, endpoint, size):
    text = "Images must be at least 16 pixels high and wide."
    with pytest.raises(tf.errors.InvalidArgumentError, match=text):
        model.signatures[endpoint](images=tf.zeros([1, *size, 3]))


@pytest.mark.slow
def test_smallest_side_is_a_position_of_the_deepest_layer(tmp_path):
    layers = {"content_layers": ("pool5",), "style_layers": ("conv1_1",)}
    assert export(tmp_path, **layers).facts["smallest_side"] == 32


def test_only_layers_that_are_asked_for_are_written(exported):
    size = sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(exported.path)
        for name in names
    )
    assert 51.7e6 < size < 56e6


def test_asset_describes_the_export(exported):
    facts = exported.facts
    config = RunConfig().resolved()
    assert facts["format"] == 1
    assert tuple(facts["style_layers"]) == config.style_layers
    assert tuple(facts["content_layers"]) == config.content_layers
    assert facts["pooling"] == "average"
    assert facts["padding"] == "zero"
    assert facts["filter_means"] is None
    assert facts["weights_sha256"] == exported.extractor.sha256
    assert facts["versions"]["tensorflow"] == tf.__version__
    assert facts["smallest_side"] == 16
    assert "at least `smallest_side`" in facts["input"]["images"]
    assert "WebP" in facts["input"]["encoded_formats"]
    assert "upright" in facts["input"]["encoded_differs_from_tfstyle"][0]


@pytest.mark.slow
def test_export_pools_by_root_mean_square_with_its_gradient(tmp_path):
    layers = {"content_layers": ("conv1_1",), "style_layers": ("conv2_1",)}
    made = export(tmp_path, pooling="rms", **layers)
    assert made.facts["pooling"] == "rms"
    model = made.load()
    serve = model.signatures["serve"]
    pixels = np.random.default_rng(0).integers(0, 256, (19, 24, 3))
    found, expected = [], []
    for results, run, image in (
        (found, lambda x: serve(images=x), pixels[None].astype(np.float32)),
        (expected, made.extractor, preprocess(pixels.astype(np.uint8))),
    ):
        image = tf.constant(image)
        with tf.GradientTape() as tape:
            tape.watch(image)
            features = run(image)["block2_conv1"]
        results += [features, tape.gradient(features, image)]
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(
        found[1][..., ::-1], expected[1], rtol=1e-4, atol=1e-4
    )


@pytest.mark.slow
def test_asset_tells_what_rescaled_filters_were_divided_by(tmp_path):
    layers = {"content_layers": ("conv1_1",), "style_layers": ("conv1_2",)}
    images = tf.constant(np.full((1, 20, 24, 3), 200, np.float32))
    facts, features = [], []
    for is_rescaled in (True, False):
        made = export(tmp_path, rescale_filters=is_rescaled, **layers)
        facts.append(made.facts)
        model = made.load()
        features.append(model.signatures["serve"](images=images))
    assert facts[0]["weights_sha256"] != facts[1]["weights_sha256"]
    for name in ("block1_conv1", "block1_conv2"):
        means = np.array(facts[0]["filter_means"][name], np.float32)
        np.testing.assert_allclose(
            features[0][name] * means, features[1][name], rtol=1e-4, atol=1e-3
        )


@pytest.mark.slow
def test_versions_count_up_and_are_never_touched(tmp_path):
    (tmp_path / "7").mkdir()
    (tmp_path / "notes").mkdir()
    for version in ("8", "9"):
        assert export(tmp_path, **ONE_LAYER).path == str(tmp_path / version)
    assert sorted(os.listdir(tmp_path)) == ["7", "8", "9", "notes"]
    assert not os.listdir(tmp_path / "7")


@pytest.mark.slow
def test_main_exports_without_images(tmp_path):
    folder = tmp_path / "served"
    command = [sys.executable, "-m", "tfstyle.main", "--weights=random"]
    process = subprocess.run(
        [*command, "--flagfile=configs/export.cfg", f"--export_dir={folder}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    first, last = process.stderr.splitlines()
    assert first.endswith("weights: random, seed 0")
    assert last == f"Wrote {folder}/1"
    assert os.listdir(folder) == ["1"]


def test_failed_export_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(saved_model, "_rename_to_next_version", fail)
    with pytest.raises(OSError, match="no space left"):
        export(tmp_path, **ONE_LAYER)
    assert os.listdir(tmp_path) == []
