"""The SavedModel, loaded where neither tfstyle nor Keras can be imported."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import ROOT
from tests import references
from tfstyle.config.run_config import RunConfig
from tfstyle.image_files.writing import write_image
from tfstyle.images.preprocessing import preprocess
from tfstyle.objective.gram import gram_sum
from tfstyle.serving import saved_model
from tfstyle.training.extractor import make_extractor

FEATURES = 1e-4  # against float64
ROUNDING = 1e-5  # another order of the same sums
STRANGER = """
import sys
sys.modules["keras"] = sys.modules["tfstyle"] = None
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
given = np.load(sys.argv[2], allow_pickle=False)
found = {}
for name in given.files:
    endpoint = model.signatures[name.split("-")[0]]
    _, signature = endpoint.structured_input_signature
    value = tf.constant(given[name])
    if value.dtype == tf.string:
        value = tf.constant([file for file in given[name].tolist()])
    arguments = {argument: value for argument in signature}
    if "size" in signature:
        arguments["size"] = tf.constant([16, 21])
    try:
        outputs = endpoint(**arguments)
    except tf.errors.InvalidArgumentError as error:
        outputs = {"error": np.array(str(error))}
    for key, output in outputs.items():
        found[f"{name}/{key}"] = np.asarray(output)
np.savez(sys.argv[3], **found)
"""


ONE_LAYER = {"content_layers": ("conv1_1",), "style_layers": ("conv1_1",)}


def export(folder, **fields):
    """Exports a network; returns the path of the version, facts, extractor."""
    options = {"weights": "random", "convolution": "direct"} | fields
    config = RunConfig(**options).resolved()
    extractor = make_extractor(config)
    path = saved_model.export_extractor(extractor, config, str(folder))
    with open(f"{path}/assets/tfstyle.json", encoding="utf-8") as file:
        return path, json.load(file), extractor


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Returns the export of the default layers."""
    folder = tmp_path_factory.mktemp("export") / "features"
    return export(folder, pooling="average", padding="zero")


@pytest.fixture(scope="module")
def exported(whole):
    """Returns the path of a version."""
    return whole[0]


@pytest.fixture(scope="module")
def facts(whole):
    """Returns the description of the version."""
    return whole[1]


@pytest.fixture
def ask(exported, tmp_path):
    """Returns a function that asks endpoints in a process of TensorFlow only.

    What is asked is named `endpoint-anything`; answers are `.../output`.
    """

    def run(**given):
        given = {name.replace("_at_", "-"): v for name, v in given.items()}
        np.savez(tmp_path / "given.npz", **given)
        command = [sys.executable, "-c", STRANGER, exported]
        command += [tmp_path / "given.npz", tmp_path / "found.npz"]
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(command, check=True, cwd=tmp_path, env=environment)
        return dict(np.load(tmp_path / "found.npz", allow_pickle=False))

    return run


@pytest.fixture
def batches(generator):
    return (
        generator.integers(0, 256, (1, 33, 50, 3)).astype(np.uint8),
        generator.integers(0, 256, (3, 16, 21, 3)).astype(np.uint8),
    )


def relative_error(actual, expected):
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


def test_reloaded_equals_live_at_two_sizes_and_batches(
    ask, batches, whole, facts
):
    extractor = whole[2]
    found = ask(
        **{
            f"{endpoint}_at_{number}": batch.astype(dtype)
            for number, batch in enumerate(batches)
            for endpoint, dtype in (
                ("serve", np.float32),
                ("serve_uint8", np.uint8),
                ("serving_default", np.float32),
                ("gram", np.float32),
                ("style_descriptor", np.float32),
            )
        }
    )
    for number, batch in enumerate(batches):
        for index, pixels in enumerate(batch):
            features = extractor(tf.constant(preprocess(pixels)))
            for name, expected in features.items():
                for endpoint in ("serve", "serve_uint8", "serving_default"):
                    value = found[f"{endpoint}-{number}/{name}"]
                    assert value.dtype == np.float32
                    assert relative_error(value[index], expected[0]) < ROUNDING
            triangles = []
            for name in facts["style_layers"]:
                gram = gram_sum(features[name]).normalized().numpy()
                value = found[f"gram-{number}/{name}"][index]
                assert relative_error(value, gram) < ROUNDING
                triangles.append(gram[np.triu_indices(len(gram))])
            descriptor = found[f"style_descriptor-{number}/style_descriptor"]
            expected = np.concatenate(triangles)
            assert descriptor.shape == (len(batch), 305_888)
            assert relative_error(descriptor[index], expected) < ROUNDING


def test_features_equal_an_independent_vgg19(
    ask, batches, random_weights, facts
):
    pixels = batches[0]
    found = ask(serve_uint8=pixels)
    expected = references.forward(
        preprocess(pixels[0])[0], random_weights.layers, "block5_conv1"
    )
    for name in (*facts["content_layers"], *facts["style_layers"]):
        value = found[f"serve_uint8/{name}"][0]
        assert relative_error(value, expected[name]) < FEATURES


@pytest.mark.slow
def test_real_features_equal_an_independent_vgg19(
    samples, real_weights, tmp_path
):
    path, facts, _ = export(
        tmp_path, weights="auto", pooling="average", padding="zero"
    )
    pixels = samples[0][200:249, 300:367]
    endpoint = tf.saved_model.load(path).signatures["serve_uint8"]
    found = endpoint(images=tf.constant(pixels[np.newaxis]))
    expected = references.forward(
        preprocess(pixels)[0], real_weights.layers, "block5_conv1"
    )
    for name in (*facts["content_layers"], *facts["style_layers"]):
        assert relative_error(found[name][0], expected[name]) < FEATURES


def test_encoded_decodes_in_the_graph(ask, batches, tmp_path):
    pixels = batches[1][:2]
    files = []
    for number, image in enumerate(pixels):
        path = str(tmp_path / f"{number}.png")
        write_image(path, image)
        with open(path, "rb") as file:
            files.append(file.read())
    sample = (ROOT / "tfstyle" / "samples" / "scene.jpg").read_bytes()
    found = ask(
        encoded=np.array(files),
        serve_uint8=pixels,
        encoded_at_cut=np.array([files[0][:60]]),
        encoded_at_else=np.array([b"not a picture"]),
        encoded_at_sizes=np.array([files[0], sample]),
        encoded_resized=np.array([files[0], sample]),
    )
    for name in ("block1_conv1", "block5_conv1"):
        expected = found[f"serve_uint8/{name}"]
        np.testing.assert_array_equal(found[f"encoded/{name}"], expected)
        resized = found[f"encoded_resized/{name}"]
        assert resized.shape == expected.shape
        assert relative_error(resized[0], expected[0]) < ROUNDING
    assert "Invalid PNG" in str(found["encoded-cut/error"])
    assert "[576,768,3]" in str(found["encoded-sizes/error"])
    assert "Unknown image file format" in str(found["encoded-else/error"])


def test_keras_layer_runs_a_signature(exported, batches):
    layer = keras.layers.TFSMLayer(exported, call_endpoint="serve")
    images = tf.constant(batches[1], tf.float32)
    found = layer(images)
    expected = tf.saved_model.load(exported).signatures["serve"](images=images)
    assert found.keys() == expected.keys()
    for name, features in expected.items():
        assert relative_error(found[name], features) < ROUNDING


def test_too_small_an_image_is_told_so(ask):
    found = ask(
        serve=np.zeros((1, 15, 40, 3), np.float32),
        gram=np.zeros((1, 40, 15, 3), np.float32),
        serve_uint8=np.zeros((1, 16, 16, 3), np.uint8),
    )
    text = "Images must be at least 16 pixels high and wide."
    assert text in str(found["serve/error"])
    assert text in str(found["gram/error"])
    assert "serve_uint8/block5_conv1" in found


@pytest.mark.slow
def test_smallest_side_is_a_position_of_the_deepest_layer(tmp_path):
    layers = {"content_layers": ("pool5",), "style_layers": ("conv1_1",)}
    _, facts, _ = export(tmp_path, **layers)
    assert facts["smallest_side"] == 32


def test_only_layers_that_are_asked_for_are_written(exported):
    size = sum(
        os.path.getsize(os.path.join(folder, name))
        for folder, _, names in os.walk(exported)
        for name in names
    )
    assert 51.7e6 < size < 54e6


def test_asset_describes_the_export(whole, facts):
    config = RunConfig().resolved()
    assert facts["format"] == 1
    assert tuple(facts["style_layers"]) == config.style_layers
    assert tuple(facts["content_layers"]) == config.content_layers
    assert facts["pooling"] == "average"
    assert facts["padding"] == "zero"
    assert facts["filter_means"] is None
    assert facts["weights_sha256"] == whole[2].sha256
    assert facts["versions"]["tensorflow"] == tf.__version__
    assert facts["smallest_side"] == 16
    assert "WebP" in facts["input"]["encoded_formats"]
    assert "upright" in facts["input"]["encoded_differs_from_tfstyle"][0]


@pytest.mark.slow
def test_export_pools_by_root_mean_square_with_its_gradient(tmp_path):
    layers = {"content_layers": ("conv1_1",), "style_layers": ("conv2_1",)}
    path, facts, extractor = export(tmp_path, pooling="rms", **layers)
    assert facts["pooling"] == "rms"
    loaded = tf.saved_model.load(path)
    serve = loaded.signatures["serve"]
    pixels = np.random.default_rng(0).integers(0, 256, (19, 24, 3))
    found, expected = [], []
    for results, run, image in (
        (found, lambda x: serve(images=x), pixels[None].astype(np.float32)),
        (expected, extractor, preprocess(pixels.astype(np.uint8))),
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
        path, described, _ = export(
            tmp_path, rescale_filters=is_rescaled, **layers
        )
        facts.append(described)
        model = tf.saved_model.load(path)
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
        path, _, _ = export(tmp_path, **ONE_LAYER)
        assert path == str(tmp_path / version)
    assert sorted(os.listdir(tmp_path)) == ["7", "8", "9", "notes"]
    assert not os.listdir(tmp_path / "7")


@pytest.mark.soak
def test_saved_model_cli_shows_and_runs(exported, tmp_path):
    tool = os.path.join(os.path.dirname(sys.executable), "saved_model_cli")
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    common = [f"--dir={exported}", "--tag_set=serve"]
    shown = subprocess.run(
        [tool, "show", *common, "--signature_def=serve"],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    ).stdout
    assert "shape: (-1, -1, -1, 3)" in shown
    assert "block4_conv2" in shown
    np.save(tmp_path / "images.npy", np.ones((2, 20, 24, 3), np.uint8))
    subprocess.run(
        [
            *(tool, "run", *common, "--signature_def=serve_uint8"),
            f"--inputs=images={tmp_path}/images.npy",
            f"--outdir={tmp_path}",
        ],
        check=True,
        capture_output=True,
        env=environment,
    )
    assert np.load(tmp_path / "block4_conv2.npy").shape == (2, 2, 3, 512)


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
