"""`tools/ripples.py` against gratings whose period and power are known."""

import numpy as np
import pytest

from tools import ripples

WINDOW = 0.01  # a symmetric window of 64 px against its integral
ROUNDING = 0.02  # gratings of 8 bits a channel, through sRGB's curve


def make_grating(amplitude, cycles, shape=(128, 160)):
    """Returns float64 waves from left to right, so many in 64 px."""
    x = np.arange(shape[1])
    wave = amplitude * np.sin(2 * np.pi * cycles * x / 64)
    return np.tile(0.5 + wave, (shape[0], 1))


def to_pixels(lightness):
    """Returns grey uint8 `[H, W, 3]` of a lightness, 0..1."""
    light = lightness**3
    level = np.where(
        light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055
    )
    return np.repeat(np.round(255 * level).astype(np.uint8)[..., None], 3, 2)


@pytest.mark.parametrize("is_turned", [False, True])
@pytest.mark.parametrize(
    ("band", "cycles"), list(enumerate((29, 23, 18, 13, 9, 6)))
)  # of periods 2.2, 2.8, 3.6, 4.9, 7.1 and 10.7 px
def test_grating_has_the_variance_of_a_sine_in_its_band_alone(
    band, cycles, is_turned
):
    lightness = make_grating(0.1, cycles)
    powers = ripples.band_powers(lightness.T if is_turned else lightness)
    assert powers.shape == (3 * 4, 6)  # blocks begin every 32 px
    np.testing.assert_allclose(powers[:, band], 0.1**2 / 2, rtol=WINDOW)
    others = np.delete(powers, band, axis=1)
    assert others.max() < 1e-3 * 0.1**2 / 2


def test_band_has_its_shortest_period_but_not_its_longest():
    bands = [(16, 64), (9, 16)]
    powers = ripples.band_powers(make_grating(0.1, 64 / 16), bands)
    longer, shorter = powers[0] / (0.1**2 / 2)
    # Hann's window leaves 2/3 of the power where it is, on either axis, and
    # gives 1/6 to each neighbour. Of 4 cycles across and 0 down, what comes to
    # 5 across, or to 1 down, has a shorter period than 16 px.
    assert longer == pytest.approx(1 / 6 + 2 / 3 * 2 / 3, abs=WINDOW)
    assert shorter == pytest.approx(1 / 6 + 2 / 3 * 1 / 3, abs=WINDOW)


def test_all_periods_together_have_the_variance_under_the_window(generator):
    block = generator.uniform(0, 1, (64, 64))
    (power,) = ripples.band_powers(block, [(0.5, np.inf)])[0]
    window = np.sin(np.pi * np.arange(64) / 63) ** 2
    weights = window[:, None] * window
    waves = (block - block.mean()) * weights
    total = (waves**2).sum() - waves.sum() ** 2 / 64**2  # Parseval, less f = 0
    assert power == pytest.approx(total / (weights**2).sum(), rel=1e-9)


def test_flat_picture_has_no_ripples():
    blue = np.full((64, 96, 3), (20, 130, 240), np.uint8)
    black = np.zeros_like(blue)
    assert ripples.measure_ripples(blue).max() < 1e-20
    assert (ripples.compare_ripples(blue, black, black) == 0).all()


def test_lightness_is_the_cube_root_of_luminance():
    colors = [(255, 255, 255), (0, 0, 0), (0, 255, 0), (128, 128, 128)]
    lightness = ripples.compute_lightness(np.array([colors], np.uint8))
    # Rec. 709's share of green; ((128 / 255 + 0.055) / 1.055)**2.4 = 0.21586
    expected = [[1, 0, 0.7152 ** (1 / 3), 0.21586 ** (1 / 3)]]
    np.testing.assert_allclose(lightness, expected, atol=1e-5)


def test_power_is_that_of_the_pixels_lightness():
    pixels = to_pixels(make_grating(0.2, 18))
    powers = ripples.measure_ripples(pixels)[:, 2]
    np.testing.assert_allclose(powers, 0.2**2 / 2, rtol=ROUNDING)


def test_decibels_are_above_the_louder_of_content_and_style():
    loud, half, quarter = (
        to_pixels(make_grating(amplitude, 18)) for amplitude in (0.2, 0.1, 0.05)
    )
    for content, style in ((half, quarter), (quarter, half)):
        levels = ripples.compare_ripples(loud, content, style)[:, 2]
        np.testing.assert_allclose(levels, 20 * np.log10(2), atol=0.2)


def test_ripples_in_a_quiet_part_show_in_the_quiet_quarter(generator):
    lightness = generator.uniform(0.3, 0.7, (128, 320))
    lightness[:, :160] = 0.5 + generator.normal(0, 0.005, (128, 160))
    before = to_pixels(lightness)
    lightness[:, :160] += make_grating(0.02, 18) - 0.5
    everywhere, quiet = ripples.compare_ripples(
        to_pixels(lightness), before, before
    )
    assert quiet[2] > 10
    assert everywhere[2] < 1
    assert np.abs(np.delete(quiet, 2)).max() < 1


@pytest.mark.parametrize("shape", [(63, 64, 3), (64, 63, 3)])
def test_picture_smaller_than_a_block_is_refused(shape):
    with pytest.raises(ValueError, match=f"{shape[1]}x{shape[0]}"):
        ripples.measure_ripples(np.zeros(shape, np.uint8))
