"""The library as notebooks use it."""

import contextlib
import copy
import os
import pickle
import pty
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
import tensorflow as tf
import tifffile
from PIL import Image

import tfstyle
from tests.processes import end_python
from tests.processes import start_python
from tfstyle.errors import TfstyleError
from tfstyle.image_files import reading as image_files
from tfstyle.image_files import sidecar
from tfstyle.images.image_set import ImageSet
from tfstyle.objective.evaluators import WholeFrameEvaluator
from tfstyle.training import plan

SMALL = {"weights": "random", "image_size": 32, "num_steps": 3}
SCENE, STROKES = tfstyle.sample("scene"), tfstyle.sample("strokes")


@pytest.fixture(scope="module")
def stylizer():
    return tfstyle.Stylizer(**SMALL)


@pytest.fixture(scope="module")
def result(stylizer):
    return stylizer(SCENE, STROKES)


@pytest.fixture
def paths(tmp_path):
    found = []
    for name, pixels in (("scene", SCENE), ("strokes", STROKES)):
        path = tmp_path / f"{name}.png"
        Image.fromarray(pixels).save(path)
        found.append(path)
    return found


@pytest.mark.parametrize(
    "convert",
    [
        Image.fromarray,
        tf.constant,
        lambda pixels: (pixels / 255).astype(np.float32),
        lambda pixels: np.dstack([pixels, np.full_like(pixels[..., 0], 255)]),
        lambda pixels: pixels[np.newaxis],
    ],
    ids=["pil", "tensor", "float", "alpha", "batch"],
)
def test_images_of_every_kind_give_the_same(stylizer, result, convert):
    found = stylizer(convert(SCENE), [convert(STROKES)])
    np.testing.assert_array_equal(found.pixels, result.pixels)


def test_content_that_is_too_thin_is_said_once(stylizer, caplog):
    stylizer(SCENE[:40, :200], STROKES, num_steps=1)
    (record,) = [r for r in caplog.records if "16 each way" in r.getMessage()]
    assert record.getMessage().endswith("Raise --image_size to 80.")


def test_files_give_the_same_and_are_named_in_the_picture(
    stylizer, result, paths, tmp_path
):
    found = stylizer(str(paths[0]), paths[1])
    np.testing.assert_array_equal(found.pixels, result.pixels)
    for metadata, names in (
        ("full", paths),
        ("names", [path.name for path in paths]),
    ):
        found.save(tmp_path / "out.png", metadata=metadata)
        text = sidecar.read_text(str(tmp_path / "out.png"))
        assert f"--content_image={names[0]}\n" in text
        assert f"--style_images={names[1]}\n" in text
    found.save(tmp_path / "out.png", metadata="none")
    assert image_files.read_text(str(tmp_path / "out.png")) is None
    assert sidecar.read_text(str(tmp_path / "out.png")).startswith(text)
    with pytest.raises(tfstyle.ConfigError, match=r"`metadata`.*'some'"):
        found.save(tmp_path / "out.png", metadata="some")
    result.save(tmp_path / "arrays.jpg")
    text = image_files.read_text(str(tmp_path / "arrays.jpg"))
    assert "--content_image" not in text
    assert "# content_image: 768x576 sha256=" in text


@pytest.mark.slow
def test_program_makes_the_picture_of_a_result_again(paths, tmp_path):
    saved, again = tmp_path / "saved.png", tmp_path / "again.png"
    tfstyle.stylize(*paths, None, **SMALL).save(saved)
    command = [sys.executable, "-m", "tfstyle.main"]
    flags = [f"--flags_from={saved}", f"--output_image={again}"]
    workdir = f"--workdir={tmp_path / 'run'}"
    subprocess.run([*command, *flags, workdir], check=True, cwd=tmp_path)
    assert again.read_bytes() == saved.read_bytes()


def test_saved_pictures_are_made_again_by_their_flags(
    stylizer, result, tmp_path
):
    _, step, _ = stylizer.iterate(SCENE, STROKES, every=2)
    for made in (result, step):
        made.save(tmp_path / "out.png")
        config = tfstyle.Config.from_picture(tmp_path / "out.png")
        again = tfstyle.stylize(SCENE, STROKES, config)
        np.testing.assert_array_equal(again.pixels, made.pixels)


def test_alpha_of_the_content_is_saved(stylizer, tmp_path):
    alpha = np.zeros(SCENE.shape[:2], np.uint8)
    alpha[:, :384] = 255
    found = stylizer(np.dstack([SCENE, alpha]), STROKES)
    found.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.mode == "RGBA"
        assert np.array(picture)[:, 0, 3].min() == 255


def test_result_shows_itself_in_a_line(result):
    assert repr(result).startswith("<Result: 32x24, 3 steps, loss 0.")
    assert result._repr_png_().startswith(b"\x89PNG")
    assert result.image.size == (32, 24)
    assert result != 1
    assert (result == result) is True
    steps = [record["step"] for record in result.history]
    assert steps == [0, 1, 2, 3]
    assert result.history[-1]["total"] == result.losses["total"]


def test_steps_stay_what_they_were(stylizer, result):
    steps = list(stylizer.iterate(SCENE, STROKES, every=2))
    assert [step.step for step in steps] == [0, 2, 3]
    np.testing.assert_array_equal(steps[-1].pixels, result.pixels)
    assert (steps[0].pixels != steps[1].pixels).any()
    first = next(iter(stylizer.iterate(SCENE, STROKES)))
    np.testing.assert_array_equal(first.pixels, steps[0].pixels)


def test_only_a_text_of_a_callback_ends_the_run(stylizer):
    seen = []

    def look(step):
        seen.append(step.step)
        return True

    found = stylizer(
        SCENE, STROKES, callbacks=[look, lambda s: "ok" if s.step == 2 else 7]
    )
    assert (found.reason, found.step, seen) == ("ok", 2, [0, 1, 2])
    with pytest.raises(ZeroDivisionError):
        stylizer(SCENE, STROKES, callbacks=[lambda step: 1 / 0])


def test_interrupt_ends_a_loop_and_keeps_the_picture_so_far():
    many = tfstyle.Stylizer(weights="random", image_size=32, num_steps=500)

    def interrupt(step):
        if step.step == 2:
            signal.raise_signal(signal.SIGINT)

    def stop(stylizer, *callbacks):
        with pytest.raises(KeyboardInterrupt, match="`result`") as stopped:
            [
                stylizer(x, STROKES, callbacks=callbacks)
                for x in (SCENE, STROKES)
            ]
        result = stopped.value.result
        assert isinstance(stopped.value, tfstyle.Interrupted)
        assert result.reason == "interrupted"
        assert result._source.facts["content_image"].startswith("768x576 ")
        return result

    assert stop(many, interrupt).step == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    pid = os.getpid()
    timer = threading.Timer(0.5, os.kill, (pid, signal.SIGINT))
    timer.start()
    endless = tfstyle.Stylizer(many.config, num_steps=10**6)
    stop(endless)
    timer.cancel()

    def raise_interrupt(step):
        raise KeyboardInterrupt

    assert stop(many, raise_interrupt).step == 0

    def press_twice(step):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    assert stop(many, press_twice).step == 0


def test_threads_do_not_disturb_each_other(stylizer, result):
    other = tfstyle.Stylizer(**SMALL | {"image_size": 48, "pooling": "max"})
    expected = other(SCENE, STROKES).pixels
    found = {}

    def paint(name, use):
        found[name] = [use(SCENE, STROKES).pixels for _ in range(3)]

    threads = [
        threading.Thread(target=paint, args=arguments)
        for arguments in (("a", stylizer), ("b", other), ("c", stylizer))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name, right in (("a", result.pixels), ("b", expected)):
        for pixels in found[name]:
            np.testing.assert_array_equal(pixels, right)
    assert len(found["c"]) == 3


def test_masks_and_blends_and_initial_images(stylizer):
    mask = np.zeros((24, 32), bool)
    mask[:, :16] = True
    tfstyle.Stylizer(**SMALL)(
        SCENE,
        [STROKES, tfstyle.sample("mosaic")],
        content_masks=[mask, 1.0 - mask],
        style_masks=[Image.new("L", (20, 20), 255), np.ones((20, 20))],
    )
    found = stylizer(None, STROKES, initial_image=SCENE, callbacks=())
    assert found.history[0]["step"] == 0


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"image_size": "256"}, "image_size"),
        ({"seed": 1.5}, "seed"),
        ({"tf32": "no"}, "tf32"),
        ({"style_layers": "conv1_1"}, "style_layers"),
        ({"init": "contnet"}, "init"),
        ({"init": "scene.jpg"}, "init"),
        ({"workdir": "runs"}, "workdir"),
        ({"report": True}, "report"),
        ({"image_sise": 3}, "image_sise"),
        ({"strategy": "multi_worker"}, "strategy"),
        ({"preset": "foto"}, "preset"),
        ({"config": {}}, "config"),
        ({"config": tfstyle.Config(), "preset": "photo"}, "config"),
    ],
)
def test_wrong_options_are_refused_by_name(options, name):
    with pytest.raises(tfstyle.ConfigError, match=f"`{name}`"):
        tfstyle.Stylizer(**options)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("size", "Did you mean image_size"),
        ("iterations", "Did you mean num_steps"),
        ("style", "Pass the images as `styles`"),
        ("content_imge", "Pass the image as `content`"),
    ],
)
def test_wrong_option_names_the_likeliest(stylizer, name, hint):
    with pytest.raises(tfstyle.ConfigError, match=f"^`{name}` is not.*{hint}"):
        stylizer(SCENE, STROKES, **{name: 256})


@pytest.mark.parametrize(
    ("content", "styles", "name"),
    [
        (SCENE / 1.0, STROKES, "content"),
        (SCENE, np.full((20, 20), np.nan), "styles"),
        (SCENE.astype(np.uint16), STROKES, "content"),
        (SCENE[..., :2], STROKES, "content"),
        ([SCENE, SCENE], STROKES, "content"),
        (7, STROKES, "content"),
        (SCENE, {"a": 1}, "styles"),
        ("none.jpg", STROKES, "none.jpg"),
        (None, None, "content_image"),
    ],
)
def test_wrong_images_are_refused_by_name(stylizer, content, styles, name):
    with pytest.raises(TfstyleError, match=name):
        stylizer(content, styles)


def test_options_of_a_call_hold_for_it_alone(stylizer, result):
    scene, strokes = SCENE, STROKES
    assert stylizer(scene, strokes, num_steps=1, optimizer="adam").step == 1
    steps = list(stylizer.iterate(scene, strokes, num_steps=1))
    assert [step.step for step in steps] == [0, 1]
    with pytest.raises(tfstyle.ConfigError, match="`image_sise`"):
        stylizer(scene, strokes, image_sise=32)
    again = stylizer(scene, strokes)
    np.testing.assert_array_equal(again.pixels, result.pixels)


def test_results_are_images_too(stylizer, result):
    again = stylizer(result, STROKES, initial_image=result)
    same = stylizer(result.pixels, STROKES, initial_image=result.pixels)
    np.testing.assert_array_equal(again.pixels, same.pixels)


@pytest.mark.parametrize("callbacks", [print, "abc", [1], [None]])
def test_callbacks_are_a_list_of_functions(stylizer, callbacks):
    with pytest.raises(tfstyle.ConfigError, match="`callbacks`"):
        stylizer(SCENE, STROKES, callbacks=callbacks)


def test_other_threads_are_refused_once_tensorflow_runs(stylizer):
    with pytest.raises(TfstyleError, match="intra_op_threads"):
        tfstyle.Stylizer(**SMALL, intra_op_threads=1)


def test_extractor_of_another_pooling_is_refused():
    from tfstyle.training.stylize import stylize

    config = tfstyle.Config(**SMALL)
    extractor = tfstyle.make_extractor(tfstyle.Config(**SMALL, pooling="max"))
    images = ImageSet.of_arrays(SCENE, [STROKES])
    with pytest.raises(tfstyle.ConfigError, match="pooling"):
        stylize(images, config, extractor=extractor)


PAINT = """
import tfstyle
scene = tfstyle.sample("scene")
tfstyle.stylize(scene, scene, weights="random", image_size=32, num_steps=2)
"""


@pytest.mark.slow
def test_progress_is_shown_on_a_terminal():
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", PAINT], stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(ours, 4096):
            shown += part
    assert process.wait() == 0
    assert b"step 2/2" in shown


@pytest.mark.slow
def test_progress_and_library_write_nothing_that_was_not_asked_for(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    process = start_python(PAINT, cwd=tmp_path, env=environment)
    status, stdout, stderr = end_python(process)
    assert (status, stdout) == (0, "")
    # TensorFlow says how it starts, and leaves that to its host.
    own = [
        line
        for line in stderr.splitlines()
        if not re.match(
            r"[IWE]\d{4} |\d{4}-\d\d-|WARNING: All log|To enable|$", line
        )
    ]
    assert own == []
    assert os.listdir(tmp_path) == []


@pytest.mark.soak
def test_memory_is_flat_over_two_hundred_sizes():
    """Resident memory, MB; the allocator keeps what it was given."""
    code = """if True:
        import psutil, tfstyle
        scene, strokes = tfstyle.sample("scene"), tfstyle.sample("strokes")
        for n in range(200):
            tfstyle.stylize(scene, strokes, weights="random", num_steps=1,
                            image_size=32 + n * 37 % 200)
            print(psutil.Process().memory_info().rss >> 20)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    used = [int(line) for line in done.stdout.split()]
    assert max(used[100:]) < 1.1 * max(used[:100])


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_result_saves_16_bits_of_its_floats(result, tmp_path, ending):
    path = tmp_path / f"deep{ending}"
    result.save(path, bits=16)
    if ending == ".png":
        data = tf.io.read_file(str(path))
        pixels = tf.io.decode_png(data, dtype=tf.uint16).numpy()
    else:
        pixels = tifffile.imread(path)
    levels = result.unclipped[0, ..., ::-1] + [123.68, 116.779, 103.939]
    exact = np.clip(levels, 0, 255) * 257
    assert np.abs(pixels - exact).max() <= 0.5 + 257 * 1e-4
    assert (
        tfstyle.Config.from_picture(path).num_steps == result.config.num_steps
    )


def test_result_refuses_other_bits_and_formats_of_8(result, tmp_path):
    with pytest.raises(TfstyleError, match=r"`bits` must be 8 or 16.*12"):
        result.save(tmp_path / "out.png", bits=12)
    with pytest.raises(TfstyleError, match=r"out\.jpg' of 16 bits must end"):
        result.save(tmp_path / "out.jpg", bits=16)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "make", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
def test_copy_of_a_stylizer_paints_the_same(stylizer, result, make):
    copied = make(stylizer)
    assert copied.config == stylizer.config
    np.testing.assert_array_equal(copied(SCENE, STROKES).pixels, result.pixels)


def test_run_goes_on_in_smaller_tiles_when_memory_runs_out(
    stylizer, result, monkeypatch, caplog
):
    def make_objective(evaluator, *arguments):
        def fail(image):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM")

        return fail

    monkeypatch.setattr(plan, "TILE_SIZES", (16,))
    monkeypatch.setattr(WholeFrameEvaluator, "make_objective", make_objective)
    found = stylizer(SCENE, STROKES)
    assert "memory ran out; continues in tiles of 16 pixels" in caplog.text
    assert found.losses["total"] == pytest.approx(
        result.losses["total"], rel=1e-3
    )


# In a host's process.

HOST = """
import logging, os, threading, time
import numpy as np
import tensorflow as tf
import tfstyle

def log(name):
    for number in range(1000):
        logging.warning("%s %d", name, number)
        time.sleep(0.006)

logging.basicConfig(format="host %(message)s")
environment = dict(os.environ)
threads = [threading.Thread(target=log, args=(name,)) for name in "abcd"]
for thread in threads:
    thread.start()
pixels = np.zeros((32, 32, 3), np.uint8)
stylizer = tfstyle.Stylizer(weights="random", image_size=32, num_steps=1)
stylizer(pixels + 9, pixels + 99)
for thread in threads:
    thread.join()
assert logging.getLogger().level == logging.WARNING
changed = {n: v for n, v in os.environ.items() if environment.get(n) != v}
assert changed.keys() <= {"KERAS_BACKEND"} | {
    n for n in changed if n.startswith(("TF2_", "TPU_"))}, changed
tf.debugging.enable_check_numerics()  # in graphs of another size
assert stylizer(pixels[:20] + 9, pixels + 99).step == 1
child = os.fork()
if not child:
    try:
        stylizer(pixels + 9, pixels + 99)
    except tfstyle.TfstyleError as error:
        os.write(1, str(error).encode())
    os._exit(0)
os.waitpid(child, 0)
"""


def test_host_loses_no_line_may_check_numerics_and_fork():
    status, stdout, stderr = end_python(start_python(HOST))
    assert status == 0, stderr[-2000:]
    for name in "abcd":
        lines = re.findall(rf"(?m)^host {name} \d+$", stderr)
        assert len(lines) > 990  # TensorFlow's own lines may run into some
    assert "from which this one was forked" in stdout


def test_host_without_eager_execution_is_told():
    code = """
import numpy as np, tensorflow as tf, tfstyle

def paint():
    pixels = np.zeros((32, 32, 3), np.uint8)
    try:
        tfstyle.stylize(pixels, pixels, weights="random", num_steps=1)
    except tfstyle.TfstyleError as error:
        print(error)

with tf.Graph().as_default():
    paint()
tf.compat.v1.disable_eager_execution()
paint()
"""
    _, stdout, stderr = end_python(start_python(code))
    text = "must execute eagerly"
    assert stdout.count(text) == 2, stderr[-2000:]
