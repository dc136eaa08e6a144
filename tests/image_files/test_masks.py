"""Masks as people bring them, and averaged to the size of a layer."""

import numpy as np
import pytest
from PIL import Image

from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.masks import average_mask
from tfstyle.image_files.masks import halve_mask
from tfstyle.image_files.masks import log_stretched
from tfstyle.image_files.masks import read_mask

INSIDE = np.arange(24 * 32).reshape(24, 32) % 32 >= 20
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0] + [0] * 756 + [224, 224, 192]
"""Of PASCAL VOC: ground, two classes and, at 255, what has none."""


def of_levels(outside, inside):
    return Image.fromarray(np.where(INSIDE, inside, outside).astype(np.uint8))


def of_classes(*indices):
    image = of_levels(*indices[:2])
    for place, index in enumerate(indices[2:]):
        image.putpixel((place, 0), index)
    image = image.convert("P")
    image.putpalette(PALETTE)
    return image


def of_colors(outside, inside):
    pixels = np.where(INSIDE[..., np.newaxis], inside, outside)
    return Image.fromarray(pixels.astype(np.uint8))


def of_alpha(gray):
    pixels = np.full((24, 32, 4), gray, np.uint8)
    pixels[..., 3] = np.where(INSIDE, 255, 0)
    return Image.fromarray(pixels)


def white_on_transparent_black():
    pixels = np.zeros((24, 32, 4), np.uint8)
    pixels[INSIDE] = 255
    pixels[:12, :, 3] = 255  # the upper ground is seen, and black
    return Image.fromarray(pixels)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "mask.png")


@pytest.mark.parametrize(
    ("image", "is_guessed"),
    [
        (of_levels(0, 255), False),
        (of_levels(0, 255).convert("1"), False),
        (of_levels(0, 1), True),
        (of_levels(60, 200), True),
        (of_levels(0, 255).convert("RGB"), False),
        (of_classes(0, 2), True),
        (of_classes(0, 1, 255, 255), True),  # two pixels have no class
        (of_colors((20, 0, 200), (255, 255, 0)), True),
        (of_alpha(0), True),
        (of_alpha(255), True),
        (of_alpha(90), True),
        (white_on_transparent_black(), False),
    ],
)
def test_mask_is_what_is_seen_as_its_two_sides(path, caplog, image, is_guessed):
    image.save(path)
    np.testing.assert_array_equal(read_mask(path), np.where(INSIDE, 255, 0))
    assert (path in caplog.text) == is_guessed


@pytest.mark.parametrize("level", [1, 255])
def test_mask_of_one_level_is_all_inside(path, level):
    of_levels(level, level).save(path)
    assert (read_mask(path) == 255).all()


@pytest.mark.parametrize(
    ("size", "is_said"),
    [((24, 32), False), ((49, 64), False), ((32, 24), True)],
)
def test_mask_of_another_shape_than_its_image_is_said(caplog, size, is_said):
    log_stretched("mask.png", np.zeros(size), np.zeros((240, 320, 3)))
    assert ("mask.png" in caplog.text) == is_said


@pytest.mark.parametrize(("first", "last"), [(0, 255), (3, 251), (40, 200)])
def test_soft_mask_stays_soft(path, caplog, first, last):
    ramp = np.linspace(first, last, 32).round().astype(np.uint8)
    Image.fromarray(np.tile(ramp, (24, 1))).save(path)
    mask = read_mask(path)
    if first == 40:
        ramp = np.rint((ramp.astype(float) - 40) * 255 / 160)
        assert path in caplog.text
    np.testing.assert_array_equal(mask, np.tile(ramp, (24, 1)))


def test_soft_alpha_stays_soft(path):
    pixels = np.zeros((24, 32, 4), np.uint8)
    pixels[..., 3] = np.linspace(0, 255, 32).round()
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_mask(path), pixels[..., 3])


def test_soft_mask_in_a_colour_stays_soft(path):
    share = np.linspace(0, 1, 8).repeat(4)[:, np.newaxis]
    red = np.tile(np.rint(share * [200, 10, 10]), (24, 1, 1)).astype(np.uint8)
    Image.fromarray(red).save(path)
    expected = np.tile(share[:, 0] * 255, (24, 1))
    assert np.abs(read_mask(path) - expected).max() < 4  # of 67 levels


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (of_levels(0, 0), "black"),
        (of_classes(0, 1, 2), "2 colours"),
        (of_colors((200, 0, 0), (0, 102, 0)), "two colours"),
        (of_levels(np.eye(24, 32) * 2, 1), "0, 1, 2"),
        (of_levels(np.eye(24, 32) * 255, 7), "0, 7, 255"),
    ],
)
def test_mask_of_other_than_two_sides_is_refused(path, image, found):
    image.save(path)
    with refuses("", path, found, kind=ImageError):
        read_mask(path)


def test_average_mask_equals_the_mean_of_each_area(generator):
    mask = generator.integers(0, 256, (24, 40)).astype(np.uint8)
    expected = mask.reshape(6, 4, 10, 4).mean((1, 3)) / 255
    actual = average_mask(mask, 6, 10)
    assert actual.shape == (1, 6, 10, 1)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual[0, :, :, 0], expected, rtol=1e-6)


def test_average_mask_weighs_positions_by_their_share():
    mask = np.array([[255, 0, 0]], np.uint8)  # three into two
    shares = average_mask(mask, 1, 2).ravel()
    np.testing.assert_allclose(shares, [2 / 3, 0], rtol=1e-6)


def test_halve_mask_weighs_windows_by_hand():
    mask = np.zeros((1, 6, 4, 1), np.float32)
    mask[0, 3, 1] = 64
    halved = halve_mask(mask)
    assert halved.shape == (1, 3, 2, 1)
    # Row 3 weighs 3 in window 1 and 1 in window 2; column 1 3 and 1.
    np.testing.assert_array_equal(halved[0, :, :, 0], [[0, 0], [9, 3], [3, 1]])


@pytest.mark.parametrize("size", [(37, 50), (2, 3), (80, 90)])
def test_ones_averaged_and_halved_are_exactly_one(size):
    mask = np.full((37, 50), 255, np.uint8)
    np.testing.assert_array_equal(average_mask(mask, *size), 1)
    halved = halve_mask(np.ones((1, *size, 1), np.float32))
    np.testing.assert_array_equal(halved, 1)
    assert halved.shape == (1, size[0] // 2, size[1] // 2, 1)
