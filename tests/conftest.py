"""Fixtures: images from a seeded generator, networks of random weights."""

import os

import numpy as np
import pytest
import tensorflow as tf

from tests import ROOT

# Devices to share work; it can only be said before the first is used.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 4,
)


@pytest.fixture(scope="session", autouse=True)
def float32_by_default():
    """Makes `precision` auto float32 in this process, on every machine."""
    from tfstyle.system import processors

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processors, "is_bfloat16_faster", lambda: False)
        yield


@pytest.fixture
def generator():
    """Returns a seeded generator of random numbers."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def samples():
    """Returns the package's content and style image, uint8 [H, W, 3]."""
    from tfstyle.image_files.reading import read_image

    folder = ROOT / "tfstyle" / "samples"
    return tuple(
        read_image(str(folder / name)).pixels
        for name in ("scene.jpg", "strokes.jpg")
    )


@pytest.fixture(scope="session")
def random_weights():
    """Returns VGG19's weights drawn at random."""
    from tfstyle.network.weights import load_weights

    return load_weights("random")


@pytest.fixture(scope="session")
def real_weights():
    """Returns VGG19's ImageNet weights; without them, CI fails."""
    from tfstyle.errors import WeightsError
    from tfstyle.network.weights import load_weights

    try:
        return load_weights("auto")
    except WeightsError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"VGG19's weights cannot be loaded: {error}")


@pytest.fixture
def s3_server(monkeypatch, tmp_path):
    """Returns an S3 server and its file system, and sets a cache of its own."""
    from tests.stores import serve_s3

    monkeypatch.setenv("TFSTYLE_CACHE", str(tmp_path / "cache"))
    with serve_s3(monkeypatch) as found:
        yield found


@pytest.fixture
def s3(s3_server):
    """Returns the file system of an S3 server with the bucket `bucket`."""
    return s3_server[1]
