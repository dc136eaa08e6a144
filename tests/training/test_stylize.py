"""The whole program on arrays."""

import dataclasses
import re

import numpy as np
import pytest
import tensorflow as tf

from tests.refusals import refuses
from tests.targets import make_whole_objective
from tfstyle.config.config import Config
from tfstyle.errors import NotFiniteError
from tfstyle.images.color_transfer import RGB_TO_YIQ
from tfstyle.images.frame import make_frame
from tfstyle.images.image_set import ImageSet
from tfstyle.images.picture import Picture
from tfstyle.images.preprocessing import deprocess
from tfstyle.images.preprocessing import preprocess
from tfstyle.images.resize import resize
from tfstyle.images.resize import resize_floats
from tfstyle.objective.evaluators import WholeFrameEvaluator
from tfstyle.objective.tiled_objective import TiledEvaluator
from tfstyle.training import plan
from tfstyle.training import pyramid_objective
from tfstyle.training import stylize as training_stylize
from tfstyle.training.callbacks import EverySteps
from tfstyle.training.extractor import make_extractor

SMALL = {
    "weights": "random",
    "pooling": "rms",
    "image_size": 48,
    "content_layers": ("conv2_2",),
    "style_layers": ("conv1_1", "conv2_1"),
    "num_steps": 3,
}


def stylize(
    content,
    styles,
    config,
    *,
    actions=(),
    alpha=None,
    style_alphas=None,
    content_masks=(),
    style_masks=(),
    initial_image=None,
    **options,
):
    """Runs the program on arrays; actions are functions of records."""
    style_alphas = style_alphas or [None] * len(styles)
    images = ImageSet(
        None if content is None else Picture(content, alpha),
        [Picture(*pair) for pair in zip(styles, style_alphas, strict=True)],
        content_masks,
        style_masks,
        initial_image,
    )
    every = [EverySteps(1, action) for action in actions]
    return training_stylize.stylize(images, config, actions=every, **options)


def small(**changes):
    return Config(**(SMALL | changes))


def paint(samples, extractor, config, **options):
    content, style = samples
    return stylize(content, [style], config, extractor=extractor, **options)


@pytest.fixture(scope="module")
def extractor():
    return make_extractor(small())


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("init", ["noise", "content", "style"])
def test_three_steps_lower_the_loss(samples, extractor, optimizer, init):
    records = []
    # A rate that three steps can follow; the default's first ones overshoot.
    config = small(optimizer=optimizer, init=init, learning_rate=1.0)
    result = paint(samples, extractor, config, actions=[records.append])
    assert result.losses["total"] < records[0].total
    assert result.reason == "steps"
    assert (result.step, result.pixels.shape) == (3, (36, 48, 3))
    assert records[-1] is result.record
    np.testing.assert_array_equal(result.image, records[-1].image.numpy())
    np.testing.assert_array_equal(result.pixels, deprocess(result.image))


def run_out_of_memory(monkeypatch, evaluator, at):
    """Lets a evaluator's objective fail at an evaluation, as on a full GPU."""
    make_objective, calls = evaluator.make_objective, []

    def make(self, *arguments):
        objective = make_objective(self, *arguments)

        def evaluate(image):
            calls.append(None)
            if len(calls) == at:
                raise tf.errors.ResourceExhaustedError(None, None, "OOM")
            return objective(image)

        return evaluate

    monkeypatch.setattr(evaluator, "make_objective", make)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_run_goes_on_in_smaller_tiles_when_memory_runs_out(
    samples, extractor, monkeypatch, caplog, optimizer
):
    config = small(optimizer=optimizer, num_levels=1)
    monkeypatch.setattr(plan, "TILE_SIZES", (999, 32, 16))
    straight = paint(samples, extractor, config)
    run_out_of_memory(monkeypatch, WholeFrameEvaluator, 2)
    run_out_of_memory(monkeypatch, TiledEvaluator, 2)
    caplog.clear()
    found = paint(samples, extractor, config)
    said = re.findall(r"ran out; continues in tiles of (\d+)", caplog.text)
    assert said == ["32", "16"]
    assert found.evaluations == straight.evaluations
    for name, loss in straight.losses.items():
        assert found.losses[name] == pytest.approx(loss, rel=1e-3)


def test_memory_that_runs_out_ends_a_run_whose_tiles_were_asked_for(
    samples, extractor, monkeypatch
):
    run_out_of_memory(monkeypatch, WholeFrameEvaluator, 2)
    with pytest.raises(tf.errors.ResourceExhaustedError):
        paint(samples, extractor, small(tile_size=0))


def test_records_hold_the_losses_of_their_image(samples, extractor):
    seen = []

    def look(record):
        seen.append((record.step, tf.constant(record.image), record.losses))

    paint(samples, extractor, small(), actions=[look])
    assert [step for step, _, _ in seen] == [0, 1, 2, 3]
    content, style = (
        tf.constant(preprocess(resize(sample, 36, 48))) for sample in samples
    )
    objective = make_whole_objective(
        extractor, content, [style], small().resolved()
    )
    for _, image, losses in seen:
        assert objective(image)[0].to_floats() == losses


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_same_seed_gives_the_same_bits(samples, extractor, optimizer):
    config = small(optimizer=optimizer, seed=4)
    first, second = (paint(samples, extractor, config) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    assert first.losses == second.losses


def test_inputs_are_not_written_into(samples, extractor):
    copies = [sample.copy() for sample in samples]
    paint(copies, extractor, small())
    np.testing.assert_array_equal(copies, samples)


def test_texture_synthesis_takes_the_style_s_aspect(samples, extractor):
    style = samples[1][:200, :400]
    result = stylize(None, [style], small(), extractor=extractor)
    assert result.pixels.shape == (24, 48, 3)
    assert "weighted/content" not in result.losses


def test_initial_image_is_where_it_starts(samples, extractor):
    start = resize(samples[1], 36, 48)
    result = paint(samples, extractor, small(num_steps=0), initial_image=start)
    np.testing.assert_array_equal(result.pixels, start)


@pytest.mark.parametrize(
    ("most", "fields"),
    [
        *((most, {"num_steps": 100}) for most in (1, 2, 7)),
        *(
            (most, {"num_levels": 2, "num_steps": 2, "optimizer": "adam"})
            for most in (3, 4, 5, 6)
        ),
    ],
)
def test_max_evaluations_are_kept_to(samples, extractor, most, fields):
    config = small(max_evaluations=most, **fields)
    result = paint(samples, extractor, config)
    assert result.evaluations == most
    assert result.reason == "max_evaluations"


def test_time_limit_ends_the_run(samples, extractor):
    config = small(num_steps=10**6, time_limit=0.2)
    result = paint(samples, extractor, config)
    assert result.reason == "time_limit"
    assert result.step < 10**6


def test_action_that_returns_a_reason_ends_the_run(samples, extractor):
    def end(record):
        return "enough" if record.step == 2 else None

    config = small(num_steps=100)
    result = paint(samples, extractor, config, actions=[end])
    assert (result.step, result.reason) == (2, "enough")


def test_loss_that_is_not_finite_ends_the_run(samples, extractor):
    config = small(loss_scale="absolute", style_weight=1e38, optimizer="adam")
    with pytest.raises(NotFiniteError, match="inf at step 0"):
        paint(samples, extractor, config)


@pytest.mark.parametrize(
    ("size", "long_edge", "share", "fields", "expected"),
    [
        # Relative to the output, or of its own size, which shrinks as levels.
        ((576, 768), 48, 1.0, SMALL, (36, 48)),
        ((576, 768), 48, 1.0, SMALL | {"style_scale": 0.5}, (18, 24)),
        ((576, 768), 48, 1.0, SMALL | {"style_scale": 0}, (576, 768)),
        ((576, 768), 24, 0.5, SMALL | {"style_scale": 0}, (288, 384)),
        # Of whole positions, as the frame.
        ((41, 79), 512, 1.0, {"style_scale": 0}, (48, 80)),
        (
            (41, 79),
            512,
            1.0,
            {"style_scale": 0, "padding": "zero"},
            (41, 79),
        ),
        # Enlarged if thinner than one position.
        *(
            (size, 12, 1.0, {"padding": padding}, expected)
            for padding in ("replicate", "zero")
            for size, expected in (
                ((8, 64), (16, 128)),
                ((1, 1), (16, 16)),
                ((300, 30), (160, 16)),
            )
        ),
    ],
)
def test_style_is_resized(size, long_edge, share, fields, expected):
    style = pyramid_objective._resize_style(
        np.zeros((*size, 3), np.uint8), long_edge, share, Config(**fields)
    )
    assert style.shape == (*expected, 3)


ONES = np.full((576, 768), 255, np.uint8)
LEFT, UPPER = np.zeros((2, 576, 768), np.uint8)
LEFT[:, :400], UPPER[:300] = 255, 255
CORNER = np.minimum(LEFT, UPPER)


def masked(content_mask, style_mask):
    return {"content_masks": [content_mask], "style_masks": [style_mask]}


def transparent(alpha, style_alpha):
    return {"alpha": alpha, "style_alphas": [style_alpha]}


@pytest.mark.parametrize(
    ("options", "equal"),
    [
        (masked(ONES, ONES), {}),
        (transparent(ONES, ONES), {}),
        (transparent(LEFT, UPPER), masked(LEFT, UPPER)),
        (
            masked(LEFT, LEFT) | transparent(UPPER, UPPER),
            masked(CORNER, CORNER),
        ),
    ],
)
def test_masks_that_mean_the_same_give_the_same_bits(
    samples, extractor, options, equal
):
    first, second, plain = (
        paint(samples, extractor, small(), **each)
        for each in (options, equal, {})
    )
    np.testing.assert_array_equal(first.image, second.image)
    assert first.losses == second.losses
    assert (first.losses == plain.losses) == (not equal)


@pytest.mark.parametrize("weights", [(3,), (1, 0)])
def test_blend_of_one_is_one_style_bit_for_bit(samples, extractor, weights):
    content, style = samples
    plain = paint(samples, extractor, small())
    blend = stylize(
        content,
        [style, content][: len(weights)],
        small(style_blend_weights=weights),
        extractor=extractor,
    )
    np.testing.assert_array_equal(blend.image, plain.image)


def test_regions_take_their_own_style(samples, extractor, generator):
    """Left red, right blue: each half moves to its style's colour."""
    red, blue = (
        np.clip(generator.normal(colour, 12, (64, 64, 3)), 0, 255)
        for colour in ((220, 30, 30), (30, 30, 220))
    )
    left = np.zeros((36, 48), np.uint8)
    left[:, :24] = 255
    whole = np.full((8, 8), 255, np.uint8)
    result = stylize(
        None,
        [red.astype(np.uint8), blue.astype(np.uint8)],
        small(num_steps=25, style_layers=("conv1_1",)),
        content_masks=[left, 255 - left],
        style_masks=[whole, whole],
        extractor=extractor,
    )
    half = result.pixels.shape[1] // 2
    red_side, blue_side = (
        side.mean((0, 1))
        for side in (result.pixels[:, : half - 4], result.pixels[:, half + 4 :])
    )
    assert red_side[0] > red_side[2] + 30
    assert blue_side[2] > blue_side[0] + 30


def test_styles_blend_by_what_is_seen_of_each(samples, extractor):
    """The hidden half of one style may be anything."""
    content, style = samples
    half = np.zeros(style.shape[:2], np.uint8)
    half[: len(half) // 2] = 255
    other = style.copy()
    other[half == 0] = 0
    options = {"config": small(style_layers=("conv1_1",), num_steps=0)}
    found = [
        stylize(
            content,
            [content, which],
            style_alphas=[None, alpha],
            extractor=extractor,
            **options,
        ).losses["style/block1_conv1"]
        for which, alpha in ((style, half), (other, half), (other, None))
    ]
    # One of the 18 rows that are seen also sees what is hidden below it.
    np.testing.assert_allclose(found[1], found[0], rtol=1 / 18)
    assert abs(found[2] - found[0]) > 0.1 * found[0]


def test_empty_mask_is_refused(samples, extractor):
    empty = np.zeros((36, 48), np.uint8)
    with refuses("content_masks", "mask 1, empty"):
        paint(samples, extractor, small(), **masked(empty, empty))


def test_regions_without_style_masks_take_whole_styles(samples, extractor):
    given, whole = (
        paint(samples, extractor, small(), **options)
        for options in (masked(LEFT, ONES), {"content_masks": [LEFT]})
    )
    np.testing.assert_allclose(
        list(whole.losses.values()), list(given.losses.values()), rtol=1e-5
    )


def test_levels_go_from_coarse_to_fine(samples, extractor):
    records, images = [], []

    def keep(record):
        records.append((record.level, record.height, record.width, record.step))
        images.append(record.image.numpy())

    config = small(num_levels=2, num_steps=(2, 3))
    result = paint(samples, extractor, config, actions=[keep])
    assert records == [
        *((0, 18, 24, step) for step in range(3)),
        *((1, 36, 48, step) for step in range(2, 6)),
    ]
    np.testing.assert_array_equal(images[3], resize_floats(images[2], 36, 48))
    assert result.steps == (2, 3)
    assert result.pixels.shape == (36, 48, 3)


@pytest.mark.parametrize("limit", [None, 3])
def test_run_that_ends_at_a_coarse_level_gives_the_whole_size(
    samples, extractor, limit
):
    """And as many steps, given as flags, make the same picture again."""
    fields = {"num_levels": 3, "image_size": 96, "max_evaluations": limit}

    def stop(record):
        return "enough" if record.step == 2 and limit is None else None

    config = small(num_steps=9, **fields)
    result = paint(samples, extractor, config, actions=[stop])
    assert result.reason == ("max_evaluations" if limit else "enough")
    assert result.pixels.shape == (72, 96, 3)
    again = paint(samples, extractor, small(num_steps=result.steps, **fields))
    np.testing.assert_array_equal(again.image, result.image)
    assert again.losses == result.losses
    assert again.evaluations == result.evaluations


def test_luminance_keeps_the_content_s_colours(samples, extractor):
    result = paint(samples, extractor, small(preserve_colors="luminance"))
    content = resize(samples[0], 36, 48).astype(float)
    chroma = np.array(
        [[0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]]
    )
    inside = ((result.pixels > 0) & (result.pixels < 255)).all(-1)
    np.testing.assert_allclose(
        result.pixels[inside] @ chroma.T, content[inside] @ chroma.T, atol=1.5
    )


def test_luminance_of_16_bits_is_made_of_floats_alone(samples, extractor):
    result = paint(samples, extractor, small(preserve_colors="luminance"))
    content = resize_floats(samples[0][np.newaxis].astype("f4"), 36, 48)[0]
    painted = result.image[0, ..., ::-1] + [123.68, 116.779, 103.939]
    yiq = np.clip(content, 0, 255) @ RGB_TO_YIQ.T
    yiq[..., 0] = np.clip(painted, 0, 255) @ RGB_TO_YIQ[0]
    levels = np.clip(yiq @ np.linalg.inv(RGB_TO_YIQ).T, 0, 255)
    deep = result.to_pixels(16)
    assert deep.dtype == np.uint16
    np.testing.assert_allclose(deep, levels * 257, atol=0.5 + 257 * 1e-4)
    # Of the 8 bits, both painting and content were rounded on the way.
    np.testing.assert_allclose(result.to_pixels(8), levels, atol=2.5)
    assert result.to_pixels(8) is result.pixels


@pytest.mark.parametrize("preserve", ["none", "luminance"])
def test_what_is_in_no_mask_is_kept(samples, extractor, preserve):
    config = small(preserve_colors=preserve, init="noise")
    painted = paint(samples, extractor, config, content_masks=[LEFT])
    config = dataclasses.replace(config, keep_unmasked=True)
    kept = paint(samples, extractor, config, content_masks=[LEFT])
    np.testing.assert_array_equal(kept.image, painted.image)
    content = resize(samples[0], 36, 48)
    floats = resize_floats(samples[0][np.newaxis].astype("f4"), 36, 48)[0]
    deep = np.rint(np.clip(floats, 0, 255).astype(float) * 257)
    # A linear filter mixes a pixel on either side of the edge, at 25.
    for bits, original in ((8, content), (16, deep)):
        found, inside = kept.to_pixels(bits), painted.to_pixels(bits)
        np.testing.assert_array_equal(found[:, 26:], original[:, 26:])
        np.testing.assert_array_equal(found[:, :24], inside[:, :24])
    assert np.ptp(painted.pixels[:, 26:] - content[:, 26:].astype(int)) > 20


def test_kept_parts_need_masks_and_a_content(samples, extractor):
    with refuses("keep_unmasked", "Give both"):
        paint(samples, extractor, small(keep_unmasked=True))
    with refuses("keep_unmasked", "Give both"):
        stylize(
            None,
            [samples[1]],
            small(keep_unmasked=True),
            content_masks=[LEFT],
            extractor=extractor,
        )


def test_matched_colours_move_to_the_content(samples, extractor):
    plain, matched = (
        paint(
            samples,
            extractor,
            small(num_steps=20, content_weight=0, preserve_colors=preserve),
        ).pixels
        for preserve in ("none", "match")
    )
    content = samples[0].mean((0, 1))
    far, near = (
        np.abs(pixels.mean((0, 1)) - content).sum()
        for pixels in (plain, matched)
    )
    assert near < far / 2


def test_match_keeps_a_grey_content_grey(samples, extractor):
    content, style = samples
    grey = np.repeat(content.mean(axis=2, keepdims=True), 3, axis=2)
    images = grey.astype(np.uint8), style
    result = paint(images, extractor, small(preserve_colors="match"))
    assert np.ptp(result.pixels, axis=2).max() <= 1
    assert result.pixels.std() > 1
    coloured = paint(samples, extractor, small(preserve_colors="match"))
    assert np.ptp(coloured.pixels, axis=2).max() > 20


def test_preserve_colors_without_content_is_refused(samples, extractor):
    with refuses("preserve_colors"):
        stylize(
            None,
            [samples[1]],
            small(preserve_colors="match"),
            extractor=extractor,
        )


def total_distance(a, b):
    """Returns how far apart the mean colours of two images are."""
    return np.abs(a.mean((0, 1)) - b.mean((0, 1))).sum()


@pytest.mark.slow
@pytest.mark.weights
def test_real_weights_take_the_colours_from_the_style(samples, real_weights):
    content, style = samples
    result = stylize(content, [style], Config(image_size=128, num_steps=30))
    to_style = total_distance(result.pixels, style)
    assert to_style < total_distance(result.pixels, content) / 2


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.weights
def test_gray_start_is_left_with_real_weights(samples, real_weights):
    """Random weights have no biases, and so no gradient at zero."""
    records = []
    config = Config(image_size=64, num_steps=3, init="gray")
    result = stylize(
        *samples[:1], [samples[1]], config, actions=[records.append]
    )
    assert result.losses["total"] < records[0].total


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("loss_scale", ["relative", "absolute"])
def test_path_does_not_depend_on_the_size_of_the_loss(
    samples, extractor, optimizer, loss_scale
):
    names = [
        field.name
        for field in dataclasses.fields(Config)
        if field.name.endswith("_weight") and field.name != "temporal_weight"
    ]
    config = small(loss_scale=loss_scale, optimizer=optimizer).resolved()
    first, *others = (
        paint(
            samples,
            extractor,
            dataclasses.replace(
                config, **{n: size * getattr(config, n) for n in names}
            ),
        )
        for size in (1.0, 2.0**20, 1e6)
    )
    # A power of two changes no digit, another number the last ones.
    np.testing.assert_array_equal(others[0].image, first.image)
    assert np.abs(others[1].image - first.image).mean() < 1e-3
    ratio = others[1].losses["total"] / first.losses["total"]
    assert ratio == pytest.approx(1e6, rel=1e-3)


def test_odd_sizes_are_painted_in_a_frame_and_cropped(samples, extractor):
    sizes = []
    config = small(image_size=47, num_levels=2, padding="replicate")
    result = paint(
        samples,
        extractor,
        config,
        actions=[lambda r: sizes.append((r.image.shape, r.pixels().shape))],
    )
    assert result.pixels.shape == (35, 47, 3)
    assert result.image.shape == (1, 35, 47, 3)
    # The deepest layer has stride 2: 18x24 and 35x47 become 36x48.
    assert sizes[0] == ((1, 18, 24, 3), (18, 24, 3))
    assert sizes[-1] == ((1, 36, 48, 3), (35, 47, 3))


@pytest.mark.weights
@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param((64, 128, 256), marks=pytest.mark.slow),
        pytest.param((256, 512, 1024), marks=pytest.mark.soak),
    ],
)
@pytest.mark.soak
def test_one_recipe_serves_every_size(samples, real_weights, sizes):
    """The paper's content loss would grow sixteenfold beside the style's."""
    extractor = make_extractor(Config().resolved())
    contents, styles = [], []
    for size in sizes:
        config = Config(image_size=size, num_levels=1, num_steps=25)
        losses = paint(samples, extractor, config).losses
        contents.append(losses["content/block4_conv2"])
        styles.append(losses["weighted/style"])
    assert max(contents) < 1.5 * min(contents)
    assert max(styles) < 3 * min(styles)


def test_masks_are_brought_to_the_frame():
    mask = np.zeros((20, 40), np.uint8)
    mask[:, 20:] = 255
    frame = make_frame(35, 47, 16)  # 48x48: the mask ends at 23.5 of 47
    extended = pyramid_objective._extend(mask, frame)
    assert extended.shape == (48, 48)
    assert (extended[:, :23] == 0).all()
    assert (extended[:, 24:] == 255).all()
    whole = make_frame(48, 48, 16)
    assert pyramid_objective._extend(mask, whole) is mask
