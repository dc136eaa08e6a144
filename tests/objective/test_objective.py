"""The objective against the float64 oracle, central differences, by parts."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests import references
from tests import targets
from tests.refusals import refuses
from tests.targets import make_whole_objective
from tests.targets import relative_error
from tfstyle.config.config import Config
from tfstyle.image_files.masks import average_mask
from tfstyle.images.preprocessing import preprocess
from tfstyle.objective import xla_trial
from tfstyle.objective.evaluators import WholeFrameEvaluator
from tfstyle.objective.objective import make_value_and_gradient
from tfstyle.objective.options import ObjectiveOptions
from tfstyle.objective.terms import LossTerms
from tfstyle.system import gpus

LOSSES = 1e-5  # float32 sums over positions and channels
GRADIENT = 2e-3  # a few rectifiers sit at zero and switch in float32
SAME_PATTERN = 1e-5  # the oracle is given our rectifiers' pattern
PRECISIONS = {  # bounds of the losses and, as a cosine, of the gradient
    "mixed_bfloat16": (2e-2, 0.995),  # 8 bits; measured 9e-3 and 0.9986
    "mixed_float16": (5e-3, 0.9995),  # 11 bits; measured 2e-3 and 0.9999
}


def make_extractor(
    weights, pooling="rms", layers=references.LAYERS, precision="float32"
):
    return targets.make_extractor(
        weights, layers, pooling=pooling, precision=precision
    )


def compute_targets(extractor, *arguments, **options):
    evaluator = WholeFrameEvaluator(extractor)
    return targets.compute_targets(evaluator, *arguments, **options)


def evaluate(extractor, config, image, content, styles, **regions):
    objective = make_whole_objective(
        extractor, content, styles, config.resolved(), **regions
    )
    return objective(image)


def read_all(weights, image, pooling):
    return references.forward(
        image[0].numpy(), weights.layers, "block5_conv4", pooling
    )


def oracle(weights, config, image, content, styles, active=None):
    config = config.resolved()
    content_targets, style_targets = {}, {}
    if content is not None:
        known = read_all(weights, content, config.pooling)
        for name, weight in zip(
            config.content_layers, config.content_layer_weights, strict=True
        ):
            content_targets[name] = weight, known[name]
    known = [read_all(weights, style, config.pooling) for style in styles]
    blend = np.array(config.style_blend_weights or [1] * len(styles))
    for name, weight in zip(
        config.style_layers, config.style_layer_weights, strict=True
    ):
        grams = [references.gram(outputs[name]) for outputs in known]
        target = np.tensordot(blend / blend.sum(), grams, 1)
        style_targets[name] = weight, target
    options = (
        *("content_weight", "style_weight", "tv_weight", "chroma_weight"),
        *("range_weight", "loss_scale", "content_reduction", "pooling"),
    )
    return references.value_and_gradient(
        image[0].numpy(),
        weights.layers,
        content_targets=content_targets,
        style_targets=style_targets,
        active=active,
        **{name: getattr(config, name) for name in options},
    )


def as_image(pixels):
    return tf.constant(preprocess(pixels))


@pytest.fixture
def images(samples):
    """Returns an image, a content and two styles, small and of odd sizes.

    The image's colours go beyond black and white, as those on the way do.
    """
    scene, strokes = samples
    return (
        1.5 * as_image(strokes[100:147, 200:250]),
        as_image(scene[300:347, 300:350]),
        as_image(strokes[:41, :64]),
        as_image(strokes[-33:, -37:]),
    )


def hold_against_oracle(weights, config, image, content, styles):
    extractor = make_extractor(weights, config.resolved().pooling)
    terms, gradient = evaluate(extractor, config, image, content, styles)
    pattern = {
        name: output[0].numpy() > 0 for name, output in extractor(image).items()
    }
    for active, bound in ((None, GRADIENT), (pattern, SAME_PATTERN)):
        raw, total, slope = oracle(
            weights, config, image, content, styles, active
        )
        assert relative_error(gradient[0], slope) < bound
    assert set(terms.raw) == set(raw)
    for name, value in raw.items():
        np.testing.assert_allclose(terms.raw[name], value, rtol=LOSSES)
    np.testing.assert_allclose(terms.total, total, rtol=LOSSES)


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("pooling", ["average", "max", "rms"])
@pytest.mark.parametrize("loss_scale", ["relative", "absolute"])
def test_value_and_gradient_equals_float64_with_real_weights(
    real_weights, images, pooling, loss_scale
):
    image, content, style, other = images
    config = Config(
        loss_scale=loss_scale,
        pooling=pooling,
        style_blend_weights=(3, 1),
        tv_weight=0.1,
        chroma_weight=12,
        range_weight=10,
        content_layers=("conv4_2", "conv2_1"),
    )
    hold_against_oracle(real_weights, config, image, content, [style, other])


@pytest.mark.slow
@pytest.mark.weights
def test_value_and_gradient_equals_float64_with_the_authors_constants(
    real_weights, images
):
    image, content, style, _ = images
    config = Config(
        loss_scale="absolute",
        pooling="max",
        content_reduction="mean",
        content_weight=2,
        style_layer_weights=[4000 / n**2 for n in (64, 128, 256, 512, 512)],
    )
    hold_against_oracle(real_weights, config, image, content, [style])


@pytest.mark.parametrize("loss_scale", ["relative", "absolute"])
def test_value_and_gradient_equals_float64_with_random_weights(
    random_weights, images, loss_scale
):
    image, content, style, _ = images
    config = Config(loss_scale=loss_scale)
    hold_against_oracle(random_weights, config, image, content, [style])


@pytest.mark.slow
@pytest.mark.parametrize("loss_scale", ["relative", "absolute"])
def test_value_and_gradient_equals_central_differences(
    random_weights, images, generator, loss_scale
):
    image, content, style, _ = images
    config = Config(
        loss_scale=loss_scale,
        tv_weight=1.0,
        chroma_weight=1.0,
        range_weight=1.0,
    )
    extractor = make_extractor(random_weights, config.resolved().pooling)
    _, gradient = evaluate(extractor, config, image, content, [style])
    direction = generator.normal(size=image.shape)
    step = 1e-4
    values = [
        oracle(
            random_weights,
            config,
            tf.constant(image.numpy() + sign * step * direction),
            content,
            [style],
        )[1]
        for sign in (1, -1)
    ]
    slope = (values[0] - values[1]) / (2 * step)
    expected = np.vdot(gradient.numpy().astype(np.float64), direction)
    np.testing.assert_allclose(slope, expected, rtol=GRADIENT)


def test_terms_are_reported_raw_and_weighted(random_weights, images):
    image, content, style, _ = images
    config = Config(
        content_weight=0.5,
        style_weight=3.0,
        tv_weight=0.25,
        chroma_weight=12.0,
        range_weight=7.0,
        style_layers=("conv1_1", "conv2_1"),
        style_layer_weights=(0.75, 0.5),
    )
    extractor = make_extractor(random_weights)
    found, _ = evaluate(extractor, config, image, content, [style])
    terms = found.to_floats()
    style_sum = (
        0.75 * terms["style/block1_conv1"] + 0.5 * terms["style/block2_conv1"]
    )
    weighted = {
        "weighted/content": 0.5 * terms["content/block4_conv2"],
        "weighted/style": 3 * style_sum,
        "weighted/total_variation": 0.25 * terms["total_variation"],
        "weighted/chroma": 12 * terms["chroma"],
        "weighted/range": 7 * terms["range"],
    }
    assert list(found.weighted) == list(weighted)
    expected = weighted | {"total": sum(weighted.values())}
    assert {name: terms[name] for name in expected} == pytest.approx(
        expected, rel=LOSSES
    )


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_relative_losses_are_0_at_the_target_and_1_of_a_blank_layer(
    random_weights, images, pooling
):
    _, content, _, _ = images
    extractor = make_extractor(random_weights, pooling)
    config = Config(
        pooling=pooling, tv_weight=0, chroma_weight=0, range_weight=0
    )
    terms, _ = evaluate(extractor, config, content, content, [content])
    assert float(terms.total) < LOSSES**2  # squares of rounded sums
    # Random weights have no bias: nothing in, nothing out.
    blank = tf.zeros_like(content)
    terms, _ = evaluate(extractor, config, blank, content, [content])
    for value in terms.raw.values():
        np.testing.assert_allclose(value, 1.0, rtol=LOSSES)


def test_relative_losses_refuse_a_target_without_energy(random_weights, images):
    image, content, style, _ = images
    extractor = make_extractor(random_weights, "average")
    blank = tf.zeros_like(content)
    with refuses("content_layers", "block4_conv2"):
        evaluate(extractor, Config(), image, blank, [style])
    with refuses("style_layers", "block1_conv1", "style 1"):
        evaluate(extractor, Config(), image, content, [blank])
    absolute = Config(loss_scale="absolute")
    evaluate(extractor, absolute, image, blank, [blank])


@pytest.mark.parametrize("left_out", ["content", "style"])
def test_terms_of_a_missing_image_are_left_out(
    random_weights, images, left_out
):
    image, content, style, _ = images
    extractor = make_extractor(random_weights)
    terms, gradient = evaluate(
        extractor,
        Config(tv_weight=0, chroma_weight=0, range_weight=0),
        image,
        None if left_out == "content" else content,
        [] if left_out == "style" else [style],
    )
    assert list(terms.weighted) == [
        "weighted/style" if left_out == "content" else "weighted/content"
    ]
    assert np.isfinite(gradient).all()
    assert np.any(gradient)


def test_gradient_is_zero_at_the_content_in_float16(random_weights, images):
    _, content, _, _ = images
    extractor = make_extractor(random_weights, precision="mixed_float16")
    config = Config(tv_weight=0, chroma_weight=0)
    terms, gradient = evaluate(extractor, config, content, content, [])
    assert float(terms.total) == 0
    assert not np.any(gradient)


def test_targets_blend_by_normalised_weights(random_weights, images):
    extractor = make_extractor(random_weights)
    first, weighted, second, blend = (
        compute_targets(
            extractor, None, styles, Config(style_blend_weights=weights)
        ).style["block3_conv1"][0]
        for styles, weights in (
            ([images[2]], ()),
            ([images[2]], (7,)),
            ([images[3]], ()),
            ([images[2], images[3]], (1, 3)),
        )
    )
    np.testing.assert_array_equal(weighted, first)
    np.testing.assert_allclose(blend, first / 4 + second * 3 / 4, rtol=LOSSES)


@pytest.mark.parametrize("with_mask", [False, True])
def test_layers_that_see_most_of_a_style_see_it_upside_down(
    random_weights, generator, with_mask
):
    """Of 64 px conv3_1 sees 30, conv4_1 82: only that is turned."""
    style = tf.constant(generator.normal(0, 50, (1, 48, 64, 3)), tf.float32)
    mask = generator.integers(0, 256, (48, 64)).astype(np.uint8)
    config = Config(
        style_figures="few", style_layers=("conv4_1", "conv3_1")
    ).resolved()
    extractor = make_extractor(random_weights)

    def grams(picture, mask, config):
        masks = [mask] if with_mask else [None]
        found = compute_targets(
            extractor, None, [picture], config, style_masks=masks
        )
        return {name: gram for name, (gram,) in found.style.items()}

    found = grams(style, mask, config)
    assert list(found) == list(config.style_layers)
    plain = dataclasses.replace(config, style_figures="all")
    upright = grams(style, mask, plain)
    turned = grams(style[:, ::-1, ::-1], mask[::-1, ::-1], plain)
    np.testing.assert_array_equal(
        found["block3_conv1"], upright["block3_conv1"]
    )
    np.testing.assert_array_equal(found["block4_conv1"], turned["block4_conv1"])
    assert (
        relative_error(upright["block4_conv1"], turned["block4_conv1"]) > 0.01
    )


@pytest.mark.parametrize("loss_scale", ["relative", "absolute"])
def test_regions_equal_the_guided_gram_matrices(
    random_weights, images, generator, loss_scale
):
    """E_l = sum_r s_r E(G_r / count_r, A_r / count_Ar), in float64."""
    image, _, style, other = images
    masks = generator.integers(0, 256, (4, 48, 64)).astype(np.uint8)
    config = Config(
        loss_scale=loss_scale,
        content_weight=0,
        style_layers=("conv1_2", "conv3_1"),
    ).resolved()
    extractor = make_extractor(random_weights, config.pooling)
    terms, _ = evaluate(
        extractor,
        config,
        image,
        None,
        [style, other],
        content_masks=masks[:2],
        style_masks=masks[2:],
        image_size=image.shape[1:3],
    )

    def guided(features, mask, picture):
        height, width, channels = features.shape
        if config.pooling == "rms":
            t = average_mask(mask, *picture.shape[1:3])[0, :, :, 0]
            while len(t) > height:
                rows, columns = (
                    references.window_rows(extent, 4 / 3) for extent in t.shape
                )
                t = rows @ t @ columns.T
            t = t[:, :, None]
        else:
            t = average_mask(mask, height, width)[0].astype(np.float64)
        rows = (features * t).reshape(-1, channels)
        count = (t**2).sum()
        return rows.T @ rows / count, count / (height * width)

    for name in config.style_layers:
        ours, *theirs = (
            extractor(x)[name][0].numpy().astype(np.float64)
            for x in (image, style, other)
        )
        expected = 0.0
        for region in range(2):
            gram, share = guided(ours, masks[region], image)
            target, _ = guided(
                theirs[region], masks[2 + region], (style, other)[region]
            )
            difference = (gram - target) ** 2
            unit = 4 * len(gram) ** 2
            if loss_scale == "relative":
                unit = (target**2).sum()
            expected += share * difference.sum() / unit
        np.testing.assert_allclose(
            terms.raw[f"style/{name}"], expected, rtol=LOSSES
        )


def test_fresh_places_are_regions_of_their_own(random_weights, images):
    """Of two regions, the second of which has no fresh place."""
    image, _, style, other = images
    left, fresh = np.zeros((2, 48, 64), np.uint8)
    left[:, :32], fresh[:, :16] = 255, 255
    config = Config(content_weight=0).resolved()
    extractor = make_extractor(random_weights, config.pooling)

    def losses(styles, masks, fresh=None):
        found, _ = evaluate(
            *(extractor, config, image, None, styles),
            content_masks=masks,
            image_size=image.shape[1:3],
            fresh=fresh,
        )
        return {name: float(value) for name, value in found.raw.items()}

    pair = [fresh, 255 - fresh]
    assert losses([style], [], fresh) == pytest.approx(
        losses([style, style], pair), rel=LOSSES
    )
    config = dataclasses.replace(config, pooling="average")
    parts = [fresh, left - fresh, 255 - left]
    assert losses([style, other], [left, 255 - left], fresh) == pytest.approx(
        losses([style, style, other], parts), rel=LOSSES
    )


def test_gradient_of_regions_equals_central_differences(
    random_weights, images, generator
):
    image, content, style, _ = images
    mask = np.zeros((48, 64), np.uint8)
    mask[8:40, 5:30] = 255
    config = Config(
        loss_scale="absolute", style_layers=("conv1_1", "conv2_1")
    ).resolved()
    extractor = make_extractor(random_weights)
    evaluate_at = make_whole_objective(
        extractor,
        content,
        [style],
        config,
        content_masks=[mask],
        style_masks=[mask],
        image_size=image.shape[1:3],
    )
    _, gradient = evaluate_at(image)
    direction = gradient / tf.norm(gradient)
    step = 0.05  # grey levels, far above float32's rounding of the value
    high, low = (
        float(evaluate_at(image + sign * step * direction)[0].total)
        for sign in (1, -1)
    )
    slope = (high - low) / (2 * step)
    np.testing.assert_allclose(slope, tf.norm(gradient), rtol=1e-2)


@pytest.mark.slow
@pytest.mark.weights
@pytest.mark.parametrize("precision", PRECISIONS)
def test_mixed_precision_agrees_with_float32(real_weights, images, precision):
    image, content, style, _ = images
    losses, cosine = PRECISIONS[precision]
    config = Config(tv_weight=0.1)
    results = [
        evaluate(
            make_extractor(real_weights, precision=dtype),
            config,
            image,
            content,
            [style],
        )
        for dtype in ("float32", precision)
    ]
    (terms, gradient), (mixed_terms, mixed_gradient) = results
    for name, value in mixed_terms.raw.items():
        assert value.dtype == tf.float32
        np.testing.assert_allclose(value, terms.raw[name], rtol=losses)
    assert mixed_gradient.dtype == tf.float32
    a, b = np.ravel(gradient), np.ravel(mixed_gradient)
    assert a @ b > cosine * np.linalg.norm(a) * np.linalg.norm(b)


@pytest.mark.weights
@pytest.mark.parametrize("weight", [1e-20, 1e-8, 1e12])
def test_float16_gradient_neither_overflows_nor_vanishes(
    real_weights, images, weight
):
    image, content, style, _ = images
    one, config = (
        Config(loss_scale="absolute", content_weight=1e-3 * w, style_weight=w)
        for w in (1, weight)
    )
    extractor = make_extractor(real_weights, precision="mixed_float16")
    _, gradient = evaluate(extractor, config, image, content, [style])
    _, expected = evaluate(extractor, one, image, content, [style])
    assert relative_error(gradient / weight, expected) < 1e-2


@pytest.mark.weights
def test_float16_features_stay_far_from_overflow(real_weights, generator):
    """Blocks of random colours excite the network more than any photograph."""
    colors = generator.integers(0, 2, (8, 8, 3)) * 255
    image = as_image(np.kron(colors, np.ones((8, 8, 1))).astype(np.uint8))
    extractor = make_extractor(
        real_weights, layers=("block3_conv4",), precision="mixed_float16"
    )
    features = extractor(4 * image)["block3_conv4"].numpy()
    assert features.max() > 65504
    assert np.isfinite(features).all()


@pytest.mark.slow
def test_jit_compile_gives_the_same_value(random_weights, images):
    image, content, style, _ = images
    extractor = make_extractor(random_weights)
    (terms, gradient), (compiled_terms, compiled_gradient) = (
        evaluate(extractor, Config(jit_compile=jit), image, content, [style])
        for jit in ("false", "true")
    )
    np.testing.assert_allclose(terms.total, compiled_terms.total, rtol=LOSSES)
    assert relative_error(compiled_gradient, gradient) < GRADIENT


@pytest.mark.soak
def test_graph_that_xla_does_not_compile_runs_without_on_a_gpu(
    random_weights, images, monkeypatch, caplog
):
    image, content, style, _ = images
    extractor = make_extractor(random_weights)

    def loss(image, features):
        """Calls Python, which XLA cannot compile."""
        del features
        return (
            tf.py_function(lambda: 0.0, [], tf.float32) + 0 * image[0, 0, 0, 0]
        )

    def evaluate_with(jit_compile, extra_losses):
        config = Config(jit_compile=jit_compile).resolved()
        found = compute_targets(extractor, content, [style], config)
        options = ObjectiveOptions.of(config)
        return make_value_and_gradient(extractor, found, options, extra_losses)

    # Of the same losses, as the order of sums follows them.
    terms, gradient = evaluate_with("false", {"mine": loss})(image)
    monkeypatch.setattr(gpus, "has_gpu", lambda: True)
    monkeypatch.setattr(xla_trial, "WORTH_TRYING", 0.0)
    with pytest.raises(tf.errors.OpError):
        evaluate_with("true", {"mine": loss})(image)
    assert "XLA" not in caplog.text
    objective = evaluate_with("auto", {"mine": loss})
    for _ in range(xla_trial.FEWEST + 2):
        found_terms, found_gradient = objective(image)
        assert float(found_terms.total) == float(terms.total)
        np.testing.assert_array_equal(found_gradient, gradient)
    assert caplog.text.count("XLA cannot compile") == 1
    caplog.clear()
    objective = evaluate_with("auto", None)
    for _ in range(xla_trial.FEWEST + 2):
        found_terms, _ = objective(image)
        np.testing.assert_allclose(found_terms.total, terms.total, rtol=LOSSES)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("total", "gradient", "expected"),
    [
        (2.0, [1.0, 0.0], 2.0),
        (2.0, [1.0, np.nan], np.nan),
        (2.0, [np.inf, 0.0], np.nan),
        (np.inf, [np.nan, 0.0], np.inf),
    ],
)
def test_total_tells_of_a_gradient_that_is_not_finite(
    total, gradient, expected
):
    terms = LossTerms(tf.constant(total), {}, {})
    checked = terms.checked(tf.constant(gradient))
    np.testing.assert_equal(float(checked.total), expected)
