"""A contact sheet: a table of pictures with its heads, as one picture."""

import os
from collections.abc import Sequence

import matplotlib
import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

GAP = 12
"""Space between pictures and around labels, pixels."""
TEXT = 16
"""Size of the labels, pixels."""
HEAD = 160
"""Maximum width of a row's label, pixels."""
PLAIN = 192
"""Width of a column if there are no pictures, pixels."""
_FONT = os.path.join(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
"""Font with Latin, Greek and Cyrillic letters; Pillow's own has Latin ones."""


def draw_sheet(
    rows: Sequence[Sequence[np.ndarray | str]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
) -> np.ndarray:
    """Draws pictures in rows and columns with labels, uint8 `[H, W, 3]`.

    Args:
        rows: pictures, uint8 `[H, W, 3]`, or texts in place of missing ones.
        row_labels: one per row, left of it.
        column_labels: one per column, above it.
    """
    font = ImageFont.truetype(_FONT, TEXT)
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))

    def size_of(text: str) -> tuple[int, int]:
        box = pen.multiline_textbbox((0, 0), text, font)
        return int(box[2]) + 1, int(box[3]) + 1

    pictures = [x for row in rows for x in row if not isinstance(x, str)]
    width = max((picture.shape[1] for picture in pictures), default=PLAIN)
    rows = [
        [wrap(x, font, width) if isinstance(x, str) else x for x in row]
        for row in rows
    ]
    heads = [wrap(label, font, width) for label in column_labels]
    sides = [wrap(label, font, HEAD) for label in row_labels]
    heights = [
        max(
            size_of(x)[1] if isinstance(x, str) else x.shape[0]
            for x in (*row, side)
        )
        for row, side in zip(rows, sides, strict=True)
    ]
    left = 2 * GAP + max(size_of(side)[0] for side in sides)
    top = 2 * GAP + max(size_of(head)[1] for head in heads)
    sheet = Image.new(
        "RGB",
        (
            left + (width + GAP) * len(heads),
            top + sum(heights) + GAP * len(rows),
        ),
        "white",
    )
    pen = ImageDraw.Draw(sheet)
    centred = {"fill": "black", "font": font, "align": "center"}
    centers = [
        left + column * (width + GAP) + width // 2
        for column in range(len(heads))
    ]
    for x, head in zip(centers, heads, strict=True):
        pen.multiline_text((x, top - GAP), head, anchor="md", **centred)
    for row, side, height in zip(rows, sides, heights, strict=True):
        y = top + height // 2
        pen.multiline_text((GAP, y), side, "black", font, anchor="lm")
        for x, cell in zip(centers, row, strict=True):
            if isinstance(cell, str):
                pen.multiline_text((x, y), cell, anchor="mm", **centred)
            else:
                corner = x - cell.shape[1] // 2, y - cell.shape[0] // 2
                sheet.paste(Image.fromarray(cell), corner)
        top += height + GAP
    return np.asarray(sheet)


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Breaks a text into lines that fit a width, if need be within words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return "\n".join(lines)
