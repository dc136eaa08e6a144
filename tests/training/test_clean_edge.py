"""Pictures are as clean at their edges as inside, whatever their size."""

import numpy as np
import pytest

from tfstyle.config.config import Config
from tfstyle.images.image_set import ImageSet
from tfstyle.training.extractor import make_extractor
from tfstyle.training.stylize import stylize

pytestmark = [pytest.mark.weights, pytest.mark.slow]

CLOSE = 0.1  # of the mean and the deviation


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


@pytest.mark.parametrize(
    "start", ["noise", pytest.param("content", marks=pytest.mark.soak)]
)
# A side of one picture of 79 px scatters by 6 percent, of 341 px by 5, or 2 of
# a single level.
@pytest.mark.parametrize(
    ("size", "num_levels", "num_pictures"),
    [
        (79, 1, 6),
        pytest.param(80, 1, 6, marks=pytest.mark.soak),
        pytest.param(341, 1, 2, marks=pytest.mark.soak),
        pytest.param(341, 3, 6, marks=pytest.mark.soak),
        pytest.param(410, 1, 2, marks=pytest.mark.soak),
        pytest.param(410, 3, 2, marks=pytest.mark.soak),
    ],
)
@pytest.mark.soak
def test_outermost_pixels_are_as_those_inside(
    gravel, extractor, size, num_levels, num_pictures, start
):
    found = []
    extent = 256 if size < 100 else 512
    for seed in range(num_pictures):
        config = Config(
            image_size=size,
            num_levels=num_levels,
            num_steps=40 if size < 100 else (),
            seed=seed,
            init=start,
        )
        style = np.roll(gravel, 37 * seed, (0, 1))[:extent, :extent]
        content = style.swapaxes(0, 1) if start == "content" else None
        result = stylize(
            ImageSet.of_arrays(content, [style]), config, extractor=extractor
        )
        found.append(result.pixels.astype(np.float64))
    rings = []
    for pixels in found:
        ring = np.zeros(pixels.shape, bool)
        ring[16:-16, 16:-16] = True
        ring[32:-32, 32:-32] = False
        rings.append(pixels[ring])
    mean, deviation = np.mean(rings), np.std(rings)
    for name, side in {
        "top": [pixels[:8] for pixels in found],
        "bottom": [pixels[-8:] for pixels in found],
        "left": [pixels[:, :8] for pixels in found],
        "right": [pixels[:, -8:] for pixels in found],
    }.items():
        assert abs(np.mean(side) / mean - 1) < CLOSE, name
        assert abs(np.std(side) / deviation - 1) < CLOSE, name
