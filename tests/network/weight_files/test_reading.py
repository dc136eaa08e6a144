"""What other files are is said by name."""

import zipfile

import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network.weight_files.reading import read_weights


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x1c\0\0\0TFL3" + bytes(20), "LiteRT"),
        (b"\x93NUMPY\1\0" + bytes(20), "NumPy"),
        (b"\x1f\x8b\x08" + bytes(20), "gzip"),
        (b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "-v7"),
        (b"\x80\x04\x95\x05\0\0\0\0\0\0\0}.", "pickle"),
        (b"\x08\x08\x12\x07pytorch", "ONNX"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    ],
)
def test_other_files_are_named(tmp_path, content, text):
    path = tmp_path / "vgg19.weights"
    path.write_bytes(content)
    with refuses("", str(path), text, ".safetensors", kind=WeightsError) as e:
        read_weights(str(path))
    assert "damaged" not in str(e.value)


def test_other_archives_are_named(tmp_path):
    path = str(tmp_path / "vgg19.npz")
    np.savez(path, np.zeros(3))
    with refuses("", path, "ZIP archive", kind=WeightsError):
        read_weights(path)


def test_compressed_weights_of_a_keras_archive_are_refused(tmp_path):
    path = str(tmp_path / "vgg19.keras")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(1000))
    with refuses("", path, "is compressed", kind=WeightsError):
        read_weights(path)
