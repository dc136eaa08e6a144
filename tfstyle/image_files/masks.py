"""Region masks: reading from files, and averaging to the grid of a layer."""

import numpy as np
from absl import logging
from PIL import Image

from tfstyle.errors import ImageError
from tfstyle.image_files.reading import MAX_PIXELS
from tfstyle.image_files.reading import read_image

NEAR_BLACK, NEAR_WHITE = 16, 239
"""Grey levels; a mask that reaches both is used as it is, and smaller
differences between channels count as grey."""
LAST_CLASS = 32
"""Largest level that may be a class number rather than a shade of grey."""
MAX_COLORS = 32
"""Most colours of a class map; a picture with more has shades."""
MOST_STRETCHED = 1.05
"""Largest ratio of aspect ratios of mask and image without a warning."""
VOID = (224, 224, 192)
"""Colour of unlabelled pixels in PASCAL VOC, RGB."""


def read_mask(path: str, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Reads an image file as a mask, uint8 `[H, W]`; see `to_mask`.

    Raises:
        ImageError: if it cannot be read, has more than two classes, or is
            black everywhere.
    """
    image = read_image(path, max_pixels)
    mask = to_mask(image.pixels, image.alpha, f"Mask {path!r}")
    if not mask.any():
        raise ImageError(
            f"Mask {path!r} is black everywhere, so no pixel is inside. Paint"
            " its region white."
        )
    return mask


def log_stretched(path: str, mask: np.ndarray, image: np.ndarray) -> None:
    """Logs a warning if a mask's aspect ratio differs from its image's.

    Args:
        path: path of the mask.
        mask: `[H, W]`, of any size.
        image: `[H, W, 3]`, image to which the mask applies, of any size.
    """
    height, width = mask.shape
    image_height, image_width = image.shape[:2]
    ratio = width * image_height / (height * image_width)
    if max(ratio, 1 / ratio) > MOST_STRETCHED:
        text = "Mask %r, %dx%d pixels, is stretched to its image, %dx%d pixels"
        logging.warning(text, path, width, height, image_width, image_height)


def to_mask(
    pixels: np.ndarray, alpha: np.ndarray | None, name: str
) -> np.ndarray:
    """Converts a picture to a mask, in which its light part is inside.

    If the picture is not black and white, inside and outside are guessed, and
    a warning is logged: two levels, such as 0 and 1, are outside and inside; a
    class colour on black, as in PASCAL VOC, is inside; a single tone on a
    transparent background is inside. Shades in between are kept.

    Args:
        pixels: uint8 `[H, W, 3]`, RGB.
        alpha: uint8 `[H, W]`, or None. Transparent pixels are outside.
        name: name of the mask in messages, such as "Mask 'left.png'".

    Returns:
        uint8 `[H, W]`, 0 outside and 255 inside.

    Raises:
        ImageError: if it has more than two classes.
    """
    gray = np.array(Image.fromarray(pixels).convert("L"))
    if alpha is not None and (alpha < 255).any():
        seen = gray[alpha > 0]
        if seen.size and np.ptp(seen) <= NEAR_BLACK:
            logging.warning("%s: its transparency is used as the mask", name)
            return _stretch(alpha, name)
        gray = np.rint(gray / 255 * alpha).astype(np.uint8)
    elif np.ptp(pixels, axis=-1).max() > NEAR_BLACK:
        gray = _read_classes(pixels, gray, name)
    return _stretch(gray, name)


def _read_classes(
    pixels: np.ndarray, gray: np.ndarray, name: str
) -> np.ndarray:
    """Returns one class colour as white on black, and shades as `gray`.

    Raises:
        ImageError: if there are several classes.
    """
    found = Image.fromarray(pixels).getcolors(MAX_COLORS)
    if found is None:
        return gray
    colors = np.array(sorted(color for _, color in found))
    offsets = colors.astype(float) - colors[0]
    if np.linalg.matrix_rank(offsets, tol=NEAR_BLACK) <= 1:
        if len(found) == 2 and gray.min() == gray.max():
            raise ImageError(
                f"{name} has two colours that are equally light. Save it with"
                " white inside, on black."
            )
        return gray  # shades between two colours
    classes = colors[colors.any(1) & (colors != VOID).any(1)]
    if len(classes) > 1:
        raise ImageError(
            f"{name} has {len(classes)} colours, but a mask has only an inside"
            " and an outside. Save each region in its own file, white on black."
        )
    logging.warning("%s: its only colour counts as inside", name)
    return np.where((pixels == classes[0]).all(-1), 255, 0).astype(np.uint8)


def _stretch(gray: np.ndarray, name: str) -> np.ndarray:
    """Stretches a mask's darkest level to 0 and its lightest to 255.

    Raises:
        ImageError: if its levels are the numbers of more than two classes.
    """
    levels = np.flatnonzero(np.bincount(gray.ravel()))
    first, last = int(levels[0]), int(levels[-1])
    inner = levels[(levels > 0) & (levels < 255)]
    if len(levels) > 2 and inner.max() <= LAST_CLASS:
        raise ImageError(
            f"{name} has the levels {', '.join(map(str, levels[:4]))}"
            f"{' ...' if len(levels) > 4 else ''}, numbers of classes rather"
            " than black and white. Save each region in white on black."
        )
    if first == last:
        if 0 < first < 255:
            logging.warning("%s: it is grey throughout, and all inside", name)
        return np.where(gray > 0, 255, 0).astype(np.uint8)
    is_plain = len(levels) > 2 and first <= NEAR_BLACK and last >= NEAR_WHITE
    if is_plain or (first, last) == (0, 255):
        return gray
    text = "%s: level %d counts as outside, level %d as inside"
    logging.warning(text, name, first, last)
    stretched = (gray.astype(np.float64) - first) * 255 / (last - first)
    return np.rint(stretched).astype(np.uint8)


def average_mask(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Averages a mask over the area of each position of a layer.

    Args:
        mask: uint8 `[H, W]` of any size, 0 outside and 255 inside the region.
        height: height of the layer, positions.
        width: width of the layer, positions.

    Returns:
        float32 `[1, height, width, 1]`, T of the region, 0..1; exactly 1
        wherever the mask is 255 everywhere in a position's area.
    """
    rows = _average_rows(mask / 255, height)
    average = _average_rows(rows.T, width).T
    return average.astype(np.float32)[np.newaxis, :, :, np.newaxis]


def halve_mask(mask: np.ndarray) -> np.ndarray:
    """Halves a mask by windows of weights [1 3 3 1]/8 along each axis.

    Args:
        mask: float32 `[1, H, W, 1]`. An odd last row or column is dropped, and
            beyond the edges the outermost positions are repeated.

    Returns:
        float32 `[1, H//2, W//2, 1]`.
    """
    rows = _halve_rows(mask[0, :, :, 0])
    return _halve_rows(rows.T).T[np.newaxis, :, :, np.newaxis]


def _halve_rows(values: np.ndarray) -> np.ndarray:
    """Averages `[N, M]` to `[N//2, M]` by windows of weights [1 3 3 1]/8."""
    even = values[: len(values) // 2 * 2]
    before = np.concatenate([even[:1], even[1:-1:2]])
    after = np.concatenate([even[2::2], even[-1:]])
    return (before + 3 * even[::2] + 3 * even[1::2] + after) / 8


def _average_rows(values: np.ndarray, size: int) -> np.ndarray:
    """Averages `[N, M]` to `[size, M]`; rows cut by an edge count by share."""
    edges = np.linspace(0, len(values), size + 1)
    last = np.minimum(edges.astype(int), len(values) - 1)
    before = np.zeros_like(values)
    before[1:] = np.cumsum(values[:-1], axis=0)
    sums = before[last] + (edges - last)[:, np.newaxis] * values[last]
    return np.diff(sums, axis=0) * (size / len(values))
