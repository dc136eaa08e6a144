"""The command line program as a process: status, terminal, files."""

import fcntl
import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

from tests import ROOT
from tests.processes import PATIENCE
from tests.processes import finish
from tests.processes import start
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.reading import read_text

SMOKE = [
    "--flagfile=configs/smoke.cfg",
    "--image_size=32",
    "--num_steps=2",
]
FILES = [
    "--content_image=tfstyle/samples/scene.jpg",
    "--style_images=tfstyle/samples/strokes.jpg",
]
"""Of smoke.cfg; a picture tells their names only."""
OURS = re.compile(
    r"TensorFlow [\d.]+ on (CPU|\d+ GPU).*; weights: .*"
    r"|\d+x\d+ pixels, workdir .*"
    r"|Needs about \S+ GB of memory, .* free; \S+ GB of disk, \S+ GB are free"
    r"|step \d+/\d+, loss \S+, \S+ evaluations/s(, \d+ s left)?"
    r"|Done after \d+ steps, \d+ evaluations, \S+ s: loss \S+"
    r"|Wrote .*"
)


def run(*arguments, **environment):
    """Returns exit status, stdout and stderr's lines."""
    process = start(*arguments, env=os.environ | environment)
    stdout, stderr = process.communicate()
    return process.returncode, stdout, stderr.splitlines()


def paint(*arguments, **environment):
    """Paints a picture; returns stdout and stderr's lines."""
    status, stdout, lines = run(*arguments, **environment)
    assert status == 0, lines
    return stdout, lines


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    """Returns the workdir and stderr of a run of smoke.cfg."""
    workdir = tmp_path_factory.mktemp("runs") / "first"
    stdout, lines = paint(*SMOKE, f"--workdir={workdir}")
    assert stdout == ""
    return workdir, lines


def test_terminal_shows_only_what_tfstyle_says(first_run):
    _, lines = first_run
    assert len(lines) == 7
    for line in lines:
        assert OURS.fullmatch(line), line


@pytest.mark.slow
def test_terminal_tells_levels_and_what_a_missing_style_means(tmp_path):
    flags = ("--style_images=", "--image_size=64", "--num_levels=2")
    _, lines = paint(*SMOKE, *flags, f"--workdir={tmp_path}")
    (note,) = [line for line in lines if line.startswith("No --")]
    assert "the content image is reconstructed" in note
    (levels,) = [line for line in lines if "anew" in line]
    assert levels.startswith("2 steps at 32 px, then 2 steps at 64 px;")
    assert "Done after 4 steps (2 + 2), " in "\n".join(lines)


def test_workdir_holds_picture_flags_and_metrics(first_run):
    workdir, _ = first_run
    names = sorted(path.name for path in workdir.iterdir())
    assert names == [
        *(".lock", "checkpoints", "events"),
        *("flags.cfg", "metrics.jsonl", "output.png"),
    ]
    with Image.open(workdir / "output.png") as image:
        assert (image.size, image.mode) == ((32, 24), "RGB")
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(line) for line in lines]
    assert [line["step"] for line in metrics] == [0, 2]
    assert metrics[0]["total"] > metrics[1]["total"]
    assert list(metrics[0])[:9] == [
        *("step", "evaluations", "level", "height", "width", "seconds"),
        *("total", "content/block4_conv2", "style/block1_conv1"),
    ]


def test_picture_says_how_it_was_made(first_run):
    workdir, _ = first_run
    text = read_text(str(workdir / "output.png"))
    flags = (workdir / "flags.cfg").read_text()
    assert "--content_image=tfstyle/samples/scene.jpg\n" in flags
    # Why the run ended is of the run, not of the picture.
    before, ended, after = flags.partition("# ended: steps\n")
    assert ended
    assert text == (before + after).replace("=tfstyle/samples/", "=")
    assert "--seed=0" in text
    assert "--style_layer_weights=0.2,0.2,0.2,0.2,0.2" in text
    assert re.search(
        r"^# weights: random, seed 0 sha256=[0-9a-f]{64}$", text, re.M
    )
    assert re.search(r"^# content_image: 768x576 sha256=", text, re.M)
    assert str(workdir) not in text
    for name in ("workdir", "output_image", "overwrite", "log_every_steps"):
        assert f"--{name}=" not in text


@pytest.mark.slow
@pytest.mark.parametrize("source", ["flagfile", "picture", "keras.json"])
def test_same_flags_make_the_same_bytes(source, first_run, tmp_path):
    workdir, _ = first_run
    output = workdir / "output.png"
    arguments, environment = SMOKE, {}
    if source == "flagfile":
        arguments = [f"--flagfile={workdir / 'flags.cfg'}"]
    elif source == "picture":
        stdout, lines = paint(f"--flags_from={output}", "--print_flags")
        assert lines == []
        assert "--content_image=scene.jpg\n" in stdout
        (tmp_path / "again.cfg").write_text(stdout)
        arguments = [f"--flagfile={tmp_path / 'again.cfg'}", *FILES]
    else:  # of another layout, which changes nothing
        settings = {"image_data_format": "channels_first", "backend": "jax"}
        (tmp_path / "keras.json").write_text(json.dumps(settings))
        environment = {"KERAS_HOME": str(tmp_path)}
    again = tmp_path / "run"
    paint(*arguments, f"--workdir={again}", **environment)
    assert (again / "output.png").read_bytes() == output.read_bytes()


@pytest.mark.slow
def test_run_writes_the_events_pictures_and_report_it_is_asked_for(tmp_path):
    from tensorboard.backend.event_processing import event_accumulator

    paint(
        *(*SMOKE, "--image_every_steps=1", "--preview_every_seconds=0.001"),
        *("--report", f"--workdir={tmp_path}"),
    )
    events = event_accumulator.EventAccumulator(
        str(tmp_path / "events"), {"tensors": 0}
    )
    events.Reload()
    tags = events.Tags()["tensors"]
    first = (tmp_path / "metrics.jsonl").read_text().splitlines()[0]
    assert {"total", "style/block1_conv1", "image"} <= set(tags)
    total, *_ = events.Tensors("total")
    assert tf.make_ndarray(total.tensor_proto) == pytest.approx(
        json.loads(first)["total"]
    )
    assert [event.step for event in events.Tensors("image")] == [0, 1, 2]
    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert names == ["000001.png", "000002.png", "000003.png"]
    last = read_image(str(tmp_path / "images" / "000003.png")).pixels
    final = read_image(str(tmp_path / "output.png")).pixels
    np.testing.assert_array_equal(last, final)
    preview = read_image(str(tmp_path / "preview.jpg")).pixels.astype(int)
    assert np.abs(preview - final).mean() < 3  # a JPEG's loss
    page = (tmp_path / "report.html").read_text()
    # Result, content, style; three steps; two charts.
    assert page.count("<img") == 3 + 3 + 2
    for text in ("Step 0<", "Step 2<", "block4_conv2", "--seed=0", "sha256="):
        assert text in page


@pytest.mark.soak
def test_missing_tensorboard_is_said_in_one_line(tmp_path):
    code = (
        "import sys; from importlib import util; find = util.find_spec;"
        "util.find_spec = lambda name, *rest: None if name == 'tensorboard'"
        " else find(name, *rest);"
        "from tfstyle import main; main.run()"
    )
    program = ("-c", code)
    process = start(*SMOKE, f"--workdir={tmp_path}", program=program)
    status, stderr = finish(process)
    assert status == 0, stderr
    said = [x for x in stderr.splitlines() if "TensorBoard" in x]
    assert said == ["No TensorBoard events: pip install tensorboard"]
    assert not (tmp_path / "events").exists()


@pytest.mark.slow
def test_masks_and_initial_image_are_read(tmp_path, generator):
    mask = np.zeros((30, 40), np.uint8)
    mask[:, 20:] = 255
    Image.fromarray(mask).save(tmp_path / "right.png")
    Image.fromarray(255 - mask).save(tmp_path / "left.png")
    paint(
        *SMOKE,
        "--style_images=tfstyle/samples/strokes.jpg,tfstyle/samples/scene.jpg",
        f"--content_masks={tmp_path / 'left.png'},{tmp_path / 'right.png'}",
        f"--style_masks={tmp_path / 'left.png'},{tmp_path / 'right.png'}",
        "--init=tfstyle/samples/scene.jpg",
        f"--workdir={tmp_path / 'run'}",
    )
    text = (tmp_path / "run" / "flags.cfg").read_text()
    for name in ("init", "content_masks 2", "style_masks 1", "style_images 2"):
        assert re.search(rf"^# {name}: \d+x\d+ sha256=", text, re.M)


@pytest.mark.soak
def test_16_bit_picture_repeats_itself_and_is_the_one_of_8(first_run, tmp_path):
    workdir, _ = first_run
    run_of = {}
    for name, source in (("a.png", SMOKE), ("b.tif", None)):
        source = source or [f"--flags_from={tmp_path / 'a.png'}", *FILES]
        paint(
            *source,
            "--output_bits=16",
            f"--workdir={tmp_path / name}.run",
            f"--output_image={tmp_path / name}",
        )
        run_of[name] = read_text(str(tmp_path / name))
    assert run_of["a.png"] == run_of["b.tif"]
    deep = tifffile.imread(tmp_path / "b.tif")
    data = (tmp_path / "a.png").read_bytes()
    png = tf.io.decode_png(data, dtype=tf.uint16).numpy()
    np.testing.assert_array_equal(deep, png, strict=True)
    pixels = read_image(str(workdir / "output.png")).pixels
    assert np.abs(deep / 257 - pixels).max() <= 0.5 + 1 / 257
    assert len(np.unique(deep)) > 256


@pytest.mark.slow
def test_alpha_of_the_content_returns_in_the_output(tmp_path, generator):
    pixels = generator.integers(0, 256, (48, 64, 4)).astype(np.uint8)
    pixels[:, :32, 3] = 0
    pixels[:, 32:, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "content with, comma é.png")
    paint(
        *SMOKE,
        f"--content_image={tmp_path / 'content with, comma é.png'}",
        f"--workdir={tmp_path / 'run'}",
        f"--output_image={tmp_path / 'out.webp'}",
    )
    image = read_image(str(tmp_path / "out.webp"))
    assert image.alpha.shape == (24, 32)
    assert (image.alpha[:, :12] == 0).all()
    assert (image.alpha[:, 20:] == 255).all()


BAD = {
    "unknown flag": (["--imge_size=3"], 2, r"imge_size.*Did you mean"),
    "no image": ([], 2, r"nothing to paint"),
    "ending": (
        ["--style_images=x.jpg", "--output_image=a.doc"],
        2,
        r"`output_image` must end in.*a\.doc",
    ),
    "missing": (["--content_image=none.jpg"], 1, r"none\.jpg.*No such file"),
    "text": (["--content_image=README.md"], 1, r"README\.md.*is a text file"),
    "backend": (
        ["--content_image=tfstyle/samples/scene.jpg"],
        1,
        r"TensorFlow backend.*'jax'",
    ),
    "weights": (
        ["--content_image=tfstyle/samples/scene.jpg", "--weights=none.h5"],
        1,
        r"none\.h5.*does not exist",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_one_line_and_a_status(name, tmp_path):
    arguments, expected, pattern = BAD[name]
    workdir = tmp_path / "run"
    environment = {"KERAS_BACKEND": "jax"} if name == "backend" else {}
    status, stdout, lines = run(
        *arguments, f"--workdir={workdir}", **environment
    )
    assert status == expected
    assert len(lines) == 1, lines
    assert re.search(pattern, lines[0]), lines[0]
    assert lines[0].startswith("error: ")
    assert stdout == ""
    assert not workdir.exists()


def wait_for_step(process):
    """Waits until the process has shown its first step."""
    for line in process.stderr:
        if line.startswith("step"):
            return
    raise AssertionError("the process ended before its first step")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [2 * 10**8, 10**9, 2 * 10**9, 23 * 10**8])
def test_lack_of_memory_is_one_line(tmp_path, limit):
    kind = resource.RLIMIT_AS  # of addresses, as by `ulimit -v`
    process = start(
        *("--flagfile=configs/smoke.cfg", "--image_size=1024"),
        f"--workdir={tmp_path}",
        preexec_fn=lambda: resource.setrlimit(kind, (limit, limit)),
    )
    status, stderr = finish(process)
    others = [x for x in stderr.splitlines() if not OURS.fullmatch(x)]
    errors = [x for x in others if x.startswith("error: ")]
    assert status == 1
    assert len(errors) == 1
    assert re.search("not enough memory|Memory ran out", errors[0])
    assert "Traceback" not in stderr


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_signal_stops_the_run_with_its_picture(tmp_path, number, status):
    process = start(*SMOKE, "--num_steps=100000", f"--workdir={tmp_path}")
    wait_for_step(process)
    process.send_signal(number)
    ended, stderr = finish(process)
    assert ended == status, stderr
    assert "Stopping after this step" in stderr
    assert "Traceback" not in stderr
    text = read_text(str(tmp_path / "output.png"))
    steps = int(re.search(r"^# result: step=(\d+)", text, re.M).group(1))
    assert f"--num_steps={steps}\n" in text
    last = (tmp_path / "metrics.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["step"] == steps


@pytest.mark.soak
def test_closed_terminal_ends_the_run_with_its_picture(tmp_path):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tfstyle.main", *SMOKE),
            *("--num_steps=100000", f"--workdir={tmp_path}"),
        ],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    while not (tmp_path / "metrics.jsonl").exists():
        os.read(ours, 1000)
    os.close(ours)
    assert process.wait(timeout=PATIENCE) == 128 + signal.SIGHUP
    text = read_text(str(tmp_path / "output.png"))
    assert re.search(r"^# result: step=\d+", text, re.M)


@pytest.mark.slow
def test_second_signal_exits_at_once(tmp_path):
    process = start(
        *(*SMOKE, "--image_size=704", "--num_steps=100000"),
        "--num_levels=1",  # a coarse level's steps would be over too soon
        f"--workdir={tmp_path}",
    )
    wait_for_step(process)
    time.sleep(1)  # the first step is under way, and far from its end
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    assert finish(process)[0] == 130
    assert time.monotonic() - began < 2
    assert not (tmp_path / "output.png").exists()


@pytest.mark.slow
def test_closed_stderr_does_no_harm(tmp_path):
    arguments = (*SMOKE, f"--workdir={tmp_path}")
    process = start(*arguments, stderr=None, preexec_fn=lambda: os.close(2))
    assert finish(process)[0] == 0
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 2]
