"""Pictures are as clean at their edges as inside, whatever their size."""

import numpy as np
import pytest

from tfstyle.config import Config
from tfstyle.features import make_extractor
from tfstyle.stylization import stylize

pytestmark = [pytest.mark.weights, pytest.mark.slow]

CLOSE = 0.1  # of the mean and the deviation
SEEDS = 3


@pytest.fixture(scope="module")
def gravel():
    """Returns a grey texture that is the same everywhere, uint8."""
    generator = np.random.default_rng(0)
    height = np.zeros((512, 512))
    for radius in (3, 5, 8):
        noise = np.fft.rfft2(generator.normal(size=height.shape))
        rows = np.fft.fftfreq(512)[:, None]
        columns = np.fft.rfftfreq(512)
        ring = np.hypot(rows, columns) * 2 * np.pi * radius
        height += np.fft.irfft2(noise * ring * np.exp(-ring)) * radius
    scaled = 128 + 50 * height / height.std()
    pixels = np.clip(scaled, 0, 255).astype(np.uint8)
    return np.dstack([pixels] * 3)


@pytest.fixture(scope="module")
def extractor(real_weights):
    return make_extractor(Config().resolved())


@pytest.mark.parametrize("size", [79, 80])
def test_outermost_pixels_are_as_those_inside(gravel, extractor, size):
    found = []
    for seed in range(SEEDS):
        config = Config(image_size=size, num_steps=40, seed=seed)
        style = np.roll(gravel, 37 * seed, (0, 1))[:256, :256]
        pixels = stylize(None, [style], config, extractor=extractor).pixels
        found.append(pixels.astype(np.float64))
    inside = [pixels[16:-16, 16:-16] for pixels in found]
    mean, deviation = np.mean(inside), np.std(inside)
    for name, side in {
        "top": [pixels[:8] for pixels in found],
        "bottom": [pixels[-8:] for pixels in found],
        "left": [pixels[:, :8] for pixels in found],
        "right": [pixels[:, -8:] for pixels in found],
    }.items():
        assert abs(np.mean(side) / mean - 1) < CLOSE, name
        assert abs(np.std(side) / deviation - 1) < CLOSE, name
