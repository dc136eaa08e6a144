"""A labelled sheet of pictures, for the tools that make many."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from PIL import ImageDraw
from PIL import ImageFont

GAP = 8
TEXT = 14
SMALL = 11


def draw_sheet(
    rows: Sequence[Sequence[np.ndarray]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    side: int = 256,
    captions: Sequence[Sequence[str]] = (),
) -> np.ndarray:
    """Draws pictures in rows under labelled columns, uint8 `[H, W, 3]`.

    Args:
        rows: uint8 `[H, W, 3]` each; a row may be shorter than another.
        row_labels: one a row, drawn left of it; may have several lines.
        column_labels: one a column.
        side: of the square each picture is shrunk into, pixels.
        captions: of the pictures, below them; rows as those of the pictures.
    """
    font, small = ImageFont.load_default(TEXT), ImageFont.load_default(SMALL)
    probe = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left = GAP + max(
        probe.multiline_textbbox((0, 0), label, font)[2] for label in row_labels
    )
    shrunk = [[_shrink(pixels, side) for pixels in row] for row in rows]
    widest = max(cell.width for row in shrunk for cell in row)
    heights = [max(cell.height for cell in row) for row in shrunk]
    captions = captions or [[] for _ in rows]
    below = SMALL + GAP if any(captions) else 0
    top = TEXT + 2 * GAP
    sheet = Image.new(
        "RGB",
        (
            left + GAP + (widest + GAP) * len(column_labels),
            top + sum(heights) + (below + GAP) * len(rows),
        ),
        "white",
    )
    pen = ImageDraw.Draw(sheet)
    for column, label in enumerate(column_labels):
        x = left + GAP + column * (widest + GAP) + widest // 2
        pen.text((x, GAP), label, "black", font, anchor="mt")
    for row, label, height, texts in zip(
        shrunk, row_labels, heights, captions, strict=True
    ):
        pen.multiline_text(
            (GAP, top + height // 2), label, "black", font, anchor="lm"
        )
        for column, cell in enumerate(row):
            sheet.paste(cell, (left + GAP + column * (widest + GAP), top))
        for column, text in enumerate(texts):
            x = left + GAP + column * (widest + GAP) + widest // 2
            y = top + height + GAP // 2
            pen.text((x, y), text, "black", small, anchor="mt")
        top += height + below + GAP
    return np.asarray(sheet)


def _shrink(pixels: np.ndarray, side: int) -> Image.Image:
    picture = Image.fromarray(pixels)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture
