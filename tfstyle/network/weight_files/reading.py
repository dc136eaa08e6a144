"""Reads a file of VGG19's weights, in whatever format it is."""

import dataclasses
import functools
import os
import zipfile

from tfstyle.errors import RemoteFileError
from tfstyle.errors import WeightsError
from tfstyle.errors import one_line
from tfstyle.network.weight_files import caffe_files
from tfstyle.network.weight_files import keras_files
from tfstyle.network.weight_files import matlab_files
from tfstyle.network.weight_files import safetensors_files
from tfstyle.network.weight_files import torch_files
from tfstyle.network.weight_files import wheel
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.weight_files.arrays import find_layers
from tfstyle.network.weight_files.arrays import hash_weights
from tfstyle.network.weight_files.inputs import INPUTS
from tfstyle.network.weight_files.inputs import Input
from tfstyle.network.weight_files.inputs import convert
from tfstyle.system import remote_files

FORMATS = (
    "Keras' .weights.h5, .h5 or .keras, torch's .pth, .safetensors, Caffe's"
    " .caffemodel or MatConvNet's .mat"
)
_OTHERS = {
    b"TFL3": "a model of LiteRT (.tflite)",
    b"\x93NUMPY": "an array of NumPy (.npy)",
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"MATLAB 7.3": "a .mat of version 7.3; save it with the option -v7",
    b"\x80": "a pickle of Python, which could run code",
    b"\x08": "a model of ONNX or TensorFlow",
    b"<": "a web page; the download failed",
    b"version https://git-lfs": "a pointer of Git LFS; run: git lfs pull",
}
"""What other files are, by their first bytes; of `.tflite` by the fifth on."""


@dataclasses.dataclass(frozen=True)
class FileWeights:
    """Weights of a file, for an input of BGR without ImageNet's mean.

    Attributes:
        layers: kernel and bias of the sixteen convolutions by Keras layer name.
        offset: addend of the input of each channel, BGR, grey levels. Zero for
            networks with ImageNet's mean as in Caffe.
        network: name of the network.
    """

    layers: dict[str, LayerWeights]
    offset: tuple[float, float, float]
    network: str

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of names, shapes, values and the offset unless it is zero."""
        return hash_weights(self.layers, self.offset)


def read_weights(path: str, weights_input: str = "auto") -> FileWeights:
    """Reads a file of VGG19's weights; its format is found from its content.

    Args:
        path: path or address of the file.
        weights_input: `auto`: what the network takes is found from the file;
            else a key of INPUTS, for networks that are not known.

    Raises:
        WeightsError: if the file cannot be read or does not hold VGG19's
            weights; the message names the file, layer and shape.
    """
    try:
        local = remote_files.fetch(path)
    except RemoteFileError as error:
        raise WeightsError(f"Weight file {error}") from error
    if not os.path.isfile(local):
        exists = os.path.exists(local)
        kind = "is not a regular file" if exists else "does not exist"
        raise WeightsError(
            f"Weight file {path!r} {kind}. Give VGG19 as {FORMATS}, or `auto`"
            " to download it."
        )
    try:
        return FileWeights(*convert(*read_layers(local), weights_input))
    except MemoryError:
        raise
    except WeightsError as error:
        raise WeightsError(f"Weight file {path!r}: {error}") from error
    # h5py, SciPy and zipfile raise errors of many types for a damaged file.
    except Exception as error:
        reason = one_line(str(error) or repr(error))
        raise WeightsError(
            f"Weight file {path!r} cannot be read ({reason}). It is truncated,"
            " damaged or not a weight file; download it again."
        ) from error


def read_layers(path: str) -> tuple[dict[str, LayerWeights], Input | None]:
    """Reads layers as they are in a file, and the input its format implies.

    Args:
        path: path of the file.

    Raises:
        Exception: of any type if the file is damaged.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive)
    with open(path, "rb") as file:
        start = file.read(32)
        file.seek(0)
        if matlab_files.is_matlab(start):
            return matlab_files.read_mat(path)
        if torch_files.is_legacy(start):
            return _find(torch_files.read_legacy(file)), None
        if safetensors_files.is_safetensors(start):
            return safetensors_files.read_safetensors(file), None
        for magic, kind in _OTHERS.items():
            if start.startswith(magic) or magic == start[4:8]:
                raise WeightsError(f"it is {kind}. Give {FORMATS}.")
        if caffe_files.is_caffemodel(start):
            return caffe_files.read_caffemodel(file), INPUTS["caffe"]
    return keras_files.read_h5(path), INPUTS["caffe"]


def _read_archive(
    archive: zipfile.ZipFile,
) -> tuple[dict[str, LayerWeights], Input | None]:
    names = archive.namelist()
    if wheel.MEMBER in names:
        return wheel.read_wheel(archive), INPUTS["caffe"]
    if keras_files.MEMBER in names:
        return keras_files.read_archive(archive), INPUTS["caffe"]
    pickles = [name for name in names if name.endswith("/data.pkl")]
    if len(pickles) == 1:
        folder = pickles[0].rpartition("/")[0]
        return _find(torch_files.read_archive(archive, folder)), None
    raise WeightsError(
        f"it is a ZIP archive of something else. Give {FORMATS}."
    )


def _find(tensors: torch_files.Tensors) -> dict[str, LayerWeights]:
    return find_layers(tensors.shapes, tensors.read)
