"""Records, and actions that are called with some of them."""

import numpy as np
import pytest
import tensorflow as tf

from tfstyle.images.frame import Frame
from tfstyle.images.resize import resize_floats
from tfstyle.objective.terms import LossTerms
from tfstyle.training.callbacks import EverySeconds
from tfstyle.training.callbacks import EverySteps
from tfstyle.training.callbacks import Record
from tfstyle.training.callbacks import Result
from tfstyle.training.callbacks import describe_steps


def make_result(record):
    return Result(record.pixels(), record.image, "steps", record)


def make_record(step, **changes):
    values = {
        "step": step,
        "num_steps": 7,
        "evaluations": step + 1,
        "level": 0,
        "frame": Frame(2, 3),
        "seconds": 0.5 * step,
        "terms": LossTerms(
            total=tf.constant(3.0),
            raw={"style/block1_conv1": tf.constant(1.5)},
            weighted={"weighted/style": tf.constant(3.0)},
        ),
        "image": tf.Variable(tf.zeros([1, 2, 3, 3])),
    }
    return Record(**(values | changes))


@pytest.mark.parametrize(
    ("interval", "expected"), [(3, [0, 3, 6, 7]), (7, [0, 7])]
)
def test_every_steps_acts_at_the_first_every_nth_and_the_last_step(
    interval, expected
):
    steps = []
    action = EverySteps(interval, lambda record: steps.append(record.step))
    for step in range(8):
        action(record := make_record(step))
    action.close(make_result(record))
    assert steps == expected


def test_every_steps_passes_on_what_its_action_returns():
    assert EverySteps(1, lambda _: "enough")(make_record(1)) == "enough"


@pytest.mark.parametrize(
    ("taken", "expected"), [(0.0, [0, 2, 4, 6, 7]), (0.2, [0, 4, 7])]
)
def test_every_seconds_acts_as_often_as_it_may(taken, expected):
    now, steps = 0.0, []

    def act(record):
        nonlocal now
        now += taken
        steps.append(record.step)
        return "enough"

    action = EverySeconds(2.0, act, clock=lambda: now)
    for step in range(8):
        reason = action(record := make_record(step))
        assert reason == ("enough" if step in steps else None)
        now += 1.0
    action.close(make_result(record))
    assert steps == expected


def test_steps_are_summed_and_told_per_level():
    assert describe_steps((50,)) == "50 steps"
    assert describe_steps((50, 50, 0)) == "100 steps (50 + 50 + 0)"


def test_losses_are_floats_with_the_total_first():
    losses = make_record(0).losses
    assert list(losses.items()) == [
        ("total", 3.0),
        ("style/block1_conv1", 1.5),
        ("weighted/style", 3.0),
    ]


def test_pixels_are_the_image_as_it_can_be_written():
    pixels = make_record(0).pixels()
    assert pixels.dtype == np.uint8
    # ImageNet's mean, RGB, rounded
    np.testing.assert_array_equal(pixels, np.tile([124, 117, 104], (2, 3, 1)))


def test_pixels_of_a_coarse_level_are_enlarged_before_they_are_finished():
    image = tf.random.Generator.from_seed(0).normal([1, 4, 4, 3], stddev=99.0)
    record = make_record(
        0,
        image=tf.Variable(image),
        frame=Frame(2, 3, top=1, bottom=1, left=1),
        to_pixels=lambda values: values,
    )
    np.testing.assert_array_equal(
        record.pixels((5, 7)), resize_floats(image.numpy()[:, 1:3, 1:], 5, 7)
    )
    np.testing.assert_array_equal(record.pixels((2, 3)), image[:, 1:3, 1:])
