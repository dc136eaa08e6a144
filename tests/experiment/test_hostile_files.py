"""Files that mean harm: thousands mutated, some made by hand, none trusted.

Whatever lies in a file, reading it ends in a value or in the error that is
documented, soon, in memory that the file's own length or a limit bounds, and
nothing in it runs. The cases are the same at every run; marked `soak`, the same
generators make fifty times as many.
"""

import contextlib
import io
import json
import math
import pickle
import random
import reprlib
import subprocess
import sys
import time
import types
import zipfile

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tests import ROOT
from tests import hostile
from tests.processes import PATIENCE
from tests.refusals import refuses
from tfstyle.batch.manifest import read_manifest
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import CheckpointError
from tfstyle.errors import ConfigError
from tfstyle.errors import ImageError
from tfstyle.errors import WeightsError
from tfstyle.experiment import checkpoint
from tfstyle.experiment import inputs
from tfstyle.experiment import resume
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.resume import OtherRunError
from tfstyle.flags import flagfile
from tfstyle.flags.command_line import parse
from tfstyle.flags.parsers import make_flags
from tfstyle.image_files import reading as image_files
from tfstyle.image_files.masks import read_mask
from tfstyle.image_files.writing import write_image
from tfstyle.images.image_set import ImageSet
from tfstyle.network.weight_files import arrays
from tfstyle.network.weight_files import caffe_files
from tfstyle.network.weight_files import keras_files
from tfstyle.network.weight_files import reading
from tfstyle.network.weight_files.reading import read_weights
from tfstyle.training.state import State

PROMPT = 20  # seconds of the processor; hundreds of times what a case needs
ROOM = 128 * 1024  # kB; a bomb would take gigabytes
MAX_PIXELS = 200_000
MAX_LINE = 2000  # characters of a message

often = pytest.mark.parametrize(
    "factor", [1, pytest.param(50, marks=pytest.mark.soak)]
)


def save_bytes(path, content):
    path.write_bytes(content)
    return str(path)


def outcome(error, function, *arguments):
    """Returns a function's value, or the error if it is of the one kind.

    Anything else that is raised, or a line that is none, fails the test.
    """
    start = time.process_time()
    try:
        value = function(*arguments)
    except error as caught:
        value = caught
        assert len(str(value)) < MAX_LINE, str(value)
        assert str(value).isprintable(), str(value)
    assert time.process_time() - start < PROMPT
    return value


def read(error, function, path, *limits):
    """Returns what a reader returns, or its error, which names the file."""
    found = outcome(error, function, path, *limits)
    assert not isinstance(found, error) or repr(path) in str(found)
    return found


# Pictures.


@pytest.mark.slow
@often
def test_read_image_raises_image_errors_only(tmp_path, factor):
    pictures = hostile.make_pictures()
    path, num_read = tmp_path / "a.png", 0
    mutants = hostile.mutants("pictures", pictures, 4000 * factor)
    for number, content in enumerate(mutants):
        if content.startswith(b"\x89PNG") and number % 10:
            content = hostile.repair_png(content)
        name = save_bytes(path, content)
        found = read(ImageError, image_files.read_image, name, MAX_PIXELS)
        if not isinstance(found, ImageError):
            num_read += 1
            height, width, channels = found.pixels.shape
            assert found.pixels.dtype == np.uint8
            assert channels == 3
            assert 1 <= height * width <= MAX_PIXELS
            if found.alpha is not None:
                assert found.alpha.dtype == np.uint8
                assert found.alpha.shape == (height, width)
        mask = read(ImageError, read_mask, name, MAX_PIXELS)
        if not isinstance(mask, ImageError):
            assert mask.shape == found.pixels.shape[:2]
        text = read(ImageError, image_files.read_text, name)
        assert text is None or isinstance(text, (str, ImageError))
    assert 0.1 < num_read / (4000 * factor) < 0.9


# Flagfiles.


def parse_file(path):
    """Returns a flagfile's RunConfig, or the status and text that ended it."""
    out, err = io.StringIO(), io.StringIO()
    arguments = ["tfstyle", f"--flagfile={path}"]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            return parse(arguments, make_flags())
    except SystemExit as ended:
        return ended.code, err.getvalue()


def check_flagfile(path):
    found = outcome((), parse_file, path)
    if isinstance(found, RunConfig):
        assert found == RunConfig(**vars(found))
        return True
    status, text = found
    if status:
        assert status == 2
        line = text.splitlines()[-1]
        assert text.endswith(f"{line}\n")
        assert line.startswith("error: ")
        assert line.isprintable()
    return False


@often
def test_parse_takes_or_refuses_every_mutated_config(
    tmp_path, monkeypatch, factor
):
    monkeypatch.chdir(ROOT)  # configs name each other from there
    contents = [path.read_bytes() for path in ROOT.glob("configs/*.cfg")]
    mutants = hostile.mutants("configs", contents, 1000 * factor)
    num_taken = sum(
        check_flagfile(save_bytes(tmp_path / "a.cfg", content))
        for content in mutants
    )
    assert 0.1 < num_taken / (1000 * factor) < 0.9


values = st.text() | st.integers().map(str) | st.floats().map(str)
values |= st.lists(values | st.just('"'), max_size=4).map(",".join)
known = st.sampled_from(
    [*RunConfig.__dataclass_fields__, "undefok", "flags_from"]
)
lines = st.builds(
    "{}{}={}".format, st.sampled_from(["--", "-", "--no"]), known, values
)
lines |= st.text() | st.builds("--{}".format, known)


def repeat(function, strategy, num_examples):
    """Calls a function with examples, the same at every run."""
    limits = settings(
        max_examples=num_examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    limits(given(strategy)(lambda example: function(example)))()


@often
def test_parse_takes_or_refuses_every_text(tmp_path, factor):
    def check(written):
        content = "\n".join(written).encode("utf-8", "surrogatepass")
        check_flagfile(save_bytes(tmp_path / "a.cfg", content))

    repeat(check, st.lists(lines, max_size=4), 400 * factor)


def test_parse_refuses_name_of_flag_that_is_too_long(tmp_path):
    path = save_bytes(tmp_path / "a.cfg", b"--" + b"seed" * 1000)
    assert not check_flagfile(path)
    line = parse_file(path)[1].splitlines()[-1]
    assert "line 1" in line
    assert "seedseed" in line
    assert len(line) < 500


# Manifests.


def check_manifest(path):
    """Returns how many of the first pictures of a manifest can be painted."""
    found = read(ConfigError, read_manifest, path)
    if isinstance(found, ConfigError):
        return 0
    base = RunConfig(manifest=path)
    configs = [
        outcome(ConfigError, job.to_config, base, "w") for job in found[:99]
    ]
    return sum(isinstance(config, RunConfig) for config in configs)


TABLE = """# jobs
output_image;style_images;"#a
title";content_weight;;
x.png;"a.jpg,b.jpg";5;0.5;;
y.png;c.jpg
"""
LINES = """{"output_image": "x.png", "style_images": ["a.jpg"], "seed": 5}
{"output_image": "y.png", "content_image": "ü.jpg", "report": true}
"""
MANIFESTS = {
    "a.csv": (TABLE, TABLE.replace(";", "\t")),
    "a.jsonl": (LINES, f"[{LINES.strip().replace('}', '},', 1)}]"),
}


@often
@pytest.mark.parametrize("name", MANIFESTS)
def test_read_manifest_raises_config_errors_only(tmp_path, factor, name):
    comments = "# Early mutations fall here.\n" * 20
    contents = [
        (comments + text).encode(encoding)
        for text in MANIFESTS[name]
        for encoding in ("utf-8", "utf-16")
    ]
    count = 300 * factor
    num_taken = sum(
        check_manifest(save_bytes(tmp_path / name, content)) > 0
        for content in hostile.mutants("manifests", contents, count)
    )
    assert 0.1 < num_taken / count < 0.9


@pytest.mark.parametrize(
    ("start", "piece", "count", "end"),
    [
        ("output_image\n", 'b","\n', 20_000, ""),
        ('output_image\na,"\n', '""\n', 20_000, ""),
        ("output_image\n", '"a\n', 20_000, ""),
        ("", "#\n", 50_000, ""),
        ('{"a": [1,\n' * 900, "1,\n", 20_000, ""),
        ("{", "\n{", 20_000, ""),
        ("[", '{"seed": 1},', 20_000, "}]"),
        ('{"a": ', "[", 500_000, ""),
        ("", " ", 900_000, "x"),
        ('{"seed":', "1", 900_000, "}"),
        ("output_image,num_steps\nx.png,", "1.0", 40_000, ""),
        ('output_image,style_images\nx.png,"', " \n", 60_000, '"'),
    ],
)
def test_time_of_read_manifest_grows_no_faster_than_file(
    tmp_path, start, piece, count, end
):
    def seconds(count):
        content = (start + piece * count + end).encode()
        path, times = save_bytes(tmp_path / "a.csv", content), []
        for _ in range(3):
            begun = time.process_time()
            with contextlib.suppress(ConfigError):
                read_manifest(path)
            times.append(time.process_time() - begun)
        return min(times)

    # Reading in quadratic time would need 64 times as long.
    assert seconds(count) < 20 * seconds(count // 8) + 0.5


# Names.


@pytest.mark.parametrize(
    "name", ['the "a", b.png', "ä猫\U0001f600.png", "-a=#'.png", "a #1.png"]
)
def test_pictures_of_any_name_are_read_as_a_flagfile_says(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    write_image(name, np.full((16, 17, 3), 255, np.uint8))
    fields = ("style_images", "content_masks", "style_masks")
    config = RunConfig(content_image=name, **{key: [name] for key in fields})
    text = flagfile.make_text(config.to_flags(), {})
    path = save_bytes(tmp_path / "flags.cfg", text.encode())
    assert parse_file(path) == config
    images = inputs.read_images(config)
    assert images.content.pixels.shape == (16, 17, 3)
    assert images.style_masks[0].shape == (16, 17)


@pytest.mark.parametrize("field", ["content_masks", "style_masks"])
def test_name_of_two_lines_is_refused_by_its_field(field):
    with refuses(field, r"a\n--seed=1"):
        RunConfig(**{field: ["a\n--seed=1"]})


# Weight files.


@pytest.fixture
def two_layers(monkeypatch):
    """Leaves VGG19 its first two layers, so that reading one is quick."""
    layers = keras_files.CONVOLUTIONS[:2]
    monkeypatch.setattr(keras_files, "CONVOLUTIONS", layers)


@often
def test_read_weights_raises_weights_errors_only(two_layers, tmp_path, factor):
    packed = {"chunks": (3, 3, 3, 8), "compression": "gzip"}
    contents = [
        hostile.make_h5(),
        hostile.make_h5(of_file={"libver": "latest"}),
        hostile.make_h5(**packed, fletcher32=True),
    ]
    num_read, shapes = 0, [(3, 3, 64, 64), (64,)]
    for content in hostile.mutants("weights", contents, 2000 * factor):
        path = save_bytes(tmp_path / "a.h5", content)
        found = read(WeightsError, read_weights, path)
        if not isinstance(found, WeightsError):
            num_read += 1
            found_shapes = [a.shape for a in found.layers["block1_conv2"]]
            assert found_shapes == shapes
    assert 0.05 < num_read / (2000 * factor) < 0.9


@pytest.mark.slow
@often
def test_other_formats_of_weights_raise_weights_errors_only(
    monkeypatch, tmp_path, factor
):
    """VGG19 has one layer here; of torch's files only the biases are read."""
    for module in (arrays, caffe_files):
        monkeypatch.setattr(module, "CONVOLUTIONS", module.CONVOLUTIONS[:1])
    folder = ROOT / "tests" / "network" / "weight_files"
    contents = [path.read_bytes() for path in sorted(folder.glob("*.pth"))]
    tensors = {"features.0.weight": np.ones((64, 3, 3, 3), np.float32)}
    tensors["features.0.bias"] = np.ones(64, np.float32)
    contents += [safetensors.numpy.save(tensors), hostile.make_caffemodel()]

    def read_biases(shapes, read):
        """Stands in for `find_layers`, whose kernels are large."""
        return {n: read(n) for n, shape in shapes.items() if len(shape) == 1}

    monkeypatch.setattr(reading, "find_layers", read_biases)
    num_read = 0
    for content in hostile.mutants("other weights", contents, 2000 * factor):
        path = save_bytes(tmp_path / "a.pth", content)
        found = read(WeightsError, lambda x: read_weights(x, "caffe"), path)
        if not isinstance(found, WeightsError):
            num_read += 1
            (shapes,) = [[a.shape for a in x] for x in found.layers.values()]
            assert shapes == [(3, 3, 3, 64), (64,)]
    assert 0.05 < num_read / (2000 * factor) < 0.5


# Checkpoints.


def probe(path):
    """Reads all of a checkpoint like a run; returns whether it is intact."""
    found = read(CheckpointError, checkpoint.read_checkpoint, path)
    if isinstance(found, CheckpointError):
        return False
    is_whole, variable = True, types.SimpleNamespace(assign=np.asarray)
    for name, variable.shape in hostile.SHAPES.items():
        given = name, variable.shape
        array = outcome(CheckpointError, found.state.array, *given)
        again = outcome(CheckpointError, found.state.restore, name, variable)
        if isinstance(array, CheckpointError):
            assert isinstance(again, CheckpointError)
            is_whole = False
        else:
            assert array.shape == variable.shape
            assert not array.shape or array.dtype == np.float32
    probe_numbers(found.state)
    part = outcome(CheckpointError, found.state.part, "optimizer")
    if isinstance(part, State):
        probe_numbers(part)
    return is_whole


def probe_numbers(state):
    """Reads numbers of a state as if each were of every kind."""
    for name in ("level", "steps", "evaluations", "num_pairs", "scale"):
        number = outcome(CheckpointError, state.integer, name, 0, 9)
        assert isinstance(number, CheckpointError) or number in range(10)
        for count in (1, 2):
            numbers = outcome(CheckpointError, state.reals, name, count)
            if not isinstance(numbers, CheckpointError):
                assert len(numbers) == count
                assert all(map(math.isfinite, numbers))


@often
def test_read_checkpoint_raises_checkpoint_errors_only(
    tmp_path, monkeypatch, factor
):
    monkeypatch.setattr(pickle, "loads", None)
    monkeypatch.setattr(pickle, "load", None)
    rng = random.Random("checkpoints")
    content = hostile.make_checkpoint(tmp_path, {"flags": {}}).read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    path, num_whole = tmp_path / "a.npz", 0
    for number in range(3000 * factor):
        if number % 2:
            save_bytes(path, hostile.mutate(content, content, rng))
        else:
            name = rng.choice(sorted(members))
            damaged = hostile.mutate(members[name], members["image.npy"], rng)
            hostile.rewrite(members | {name: damaged}, path)
        num_whole += probe(str(path))
    assert 0.01 < num_whole / (3000 * factor) < 0.9


texts = st.text(max_size=5) | st.sampled_from(["auto", "\x1b[2J\n", "9" * 3000])
numbers = st.integers() | st.floats() | st.sampled_from([10**400, -1, 1, 1e300])
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
)
IMAGES = ImageSet.of_arrays(None, [np.ones((6, 5, 3), np.uint8)])
CONFIG = RunConfig(style_images=["b.png"], num_levels=2, num_steps=(10, 20))
JOB = RunIdentity.of_request(CONFIG, IMAGES).to_json()


def find_checkpoint(folder):
    """Reads a workdir's checkpoint as a run does before it loads TensorFlow."""
    asked = RunIdentity.of_request(CONFIG, IMAGES)
    return resume.find_checkpoint(CONFIG.resume, asked, str(folder))


def drawn(content, names, values=anything):
    """Returns what draws a dict with some of its values replaced."""
    some = st.sampled_from(names)
    return st.dictionaries(some | texts, values, max_size=3).map(
        lambda changes: content | changes
    )


@pytest.mark.slow
@often
def test_numbers_of_wrong_types_are_errors_of_ours(tmp_path, factor):
    path = tmp_path / "checkpoints" / "step_000012_evaluation_0000014.npz"
    path.parent.mkdir()
    ends = set()

    def check(header):
        hostile.rewrite({"checkpoint.json": json.dumps(header)}, path)
        probe(str(path))
        errors = CheckpointError, ConfigError
        ends.add(type(outcome(errors, find_checkpoint, tmp_path)))

    names = ["convolution", "jit_compile", "seed"]
    given = drawn(JOB["flags"], names, texts).map(lambda f: JOB | {"flags": f})
    job = st.just(JOB) | drawn(JOB, sorted(JOB)) | given
    state = drawn(hostile.NUMBERS, sorted(hostile.NUMBERS))
    header = {"format": st.just(1), "job": job, "state": state}
    repeat(check, st.fixed_dictionaries(header) | anything, 300 * factor)
    assert ends == {CheckpointError, OtherRunError, tuple}


@pytest.mark.parametrize("value", [10**400, -(10**400), float("nan"), [[]]])
def test_number_beyond_counting_is_refused(value):
    state = State({"total": [value]}, {})
    with refuses("", "total", reprlib.repr(value), kind=CheckpointError):
        state.reals("total", 1)


def test_number_nested_as_deep_as_can_be_is_refused():
    value = 0
    for _ in range(sys.getrecursionlimit() + 100):
        value = [value]
    with refuses("", "level", "[[[[[[", kind=CheckpointError):
        State({"level": value}, {}).integer("level", 0, 9)


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<i8", "<f2", "|b1"])
def test_array_of_another_type_is_refused(tmp_path, dtype):
    path = hostile.make_checkpoint(tmp_path, {})
    shape = hostile.SHAPES["image"]
    array = hostile.make_npy(shape, dtype, np.ones(shape, dtype).tobytes())
    header = json.dumps({"format": 1, "job": {}, "state": {}})
    hostile.rewrite({"checkpoint.json": header, "image.npy": array}, path)
    state = checkpoint.read_checkpoint(str(path)).state
    with refuses("", "image", kind=CheckpointError):
        state.array("image", shape)


def test_other_flags_cannot_steer_the_terminal(tmp_path):
    job = JOB | {"flags": JOB["flags"] | {"seed\x1b[2J": "\x1b]0;"}}
    hostile.make_checkpoint(tmp_path / "checkpoints", job)
    found = outcome(ConfigError, find_checkpoint, tmp_path)
    assert r"seed\x1b[2J was \x1b]0;" in str(found)


# Bombs, each read by a process of its own memory.


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make_bombs", "functions", "expected"),
    [
        (hostile.make_image_bombs, ("read_image", "read_text"), "ImageError"),
        (hostile.make_weight_bombs, ("read_weights",), "WeightsError"),
        (hostile.make_checkpoint_bombs, ("read_arrays",), "CheckpointError"),
    ],
)
def test_bombs_are_refused_in_little_time_and_memory(
    make_bombs, functions, expected, tmp_path
):
    paths = [save_bytes(tmp_path / n, c) for n, c in make_bombs().items()]
    jobs = [(function, path) for path in paths for function in functions]
    ended = subprocess.run(
        [sys.executable, "-c", hostile.READ],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    found = list(map(json.loads, ended.stdout.splitlines()))
    assert ended.returncode == 0, jobs[len(found)]
    for (function, path), (name, text, grown) in zip(jobs, found, strict=True):
        assert grown < ROOM, (path, text)
        # Where only the text is asked for, pixels may be as they like.
        is_free = function == "read_text" or path.endswith(hostile.READABLE)
        assert name == expected or is_free, (path, text)
        assert text.isprintable()
