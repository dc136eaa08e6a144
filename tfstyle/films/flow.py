"""Optical flow between the frames of a film, and how far to trust it.

Computed by OpenCV's DIS flow (Kroeger et al., Fast optical flow using dense
inverse search, 2016).

Notes: with 20 refinements and a blur of one pixel the end-point error was .66
px on noisy JPEG frames (plain medium .90), and half as many pixels of H.264
were wrongly masked.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from tfstyle.errors import SetupError
from tfstyle.video_files.containers import MISSING
from tfstyle.video_files.containers import VideoError

try:
    import cv2
except ImportError as error:
    raise SetupError(MISSING) from error

BLUR = 1.0
"""Standard deviation of the blur of frames before the flow, pixels."""
REFINEMENTS, SMOOTHNESS = 20, 80.0
"""Iterations of DIS's variational refinement, and weight of its smoothness."""
SOFTNESS = 0.8
"""Standard deviation of the blur of weights, pixels."""
COLOR_RADIUS = 0.02
"""Radius, relative to the long edge, within which hidden places take their
colours from the painting around them."""
MATURE = 8
"""Number of frames after which a place is no longer new."""
NEGLIGIBLE = 0.002
"""Share of hidden or new pixels up to which nothing is done about them."""
SMALLEST, THINNEST = 32, 8
"""Minimum side of a frame, pixels, and maximum ratio of its sides."""


class Motion(NamedTuple):
    """Motion between two frames.

    Attributes:
        flow: float32 `[H, W, 2]`, (x, y) in pixels: the place of each pixel in
            the previous frame, minus its place in this one.
        weights: float32 `[H, W]`, 0..1, trust in the flow.
        hidden: bool `[H, W]`, True where the previous frame hid the place.
    """

    flow: np.ndarray
    weights: np.ndarray
    hidden: np.ndarray


def measure_motion(frame: np.ndarray, previous: np.ndarray) -> Motion:
    """Measures the motion from the previous frame to this one.

    Args:
        frame: uint8 `[H, W, 3]`, RGB.
        previous: uint8 `[H, W, 3]`, RGB.

    Raises:
        VideoError: if the frames are too small or too thin.
    """
    height, width = frame.shape[:2]
    short, long = sorted((height, width))
    if short < SMALLEST or long > THINNEST * short:
        raise VideoError(
            f"Films must have at least {SMALLEST} pixels each way, and one side"
            f" at most {THINNEST} times the other. Received: {width}x{height}"
            " pixels. Enlarge or cut it."
        )
    frame, previous = _to_grey(frame), _to_grey(previous)
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setVariationalRefinementIterations(REFINEMENTS)
    dis.setVariationalRefinementAlpha(SMOOTHNESS)
    backward = dis.calc(frame, previous, None)
    forward = dis.calc(previous, frame, None)
    hidden, boundary = _find_untrusted(backward, forward)
    signs = np.where(hidden | boundary, np.float32(-1), np.float32(1))
    # Blurred before clipping, so that untrusted areas grow.
    weights = cv2.GaussianBlur(signs, (0, 0), SOFTNESS)
    return Motion(backward, np.clip(weights, 0, 1), hidden)


def move(pixels: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """Moves a picture of the previous frame to the places in this one.

    Args:
        pixels: uint8 `[H, W, 3]`.
        flow: float32 `[h, w, 2]`, of a frame of any size.

    Returns:
        uint8 `[H, W, 3]`; beyond the edges the picture is mirrored.
    """
    height, width = pixels.shape[:2]
    ratio = np.float32([width / flow.shape[1], height / flow.shape[0]])
    flow = cv2.resize(flow, (width, height)) * ratio
    return cv2.remap(
        pixels,
        _places(height, width) + flow,
        None,
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )


def gather(
    paintings: Mapping[int, np.ndarray], motions: Mapping[int, Motion]
) -> tuple[np.ndarray, np.ndarray]:
    """Moves the previous painting; what it hides comes from earlier ones.

    Args:
        paintings: uint8 `[H, W, 3]` by the number of the frame.
        motions: motion since frames, by their number, the previous one first.

    Returns:
        The moved painting, uint8 `[H, W, 3]`, and trust in it, uint8 `[H, W]`.

    References:
        Ruder et al., 2016, section 5.2, long-term consistency.
    """
    (number, motion), *earlier = motions.items()
    moved = move(paintings[number], motion.flow)
    size = moved.shape[:2]
    weights, hidden = motion.weights, motion.hidden
    for number, motion in earlier:
        found = motion.weights * hidden
        share = cv2.resize(found, size[::-1])[..., np.newaxis]
        other = move(paintings[number], motion.flow)
        moved = np.rint(moved + share * (other.astype(np.float32) - moved))
        weights = np.maximum(weights, found)
        hidden = hidden & motion.hidden
    return moved.astype(np.uint8), resize_weights(weights, *size)


def renew(fresh: np.ndarray, motions: Mapping[int, Motion]) -> np.ndarray:
    """Computes how new the places of a frame are.

    A place is 1 when no earlier frame shows it, and `1 / MATURE` less in every
    later frame.

    Args:
        fresh: float32 `[H, W]`, of the previous frame.
        motions: motion since earlier frames, the previous one first.

    Returns:
        float32 `[H, W]`, 0..1.
    """
    flow = next(iter(motions.values())).flow
    places = _places(*fresh.shape) + flow
    # Of means, old values would not be forgotten after MATURE frames.
    moved = cv2.remap(fresh, places, None, cv2.INTER_NEAREST)
    hidden = np.all([motion.hidden for motion in motions.values()], axis=0)
    return np.maximum(hidden, moved - np.float32(1 / MATURE))


def fill_untrusted(
    moved: np.ndarray, content: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Fills places that the previous frame hid.

    Half of it is the moved painting, half the content in the painting's
    colours: its differences to its own blur, added to the painting's blur. With
    few steps the content alone stays a photograph there, and the painting,
    which is mirrored at the edges, a pattern.

    Args:
        moved: uint8 `[H, W, 3]`, the previous painting, moved.
        content: uint8 `[H, W, 3]`, the frame.
        weights: uint8 `[H, W]`, trust in the motion.

    Returns:
        uint8 `[H, W, 3]`.
    """
    radius = COLOR_RADIUS * max(weights.shape)
    painted, seen = (
        cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), radius)
        for pixels in (moved, content)
    )
    filled = (moved + painted + content - seen) / 2
    trust = weights[..., np.newaxis] / np.float32(255)
    return np.rint(
        np.clip(moved * trust + filled * (1 - trust), 0, 255)
    ).astype(np.uint8)


def resize_weights(weights: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes weights, float32 `[h, w]`, 0..1, to uint8 `[height, width]`."""
    resized = cv2.resize(weights, (width, height), interpolation=cv2.INTER_AREA)
    return np.rint(255 * np.clip(resized, 0, 1)).astype(np.uint8)


def _to_grey(frame: np.ndarray) -> np.ndarray:
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    return cv2.GaussianBlur(grey, (0, 0), BLUR)


def _find_untrusted(
    backward: np.ndarray, forward: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Finds pixels hidden in the previous frame, and motion boundaries.

    `|w + v|^2 > .01 (|w|^2 + |v|^2) + .5`, where v is the backward flow and w
    the forward flow at x + v(x); and `|grad v|^2 > .01 |v|^2 + .002`.

    References:
        Sundaram, Brox, Keutzer, Dense point trajectories, 2010; Ruder et al.,
        2016, section 4.
    """
    height, width = backward.shape[:2]
    places = _places(height, width) + backward
    returned = cv2.remap(forward, places, None, cv2.INTER_LINEAR)
    error, size = _squares(backward + returned), _squares(backward)
    x, y = places[..., 0], places[..., 1]
    is_outside = (x < 0) | (y < 0) | (x > width - 1) | (y > height - 1)
    hidden = error > 0.01 * (size + _squares(returned)) + 0.5
    down, right = np.gradient(backward, axis=(0, 1))
    boundary = _squares(down) + _squares(right) > 0.01 * size + 0.002
    return hidden | is_outside, boundary


def _squares(vectors: np.ndarray) -> np.ndarray:
    """Returns the squared norms of `[H, W, 2]`."""
    return np.square(vectors).sum(axis=-1)


def _places(height: int, width: int) -> np.ndarray:
    """Returns x and y of every pixel, float32 `[H, W, 2]`."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([columns, rows], axis=-1)
