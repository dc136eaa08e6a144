"""Going on from a state equals never having stopped, bit for bit."""

import copy
import dataclasses
import time

import numpy as np
import pytest
import tensorflow as tf

from tests.refusals import refuses
from tfstyle.config.run_config import RunConfig
from tfstyle.errors import CheckpointError
from tfstyle.experiment import resume
from tfstyle.experiment.checkpoint import Checkpoints
from tfstyle.experiment.identity import RunIdentity
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import Picture
from tfstyle.system import gpus
from tfstyle.system.machine import Machine
from tfstyle.training.callbacks import EverySteps
from tfstyle.training.extractor import make_extractor
from tfstyle.training.plan import make_plan
from tfstyle.training.state import State
from tfstyle.training.stylize import stylize

SMALL = {
    "weights": "random",
    "image_size": 48,
    "content_layers": ("conv2_2",),
    "style_layers": ("conv1_1", "conv2_1"),
    "num_levels": 2,
    "num_steps": (4, 5),
    "num_correction_pairs": 3,
}


@pytest.fixture(scope="module")
def extractor():
    return make_extractor(RunConfig(**SMALL))


def paint(samples, extractor, config, save_every_seconds=0.0, **options):
    content, style = samples
    records = []

    def keep(record):
        seconds = dataclasses.replace(record, seconds=0.0, image=None)
        records.append((seconds.step, seconds.evaluations, record.losses))

    result = stylize(
        ImageSet.of_arrays(content, [style]),
        config,
        extractor=extractor,
        actions=[EverySteps(1, keep)],
        save_every_seconds=save_every_seconds,
        **options,
    )
    return result, records


def keep_states():
    """Returns a list of states that fills, and what fills it."""
    states = []

    def keep(state):
        arrays = {n: np.asarray(a).copy() for n, a in state.arrays.items()}
        states.append(State(copy.deepcopy(state.numbers), arrays))

    return states, keep


def assert_same(found, expected):
    assert found.image.tobytes() == expected.image.tobytes()
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    for name in ("losses", "steps", "evaluations", "reason"):
        assert getattr(found, name) == getattr(expected, name)


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "lbfgs"},
        {"optimizer": "adam"},
        {"convolution": "winograd", "precision": "mixed_bfloat16"},
    ],
)
def test_going_on_from_any_state_ends_the_same(samples, changes):
    config = RunConfig(**SMALL, **changes)
    extractor = make_extractor(config)
    states, keep = keep_states()
    straight, records = paint(samples, extractor, config, save_state=keep)
    assert [state.numbers["steps"] for state in states] == (
        [[n, 0] for n in range(5)] + [[4, n] for n in range(6)]
    )
    for number in (0, 2, 4, 5, 8, 10):
        state = states[number]
        resumed, rest = paint(samples, extractor, config, state=state)
        assert_same(resumed, straight)
        first = state.numbers["evaluations"]
        assert rest == [record for record in records if record[1] >= first]


@pytest.mark.parametrize(
    ("factor", "is_gpu", "is_deterministic", "is_told"),
    [
        (1 + 1e-6, False, False, True),
        (1 + 1e-6, True, False, False),  # it adds up in any order
        (1 + 1e-6, True, True, True),
        (1.01, True, False, True),
        (1, True, True, False),
    ],
)
def test_another_loss_than_the_checkpoint_s_is_told(
    samples,
    monkeypatch,
    caplog,
    factor,
    is_gpu,
    is_deterministic,
    is_told,
):
    config = RunConfig(**SMALL, convolution="direct", jit_compile="false")
    extractor = make_extractor(config)
    states, keep = keep_states()
    paint(samples, extractor, config, save_state=keep)
    states[2].numbers["total"][0] *= factor
    monkeypatch.setattr(gpus, "has_gpu", lambda: is_gpu)
    config = dataclasses.replace(config, deterministic=is_deterministic)
    caplog.clear()
    paint(samples, extractor, config, state=states[2])
    assert ("when the checkpoint was written" in caplog.text) == is_told


@pytest.mark.parametrize("stop_at", [3, 9, 14, 15, 16])
def test_stop_within_a_search_leaves_the_step_before(
    samples, extractor, stop_at
):
    config = RunConfig(**SMALL)
    straight, _ = paint(samples, extractor, config)
    states, keep = keep_states()
    asked = []

    def should_stop():
        asked.append(None)
        return "SIGTERM" if len(asked) >= stop_at else None

    stopped, _ = paint(
        samples, extractor, config, save_state=keep, should_stop=should_stop
    )
    assert stopped.reason == "SIGTERM"
    assert stopped.evaluations < straight.evaluations
    assert states[-1].numbers["evaluations"] == stopped.evaluations
    resumed, _ = paint(samples, extractor, config, state=states[-1])
    assert_same(resumed, straight)


def test_second_search_of_a_step_is_taken_back_whole():
    """A search that fails forgets the pairs; a stop then brings them back."""
    from tfstyle.training.optimizers.lbfgs import LBFGS

    x = tf.Variable([1.0, 1.0])
    is_broken = False

    def value_and_gradient(point):
        value = tf.reduce_sum(tf.constant([1.0, 3.0]) * point**2)
        gradient = tf.constant([2.0, 6.0]) * point
        if is_broken:  # no step goes down any more
            value += 1e6
        return dataclasses.make_dataclass("Terms", ["total"])(value), gradient

    optimizer = LBFGS(x, value_and_gradient, first_step=0.1)
    optimizer.start()
    optimizer.update_step()
    before = optimizer.state().numbers
    evaluations = optimizer.evaluations
    is_broken = True
    asked = iter([None] * 20 + ["stop"])
    assert optimizer.update_step(should_stop=lambda: next(asked)) is None
    assert optimizer.state().numbers == before
    assert before["num_pairs"] == 1
    assert optimizer.evaluations == evaluations


def test_more_steps_go_on_where_fewer_ended(samples, extractor):
    config = RunConfig(**SMALL)
    straight, _ = paint(samples, extractor, config)
    states, keep = keep_states()
    fewer = dataclasses.replace(config, num_steps=(4, 2))
    paint(samples, extractor, fewer, save_state=keep)
    resumed, _ = paint(samples, extractor, config, state=states[-1])
    assert_same(resumed, straight)


@pytest.mark.parametrize(
    ("every", "pause", "expected"),
    [
        (0, 0, [*range(5), *range(4, 10)]),
        (1e-9, 0.5, [0, 4, 9]),  # seldom enough for a slow disk
        (1e9, 0, [0, 4, 9]),
    ],
)
def test_states_are_saved_by_time_and_at_ends(
    samples, extractor, every, pause, expected
):
    states, keep = keep_states()

    def save(state):
        keep(state)
        time.sleep(pause)

    config = RunConfig(**SMALL)
    paint(samples, extractor, config, save_state=save, save_every_seconds=every)
    assert [sum(state.numbers["steps"]) for state in states] == expected


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"image_size": 64}, r"image must be of shape \[1, \d+, 64, 3\]"),
        ({"optimizer": "adam"}, "iteration must be of shape"),
        ({"num_correction_pairs": 2}, "num_pairs must be from 0 to 2"),
        ({"num_levels": 1, "num_steps": 4}, "level must be from 0 to 0"),
    ],
)
def test_state_of_another_run_is_refused(samples, extractor, changes, text):
    states, keep = keep_states()
    paint(samples, extractor, RunConfig(**SMALL), save_state=keep)
    other = RunConfig(**SMALL | changes)
    with pytest.raises(CheckpointError, match=text):
        paint(samples, extractor, other, state=states[-1])


# What is compared before a run goes on.

IMAGES = ImageSet.of_arrays(
    np.zeros((4, 5, 3), np.uint8), [np.ones((6, 5, 3), np.uint8)]
)
RUN = RunConfig(
    content_image="a.png",
    style_images=["b.png"],
    num_levels=2,
    num_steps=(10, 20),
    init="noise",
    content_weight=0.06,
    convolution="direct",
    precision="float32",
    num_correction_pairs=5,
)


def find(config, folder, images=IMAGES):
    asked = RunIdentity.of_request(config, images)
    return resume.find_checkpoint(config.resume, asked, folder)


def save_run(folder, config):
    """Saves a checkpoint of a run at step 12; returns its workdir."""
    job = RunIdentity.of_request(config, IMAGES, "abc").to_json()
    numbers = {"steps": [10, 2], "evaluations": 14}
    Checkpoints(str(folder / "checkpoints"), job)(State(numbers, {}))
    return str(folder)


@pytest.fixture
def workdir(tmp_path):
    """Returns a folder with a run of RUN."""
    return save_run(tmp_path, RUN)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"content_image": "moved/a.jpg", "style_images": ["c.png"]},
        {"log_every_steps": 1, "report": True, "output_image": "x.png"},
        {"checkpoint_every_seconds": 7.0},
        {"num_steps": (10, 500)},
        {"num_steps": (10, 2)},
        {"time_limit": 5.0},
        {"convolution": "auto"},
        {"precision": "auto"},
        {"num_correction_pairs": "auto"},
        {"weights": "moved.h5"},
    ],
)
def test_same_run_goes_on(workdir, changes):
    config = dataclasses.replace(RUN, **changes)
    found, decided = find(config, workdir)
    assert found.state.numbers["steps"] == [10, 2]
    machine = Machine(is_bfloat16_faster=True)  # unlike the one before
    plan = make_plan(config, IMAGES, machine, decided)
    assert plan.network.convolution == "direct"
    assert plan.network.precision == "float32"
    assert plan.config.num_correction_pairs == 5


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"content_weight": 0.5}, "content_weight was 0.06, now 0.5"),
        ({"image_size": 100}, "image_size was 512, now 100"),
        ({"seed": 3}, "seed was 0, now 3"),
        ({"style_layers": ["conv1_1"]}, "now block1_conv1"),
        ({"max_evaluations": 9}, "max_evaluations was not given, now 9"),
        ({"init": "c.png"}, "init was noise, now file"),
        ({"num_steps": (11, 20)}, "num_steps was [10, 20], now [11, 20]"),
        ({"num_steps": (10, 1)}, "num_steps is now 1, but 2 were made"),
        ({"convolution": "winograd"}, "convolution was direct, now winograd"),
        ({"precision": "mixed_bfloat16"}, "precision was float32, now mixed"),
    ],
)
def test_other_flags_are_refused_by_name(workdir, changes, difference):
    with refuses("workdir", difference):
        find(dataclasses.replace(RUN, **changes), workdir)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"content": Picture(np.ones((4, 5, 3), np.uint8))}, "content_image"),
        ({"content": None}, "content_image"),
        ({"styles": IMAGES.styles * 2}, "style_images 2"),
    ],
)
def test_other_pictures_are_refused_by_name(workdir, changes, name):
    images = dataclasses.replace(IMAGES, **changes)
    with refuses("workdir", f"{name} is another picture"):
        find(RUN, workdir, images)


def test_never_refuses_a_workdir_with_a_checkpoint(workdir, tmp_path):
    config = dataclasses.replace(RUN, resume="never")
    with refuses("workdir", workdir, "--resume=restart"):
        find(config, workdir)
    assert find(config, str(tmp_path / "new")) == (None, {})


def test_other_weights_are_refused(workdir):
    found, _ = find(RUN, workdir)
    asked = RunIdentity.of_request(RUN, IMAGES, "abc")
    resume.check_weights(found, asked)
    with refuses("weights", "--resume=restart"):
        resume.check_weights(found, dataclasses.replace(asked, weights="abd"))


def test_other_versions_are_warned_of(workdir, caplog):
    found, _ = find(RUN, workdir)
    found.job["versions"]["tensorflow"] = "2.0.0"
    Checkpoints(f"{workdir}/new/checkpoints", found.job)(found.state)
    assert caplog.records == []
    find(RUN, f"{workdir}/new")
    (record,) = caplog.records
    assert "tensorflow 2.0.0" in record.getMessage()


def test_checkpoint_that_tells_no_job_is_refused(tmp_path):
    folder = str(tmp_path / "checkpoints")
    Checkpoints(folder, {"flags": []})(
        State({"steps": [1], "evaluations": 2}, {})
    )
    with pytest.raises(CheckpointError, match="lacks its flags"):
        find(RUN, str(tmp_path))
