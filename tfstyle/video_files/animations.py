"""Writing of GIF and animated WebP with Pillow."""

from collections.abc import Sequence
from typing import TypeVar

from PIL import Image

from tfstyle.images.resize import fit_size

Item = TypeVar("Item")
FORMATS = {".gif": "GIF", ".webp": "WEBP"}
"""Pillow's formats by the ending of a file."""
PALETTE_FRAMES, PALETTE_SIDE = 16, 64
"""Number of frames, and their long edge in pixels, for a GIF's palette."""


def write_animation(
    path: str,
    ending: str,
    frames: Sequence[Image.Image],
    milliseconds: Sequence[int],
) -> None:
    """Writes an endless loop of frames; all are held in memory.

    Args:
        path: path of the file, which is overwritten.
        ending: its format, one of FORMATS.
        frames: RGB pictures of one size, at least one.
        milliseconds: duration of each frame; a GIF rounds to hundredths of a
            second.
    """
    options = {"quality": 85}
    if ending == ".gif":
        # A single palette, which avoids flicker.
        palette, options = _make_palette(frames), {}
        frames = [
            frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
            for frame in frames
        ]
    frames[0].save(
        path,
        format=FORMATS[ending],
        save_all=True,
        append_images=frames[1:],
        duration=list(milliseconds),
        loop=0,
        **options,
    )


def choose(items: Sequence[Item], most: int) -> list[Item]:
    """Returns evenly spaced items, including the first and the last.

    Args:
        items: items to choose from, at least one.
        most: maximum number of items to return.
    """
    count = min(len(items), most)
    step = (len(items) - 1) / max(1, count - 1)
    return [items[round(number * step)] for number in range(count)]


def _make_palette(images: Sequence[Image.Image]) -> Image.Image:
    """Returns a picture with the palette of a film.

    The first frames, where the colours of a run change most, and the last,
    which is shown longest, have more weight.
    """
    chosen = choose(images, PALETTE_FRAMES)
    chosen += [*images[1:4], *images[-1:] * 3]
    height, width = fit_size(chosen[0].height, chosen[0].width, PALETTE_SIDE)
    strip = Image.new("RGB", (width * len(chosen), height))
    for number, image in enumerate(chosen):
        small = image.resize((width, height), Image.Resampling.NEAREST)
        strip.paste(small, (width * number, 0))
    return strip.quantize(256, kmeans=1)
