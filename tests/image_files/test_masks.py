"""Masks as people bring them, and averaged to the size of a layer."""

import numpy as np
import pytest
from PIL import Image

from tfstyle.errors import ImageError
from tfstyle.image_files.masks import average_mask
from tfstyle.image_files.masks import halve_mask
from tfstyle.image_files.masks import log_stretched
from tfstyle.image_files.masks import read_mask

INSIDE = np.arange(24 * 32).reshape(24, 32) % 32 >= 20
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0] + [0] * 756 + [224, 224, 192]
"""Of PASCAL VOC: ground, two classes and, at 255, what has none."""


def of_levels(outside, inside, dtype=np.uint8):
    return Image.fromarray(np.where(INSIDE, inside, outside).astype(dtype))


def of_classes(*indices):
    image = Image.fromarray(np.choose(INSIDE, indices[:2]).astype(np.uint8))
    for place, index in enumerate(indices[2:]):
        image.putpixel((place, 0), index)
    image = image.convert("P")
    image.putpalette(PALETTE)
    return image


def of_colors(outside, inside):
    return Image.fromarray(
        np.where(INSIDE[..., np.newaxis], inside, outside).astype(np.uint8)
    )


def of_alpha(gray, outside=0, inside=255):
    pixels = np.full((24, 32, 4), gray, np.uint8)
    pixels[..., 3] = np.where(INSIDE, inside, outside)
    return Image.fromarray(pixels)


def white_on_transparent_black():
    pixels = np.zeros((24, 32, 4), np.uint8)
    pixels[INSIDE] = 255
    pixels[:12, :, 3] = 255  # the upper ground is seen, and black
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("make", "is_guessed"),
    [
        (lambda: of_levels(0, 255), False),
        (lambda: of_levels(0, 255).convert("1"), False),
        (lambda: of_levels(0, 1), True),
        (lambda: of_levels(0, 15), True),
        (lambda: of_levels(60, 200), True),
        (lambda: of_levels(0, 255).convert("RGB"), False),
        (lambda: of_classes(0, 1), True),
        (lambda: of_classes(0, 2), True),
        (lambda: of_colors((20, 0, 200), (255, 255, 0)), True),
        (lambda: of_alpha(0), True),
        (lambda: of_alpha(255), True),
        (lambda: of_alpha(90), True),
        (white_on_transparent_black, False),
    ],
)
def test_mask_is_what_is_seen_as_its_two_sides(
    tmp_path, caplog, make, is_guessed
):
    path = str(tmp_path / "mask.png")
    make().save(path)
    np.testing.assert_array_equal(read_mask(path), np.where(INSIDE, 255, 0))
    assert (path in caplog.text) == is_guessed


def test_what_has_no_class_is_outside(tmp_path):
    path = str(tmp_path / "mask.png")
    of_classes(0, 1, 255, 255).save(path)
    np.testing.assert_array_equal(read_mask(path), np.where(INSIDE, 255, 0))


@pytest.mark.parametrize("level", [1, 255])
def test_mask_of_one_level_is_all_inside(tmp_path, level):
    path = str(tmp_path / "mask.png")
    of_levels(level, level).save(path)
    assert (read_mask(path) == 255).all()


def test_mask_with_nothing_inside_is_refused(tmp_path):
    path = str(tmp_path / "mask.png")
    of_levels(0, 0).save(path)
    with pytest.raises(ImageError, match=r"mask\.png.*in white"):
        read_mask(path)


@pytest.mark.parametrize(
    ("size", "is_said"),
    [((24, 32), False), ((49, 64), False), ((32, 24), True)],
)
def test_mask_of_another_shape_than_its_image_is_said(caplog, size, is_said):
    log_stretched("mask.png", np.zeros(size), np.zeros((240, 320, 3)))
    assert ("mask.png" in caplog.text) == is_said


@pytest.mark.parametrize(("first", "last"), [(0, 255), (3, 251), (40, 200)])
def test_soft_mask_stays_soft(tmp_path, caplog, first, last):
    ramp = np.linspace(first, last, 32).round().astype(np.uint8)
    path = str(tmp_path / "mask.png")
    Image.fromarray(np.tile(ramp, (24, 1))).save(path)
    mask = read_mask(path)
    if first == 40:
        ramp = np.rint((ramp.astype(float) - 40) * 255 / 160)
        assert path in caplog.text
    np.testing.assert_array_equal(mask, np.tile(ramp, (24, 1)))


def test_soft_mask_in_a_colour_stays_soft(tmp_path):
    share = np.linspace(0, 1, 8).repeat(4)[:, np.newaxis]
    red = np.tile(np.rint(share * [200, 10, 10]), (24, 1, 1)).astype(np.uint8)
    path = str(tmp_path / "mask.png")
    Image.fromarray(red).save(path)
    expected = np.tile(share[:, 0] * 255, (24, 1))
    assert np.abs(read_mask(path) - expected).max() < 4  # of 67 levels


def test_soft_alpha_stays_soft(tmp_path):
    pixels = np.zeros((24, 32, 4), np.uint8)
    pixels[..., 3] = np.linspace(0, 255, 32).round()
    path = str(tmp_path / "mask.png")
    Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_mask(path), pixels[..., 3])


@pytest.mark.parametrize(
    "make",
    [
        lambda: of_classes(0, 1, 2),
        lambda: of_colors((200, 0, 0), (0, 102, 0)),
        lambda: Image.fromarray(
            np.where(INSIDE, 1, np.eye(24, 32) * 2).astype(np.uint8)
        ),
        lambda: Image.fromarray(
            np.where(INSIDE, 7, np.eye(24, 32) * 255).astype(np.uint8)
        ),
    ],
)
def test_mask_of_other_than_two_sides_is_refused(tmp_path, make):
    path = str(tmp_path / "mask.png")
    make().save(path)
    with pytest.raises(ImageError, match=r"mask\.png.*Save"):
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
    np.testing.assert_allclose(
        average_mask(mask, 1, 2).ravel(), [2 / 3, 0], rtol=1e-6
    )


def test_halve_mask_weighs_windows_by_hand():
    mask = np.zeros((1, 6, 4, 1), np.float32)
    mask[0, 3, 1] = 64
    halved = halve_mask(mask)
    assert halved.shape == (1, 3, 2, 1)
    # Row 3 weighs 3 in window 1 and 1 in window 2; column 1 3 and 1.
    np.testing.assert_array_equal(halved[0, :, :, 0], [[0, 0], [9, 3], [3, 1]])


@pytest.mark.parametrize("size", [(37, 50), (2, 3), (5, 2)])
def test_halved_ones_are_exactly_one(size):
    halved = halve_mask(np.ones((1, *size, 1), np.float32))
    np.testing.assert_array_equal(halved, 1)
    assert halved.shape == (1, size[0] // 2, size[1] // 2, 1)


@pytest.mark.parametrize("size", [(37, 50), (18, 25), (2, 3), (80, 90)])
def test_average_of_ones_is_exactly_one(size):
    mask = np.full((37, 50), 255, np.uint8)
    np.testing.assert_array_equal(average_mask(mask, *size), 1)
