"""The whole program on arrays."""

import numpy as np
import pytest

from tfstyle import stylization
from tfstyle.config import Config
from tfstyle.config import ConfigError
from tfstyle.features import make_extractor
from tfstyle.image_io import resize
from tfstyle.preprocessing import deprocess
from tfstyle.preprocessing import preprocess
from tfstyle.stylization import NotFiniteError
from tfstyle.stylization import output_size
from tfstyle.stylization import stylize

SMALL = {
    "weights": "random",
    "image_size": 48,
    "content_layers": ("conv2_2",),
    "style_layers": ("conv1_1", "conv2_1"),
    "num_steps": 3,
}


@pytest.fixture(scope="module")
def extractor():
    return make_extractor(Config(**SMALL))


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("init", ["noise", "content", "style"])
def test_three_steps_lower_the_loss(samples, extractor, optimizer, init):
    records = []
    config = Config(**SMALL, optimizer=optimizer, init=init)
    content, style = samples
    result = stylize(
        content, [style], config, extractor=extractor, actions=[records.append]
    )
    assert result.losses["total"] < records[0].total
    assert result.reason == "steps"
    assert (result.step, result.pixels.shape) == (3, (36, 48, 3))


def test_records_hold_the_losses_of_their_image(samples, extractor):
    content, style = samples
    config = Config(**SMALL)
    seen = []

    def look(record):
        seen.append((record.step, record.image.numpy(), record.losses))

    stylize(content, [style], config, extractor=extractor, actions=[look])
    assert [step for step, _, _ in seen] == [0, 1, 2, 3, 3]
    for _, image, losses in seen:
        start = {"num_steps": 0}
        again = evaluate(samples, extractor, image, Config(**(SMALL | start)))
        assert again == losses


def evaluate(samples, extractor, image, config):
    """Evaluates an image as it is, through the same program."""
    import tensorflow as tf

    from tfstyle.objective import compute_targets
    from tfstyle.objective import make_value_and_gradient
    from tfstyle.periodic_actions import Record

    config = config.resolved()
    content, style = (
        tf.constant(preprocess(resize(sample, 36, 48))) for sample in samples
    )
    targets = compute_targets(extractor, content, [style], config)
    terms, _ = make_value_and_gradient(extractor, targets, config)(
        tf.constant(image)
    )
    return Record(0, 0, 0, 0, 0, 0, 0.0, True, terms, None).losses


def test_result_is_the_last_image(samples, extractor):
    content, style = samples
    records = []
    result = stylize(
        content,
        [style],
        Config(**SMALL),
        extractor=extractor,
        actions=[records.append],
    )
    assert records[-1].is_last
    np.testing.assert_array_equal(result.image, records[-1].image.numpy())
    np.testing.assert_array_equal(result.pixels, deprocess(result.image))
    assert result.losses == records[-1].losses


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_same_seed_gives_the_same_bits(samples, extractor, optimizer):
    content, style = samples
    config = Config(**SMALL, optimizer=optimizer, seed=4)
    first, second = (
        stylize(content, [style], config, extractor=extractor) for _ in range(2)
    )
    np.testing.assert_array_equal(first.image, second.image)
    assert first.losses == second.losses


def test_inputs_are_not_written_into(samples, extractor):
    content, style = (sample.copy() for sample in samples)
    stylize(content, [style], Config(**SMALL), extractor=extractor)
    np.testing.assert_array_equal(content, samples[0])
    np.testing.assert_array_equal(style, samples[1])


def test_content_reconstruction_is_what_is_left_without_style(
    samples, extractor
):
    result = stylize(samples[0], [], Config(**SMALL), extractor=extractor)
    assert set(result.losses) == {
        "total",
        "content/block2_conv2",
        "weighted/content",
    }


def test_texture_synthesis_takes_the_style_s_aspect(samples, extractor):
    style = samples[1][:200, :400]
    result = stylize(None, [style], Config(**SMALL), extractor=extractor)
    assert result.pixels.shape == (24, 48, 3)
    assert "weighted/content" not in result.losses


def test_initial_image_is_where_it_starts(samples, extractor):
    content, style = samples
    config = Config(**(SMALL | {"num_steps": 0}))
    start = resize(style, 36, 48)
    result = stylize(
        content, [style], config, initial_image=start, extractor=extractor
    )
    np.testing.assert_array_equal(result.pixels, start)


def test_max_evaluations_are_kept_to(samples, extractor):
    content, style = samples
    for most in (1, 2, 7):
        config = Config(**(SMALL | {"num_steps": 100}), max_evaluations=most)
        result = stylize(content, [style], config, extractor=extractor)
        assert result.evaluations == most
        assert result.reason == "max_evaluations"


def test_time_limit_ends_the_run(samples, extractor):
    content, style = samples
    config = Config(**(SMALL | {"num_steps": 10**6}), time_limit=0.2)
    result = stylize(content, [style], config, extractor=extractor)
    assert result.reason == "time_limit"
    assert result.step < 10**6


def test_action_that_returns_a_reason_ends_the_run(samples, extractor):
    content, style = samples
    result = stylize(
        content,
        [style],
        Config(**(SMALL | {"num_steps": 100})),
        extractor=extractor,
        actions=[lambda record: "enough" if record.step == 2 else None],
    )
    assert (result.step, result.reason) == (2, "enough")


def test_loss_that_is_not_finite_ends_the_run(samples, extractor):
    content, style = samples
    config = Config(**SMALL, style_weight=1e38, optimizer="adam")
    with pytest.raises(NotFiniteError, match="inf at step 0"):
        stylize(content, [style], config, extractor=extractor)


@pytest.mark.parametrize(
    ("size", "expected"), [(48, (36, 48)), (0, (576, 768)), (100, (75, 100))]
)
def test_output_size_keeps_the_content_s_aspect(samples, size, expected):
    config = Config(image_size=size)
    assert output_size(samples[0], [], config) == expected


def test_output_size_less_than_one_position_is_refused():
    content = np.zeros((20, 400, 3), np.uint8)
    with pytest.raises(ConfigError, match=r"160x8 pixels.*block5_conv1"):
        output_size(content, [], Config(image_size=160))


@pytest.mark.parametrize(
    ("scale", "expected"), [(1.0, (36, 48)), (0.5, (18, 24)), (0, (576, 768))]
)
def test_style_scale_is_relative_to_the_output(samples, scale, expected):
    config = Config(**SMALL, style_scale=scale)
    style = stylization._resize_style(samples[1], 48, config)
    assert style.shape == (*expected, 3)


def test_no_images_are_refused(extractor):
    with pytest.raises(ConfigError, match="nothing to paint"):
        stylize(None, [], Config(**SMALL), extractor=extractor)


def total_distance(a, b):
    """Returns how far apart the mean colours of two images are."""
    return np.abs(a.mean((0, 1)) - b.mean((0, 1))).sum()


@pytest.mark.weights
def test_real_weights_take_the_colours_from_the_style(samples, real_weights):
    content, style = samples
    result = stylize(content, [style], Config(image_size=128, num_steps=30))
    to_style = total_distance(result.pixels, style)
    assert to_style < total_distance(result.pixels, content) / 2


@pytest.mark.weights
def test_real_weights_take_the_layout_from_the_content(samples, real_weights):
    content, _ = samples
    config = Config(
        image_size=128,
        num_steps=30,
        content_layers=("conv2_2",),
        style_layers=("conv1_1",),
    )
    result = stylize(content, [], config)
    gray = [
        image.mean(-1).ravel()
        for image in (result.pixels, resize(content, 96, 128))
    ]
    assert np.corrcoef(gray)[0, 1] > 0.8


@pytest.mark.weights
def test_gray_start_is_left_with_real_weights(samples, real_weights):
    """Random weights have no biases, and so no gradient at zero."""
    records = []
    config = Config(image_size=64, num_steps=3, init="gray")
    result = stylize(
        *samples[:1], [samples[1]], config, actions=[records.append]
    )
    assert result.losses["total"] < records[0].total
