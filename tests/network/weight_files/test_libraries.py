"""Files of other libraries give the features of those libraries' networks.

`tools/test_weights.sh` installs the libraries; without them these are skipped.
"""

import numpy as np
import pytest

from tfstyle.images.preprocessing import preprocess
from tfstyle.network.extractor import load_extractor
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.options import NetworkOptions

NAMES = tuple(layer.name for layer in CONVOLUTIONS)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pixels():
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (39, 53, 3), np.uint8)


def assert_features(path, weights_input, pixels, expected):
    """Compares features of a file, to the edges, with others, `[H, W, C]`."""
    options = NetworkOptions(
        layers=NAMES,
        weights=str(path),
        weights_input=weights_input,
        pooling="max",
        padding="zero",
    )
    found = load_extractor(options)(preprocess(pixels))
    for name, other in zip(NAMES, expected, strict=True):
        error = np.abs(found[name][0] - other).max() / np.abs(other).max()
        assert error < 1e-5, name


def features_of_torch(features, pixels):
    """Returns rectified features of a torch Sequential, of normalised RGB."""
    torch = pytest.importorskip("torch")
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    image = (pixels / 255 - mean) / deviation
    image = torch.tensor(image, dtype=torch.float32).permute(2, 0, 1)[None]
    found = []
    with torch.no_grad():
        for layer in features:
            if isinstance(layer, torch.nn.ReLU):
                layer.inplace = False
            image = layer(image)
            if isinstance(layer, torch.nn.ReLU):
                found.append(image[0].permute(1, 2, 0).numpy())
    return found


@pytest.mark.parametrize("is_archive", [True, False])
def test_state_of_torchvision(tmp_path, pixels, is_archive):
    torch = pytest.importorskip("torch")
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    network = models.vgg19(weights=None)
    path = tmp_path / "vgg19.pth"
    torch.save(
        network.state_dict(), path, _use_new_zipfile_serialization=is_archive
    )
    expected = features_of_torch(network.features, pixels)
    assert_features(path, "torchvision", pixels, expected)
    path.unlink()


def test_safetensors_of_timm(tmp_path, pixels):
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    network = timm.create_model("vgg19", pretrained=False)
    path = tmp_path / "model.safetensors"
    save_file(network.state_dict(), path)
    expected = features_of_torch(network.features, pixels)
    assert_features(path, "torchvision", pixels, expected)
    path.unlink()


@pytest.mark.parametrize("part", ["backbone", "task"])
def test_weights_of_keras_hub(tmp_path, pixels, part):
    keras_hub = pytest.importorskip("keras_hub")
    import keras

    backbone = keras_hub.models.VGGBackbone(
        stackwise_num_repeats=[2, 2, 4, 4, 4],
        stackwise_num_filters=[64, 128, 256, 512, 512],
        image_shape=(None, None, 3) if part == "backbone" else (224, 224, 3),
    )
    model = backbone
    if part == "task":
        model = keras_hub.models.VGGImageClassifier(backbone, num_classes=3)
    path = tmp_path / "model.weights.h5"
    model.save_weights(path)
    outputs = [x.output for x in backbone.layers if "conv" in x.name]
    if part == "task":
        pixels = np.resize(pixels, (224, 224, 3))
    mean, deviation = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    image = np.float32((pixels / 255 - mean) / deviation)[np.newaxis]
    expected = keras.Model(backbone.inputs, outputs)(image)
    expected = [np.asarray(feature[0]) for feature in expected]
    assert_features(path, "torchvision", pixels, expected)
    path.unlink()


@pytest.mark.parametrize("name", ["vgg19.keras", "vgg19.h5"])
@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.filterwarnings("ignore:.*HDF5 file format is considered legacy")
def test_whole_models_of_keras(tmp_path, pixels, name):
    import keras

    network = keras.applications.VGG19(weights=None, classes=4)
    path = tmp_path / name
    network.save(path)
    outputs = [network.get_layer(name).output for name in NAMES]
    model = keras.Model(network.input, outputs)
    pixels = np.resize(pixels, (224, 224, 3))
    expected = [np.asarray(x[0]) for x in model(preprocess(pixels))]
    assert_features(path, "auto", pixels, expected)
    path.unlink()
