"""Colour against closed forms."""

import colorsys

import numpy as np
import pytest
import scipy.linalg

from tfstyle.images import color_transfer

ROUNDING = 0.5  # grey levels, of the result
LUMINANCE = np.array([0.299, 0.587, 0.114])


@pytest.fixture
def style(generator):
    """Returns uint8 [40, 30, 3] of correlated colours, far from the ends."""
    base = generator.normal(size=(40, 30, 3)) * (18, 9, 5)
    mixing = [[1, 0.4, 0.1], [0.2, 1, -0.5], [0, 0.3, 1]]
    return (base @ np.array(mixing) + (120, 130, 110)).round().astype(np.uint8)


@pytest.fixture
def content(generator):
    base = generator.normal(size=(25, 35, 3)) * (6, 12, 8)
    return np.add(base, (140, 100, 125)).round().astype(np.uint8)


def covariance(pixels):
    rows = pixels.reshape(-1, 3).astype(float)
    return np.cov(rows, rowvar=False, bias=True)


def test_match_colors_equals_the_closed_form(style, content):
    root = np.real(scipy.linalg.sqrtm(covariance(content)))
    root = root @ np.linalg.inv(np.real(scipy.linalg.sqrtm(covariance(style))))
    centred = style.reshape(-1, 3) - style.mean((0, 1))
    expected = (root @ centred.T).T + content.mean((0, 1))
    np.testing.assert_allclose(
        color_transfer.match_colors(style, content).reshape(-1, 3),
        expected,
        atol=ROUNDING + 1e-6,
    )


def test_match_colors_to_itself_changes_nothing(style):
    np.testing.assert_array_equal(
        color_transfer.match_colors(style, style), style
    )


def test_match_colors_clips(style):
    content = np.zeros((20, 20, 3), np.uint8)
    content[:10] = 255
    matched = color_transfer.match_colors(style, content)
    assert matched.min() == 0
    assert matched.max() == 255


@pytest.mark.parametrize("level", [0, 128, 255])
def test_match_colors_of_one_colour_gives_the_mean(level, content):
    flat = np.full((8, 8, 3), level, np.uint8)
    matched = color_transfer.match_colors(flat, content)
    expected = np.rint(content.mean((0, 1)))
    np.testing.assert_array_equal(matched, np.tile(expected, (8, 8, 1)))


def test_to_luminance_is_rec_601():
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    gray = color_transfer.to_luminance(pixels)
    # 0.299, 0.587 and 0.114 of 255
    np.testing.assert_array_equal(gray[0, :, 0], [76, 150, 29])
    np.testing.assert_array_equal(gray, np.repeat(gray[..., :1], 3, -1))


def test_match_luminance_gives_the_content_s_mean_and_deviation(style, content):
    matched = color_transfer.match_luminance(style, content)[..., 0]
    expected = content @ LUMINANCE
    assert matched.mean() == pytest.approx(expected.mean(), abs=0.1)
    assert matched.std() == pytest.approx(expected.std(), abs=0.1)


def test_match_luminance_of_one_grey_gives_the_mean(content):
    flat = np.full((8, 8, 3), 90, np.uint8)
    matched = color_transfer.match_luminance(flat, content)
    assert (matched == round((content @ LUMINANCE).mean())).all()


def test_restore_colors_keeps_luminance_and_takes_hue(style):
    content = np.full_like(style, (120, 128, 124))
    restored = color_transfer.restore_colors(style, content).astype(float)
    np.testing.assert_allclose(
        restored @ LUMINANCE, style @ LUMINANCE, atol=2 * ROUNDING
    )
    expected = colorsys.rgb_to_yiq(*(np.array([120, 128, 124]) / 255))[1:]
    actual = colorsys.rgb_to_yiq(*(restored[5, 5] / 255))[1:]
    # colorsys rounds its coefficients to two digits.
    np.testing.assert_allclose(actual, expected, atol=0.01)


def test_restore_colors_of_the_content_itself_changes_nothing(content):
    restored = color_transfer.restore_colors(content, content)
    np.testing.assert_array_equal(restored, content)


@pytest.mark.parametrize("bits", [8, 16])
def test_mix_is_exact_where_one_picture_is_whole(content, bits):
    top = 2**bits - 1
    painted = np.full(content.shape, top, f"uint{bits}")
    painted[0, 0] = 1
    inside = np.full(content.shape[:2], 255, np.uint8)
    inside[-1] = 0
    inside[1, 1] = 51  # a fifth
    mixed = color_transfer.mix(painted, content, inside)
    assert mixed.dtype == painted.dtype
    np.testing.assert_array_equal(mixed[0], painted[0])
    unit = top // 255
    np.testing.assert_array_equal(mixed[-1], content[-1] * np.uint32(unit))
    expected = (0.8 * content[1, 1] + 0.2 * 255) * unit
    np.testing.assert_allclose(mixed[1, 1], expected, atol=0.5 + ROUNDING)


def test_inputs_are_not_written_into(style, content):
    style.flags.writeable = content.flags.writeable = False
    color_transfer.match_colors(style, content)
    color_transfer.match_luminance(style, content)
    color_transfer.restore_colors(
        style, np.broadcast_to(content[0, 0], style.shape)
    )
    inside = np.zeros(content.shape[:2], np.uint8)
    inside.flags.writeable = False
    color_transfer.mix(content, content, inside)


@pytest.mark.parametrize(
    "match", [color_transfer.match_colors, color_transfer.match_luminance]
)
def test_match_counts_what_is_seen_only(style, content, match, generator):
    """Halves that are transparent change nothing, as if they were cut off."""
    alphas = [np.full(i.shape[:2], 255, np.uint8) for i in (style, content)]
    for alpha in alphas:
        alpha[len(alpha) // 2 :] = 0
    halves = [image[: len(image) // 2] for image in (style, content)]
    expected = match(*halves)
    found = match(style, content, *alphas)
    np.testing.assert_array_equal(found[: len(expected)], expected)
    assert (match(style, content)[: len(expected)] != expected).any()


@pytest.mark.parametrize(
    ("bits", "dtype", "scale"), [(8, np.uint8, 1), (16, np.float64, 257)]
)
def test_restore_colors_is_the_equation(generator, bits, dtype, scale):
    images = generator.uniform(0, 255, (2, 600, 5, 3)).astype(dtype)
    painted, content = images.astype(np.float64)
    yiq = content @ color_transfer.RGB_TO_YIQ.T
    yiq[..., 0] = painted @ color_transfer.RGB_TO_YIQ[0]
    levels = yiq @ np.linalg.inv(color_transfer.RGB_TO_YIQ).T
    expected = np.rint(np.clip(levels, 0, 255) * scale).astype(f"u{bits // 8}")
    restored = color_transfer.restore_colors(*images, bits=bits)
    np.testing.assert_array_equal(restored, expected, strict=True)
