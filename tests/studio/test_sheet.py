"""A table of pictures as one picture."""

import numpy as np
from PIL import ImageFont

from tfstyle.studio import sheet

RED, BLUE = (200, 0, 0), (0, 0, 200)


def test_every_picture_is_there_in_full_under_its_heads():
    cells = [
        np.full(shape, color, np.uint8)
        for shape, color in (((30, 40, 3), RED), ((20, 10, 3), BLUE))
    ]
    drawn = sheet.draw_sheet([cells], ["a"], ["b", "c"])
    for cell in cells:
        inside = (drawn == cell[0, 0]).all(axis=2)
        rows, columns = np.nonzero(inside)
        shape = (np.ptp(rows) + 1, np.ptp(columns) + 1)
        assert shape == cell.shape[:2]
        assert inside.sum() == np.prod(shape)
        # A label stands above it.
        above = drawn[: rows.min(), columns.min() - 15 : columns.max() + 16]
        assert above.min() < 50
    assert (drawn[0] == 255).all()  # white around it


def test_missing_pictures_are_texts_in_other_letters_too():
    cell = np.full((20, 20, 3), RED, np.uint8)
    drawn = [
        sheet.draw_sheet([[cell, text]], ["Ж"], ["é", "Ω"])
        for text in ("failed: no memory", "", "Ж", "Ω")
    ]
    assert len({pixels.tobytes() for pixels in drawn}) == 4
    # A long one is drawn in full.
    drawn = sheet.draw_sheet([["failed " * 40]], ["a"], ["b"])
    assert (drawn.min(axis=2) < 50).any(axis=1).sum() > 10 * sheet.TEXT / 2
    assert drawn[-1].min() == 255


def test_long_names_are_broken_into_lines():
    font = ImageFont.load_default(16)
    name = f"two words_and_{'more' * 20}"
    lines = sheet.wrap(name, font, 100).split("\n")
    assert lines[0] == "two"
    assert "".join(lines) == name.replace(" ", "")
    assert all(0 < font.getlength(line) <= 100 for line in lines)
    assert sheet.wrap("", font, 100) == ""
