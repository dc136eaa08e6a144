"""Transparency: hidden colours have no say, and white paper shows through."""

import numpy as np
from PIL import Image

from tfstyle.images.picture import mask_of
from tfstyle.images.transparency import fill_hidden
from tfstyle.images.transparency import lay_on_white


def make_alpha(generator, height=37, width=50):
    alpha = generator.integers(0, 256, (height, width)).astype(np.uint8)
    alpha[:20] = 0
    alpha[:, 31:] = 0
    return alpha


def test_fill_hidden_keeps_what_is_seen_and_forgets_the_rest(generator):
    alpha = make_alpha(generator)
    pixels = generator.integers(0, 256, (37, 50, 3)).astype(np.uint8)
    others = generator.integers(0, 256, (37, 50, 3)).astype(np.uint8)
    seen = alpha > 0
    others[seen] = pixels[seen]
    filled = fill_hidden(pixels, alpha)
    np.testing.assert_array_equal(filled[seen], pixels[seen])
    np.testing.assert_array_equal(filled, fill_hidden(others, alpha))
    assert filled.dtype == np.uint8


def test_fill_hidden_gives_the_colours_of_what_is_near(generator):
    """A red and a blue half of which a column each is seen."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :32, 0] = 200
    pixels[:, 32:, 2] = 200
    alpha = np.zeros((32, 64), np.uint8)
    alpha[:, 2] = alpha[:, 61] = 255
    noise = generator.integers(0, 256, pixels.shape).astype(np.uint8)
    hidden = np.where(alpha[..., np.newaxis] > 0, pixels, noise)
    filled = fill_hidden(hidden, alpha).astype(int)
    assert np.abs(filled[:, :16] - pixels[:, :16]).max() < 40
    assert np.abs(filled[:, 48:] - pixels[:, 48:]).max() < 40


def test_fill_hidden_leaves_an_opaque_picture_as_it_is(generator):
    pixels = generator.integers(0, 256, (9, 8, 3)).astype(np.uint8)
    assert fill_hidden(pixels, None) is pixels
    assert fill_hidden(pixels, np.ones((9, 8), np.uint8)) is pixels


def test_lay_on_white_is_what_a_viewer_shows(generator):
    pixels = generator.integers(0, 256, (37, 50, 4)).astype(np.uint8)
    paper = Image.new("RGBA", (50, 37), "white")
    paper.alpha_composite(Image.fromarray(pixels))
    shown = lay_on_white(pixels[..., :3], pixels[..., 3]).astype(int)
    assert np.abs(shown - np.array(paper)[..., :3]).max() <= 1  # its rounding


def test_weights_of_an_opaque_picture_are_none(generator):
    alpha = make_alpha(generator)
    assert mask_of(None) is None
    assert mask_of(np.full((3, 4), 255, np.uint8)) is None
    assert mask_of(alpha) is alpha
