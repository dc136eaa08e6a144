"""Films of known motion, made by moving real pictures: frames and true flow."""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

SUPERSAMPLING = 3
"""Every pixel of a frame is the mean of 3x3 samples."""
NOISE = 2.5
"""Standard deviation of a camera's noise, grey levels."""


class Scene(NamedTuple):
    """A film whose motion is known.

    Attributes:
        frames: uint8 `[H, W, 3]`, RGB.
        flows: for every frame, float32 `[H, W, 2]`, the place of each pixel in
            the previous frame minus its place in this one; of the first frame
            and after cuts, None.
        seen: for every frame, bool `[H, W]`, True where the previous frame
            shows the same place.
    """

    frames: list[np.ndarray]
    flows: list[np.ndarray | None]
    seen: list[np.ndarray | None]


def make_scene(
    name: str,
    pictures: list[np.ndarray],
    size: tuple[int, int],
    num_frames: int,
    seed: int = 0,
) -> Scene:
    """Makes a film.

    Args:
        name: one of SCENES.
        pictures: uint8 `[H, W, 3]`, at least two.
        size: height and width of the film, pixels.
        num_frames: number of frames.
        seed: seed of the noise.
    """
    return _add_noise(*SCENES[name](pictures, size, num_frames), seed)


def _film(picture, size, num_frames, camera: Callable[[int], np.ndarray]):
    """Films a picture with a moving camera.

    Args:
        picture: uint8 `[H, W, 3]`.
        size: height and width of the film.
        num_frames: number of frames.
        camera: function from the frame's number to its matrix, `[2, 3]`, from
            a frame of width 640 centred at 0 to the picture, likewise, in units
            of the picture's width / 640.
    """
    matrices = [
        _to_picture(picture, size, camera(t)) for t in range(num_frames)
    ]
    frames = [_render(picture, size, matrix) for matrix in matrices]
    flows, seen = [None], [None]
    for before, now in itertools.pairwise(matrices):
        flow = _flow_between(size, now, before)
        flows.append(flow)
        seen.append(_is_inside(flow))
    return frames, flows, seen


def _to_picture(picture, size, matrix):
    """Returns the matrix from pixels of a frame to those of the picture."""
    height, width = size
    unit, scale = 640 / width, picture.shape[1] / 640 * 0.7
    center = np.array([picture.shape[1] / 2, picture.shape[0] / 2])
    linear = matrix[:, :2] * scale * unit
    offset = matrix[:, 2] * scale + center
    offset = offset - linear @ np.array([width / 2, height / 2])
    return np.column_stack([linear, offset])


def _render(picture, size, matrix):
    fine = matrix.copy()
    fine[:, :2] /= SUPERSAMPLING
    height, width = size
    large = cv2.warpAffine(
        picture,
        fine,
        (width * SUPERSAMPLING, height * SUPERSAMPLING),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )
    return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)


def _flow_between(size, now, before):
    """Returns the flow from this frame back to the previous one."""
    whole = [np.vstack([matrix, [0, 0, 1]]) for matrix in (before, now)]
    matrix = np.linalg.inv(whole[0]) @ whole[1]
    rows, columns = np.mgrid[: size[0], : size[1]].astype(np.float64)
    x = matrix[0, 0] * columns + matrix[0, 1] * rows + matrix[0, 2]
    y = matrix[1, 0] * columns + matrix[1, 1] * rows + matrix[1, 2]
    return np.stack([x - columns, y - rows], axis=-1).astype(np.float32)


def _is_inside(flow):
    height, width = flow.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    return (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)


def _place(angle=0.0, zoom=1.0, x=0.0, y=0.0):
    """Returns a camera's matrix: degrees, scale, pixels of 640."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[cos, -sin, x], [sin, cos, y]]) / [zoom, zoom, 1]


def _pan(pictures, size, num_frames):
    return _film(pictures[0], size, num_frames, lambda t: _place(x=6 * t - 120))


def _turn(pictures, size, num_frames):
    return _film(
        pictures[0],
        size,
        num_frames,
        lambda t: _place(angle=1.5 * t, zoom=1.012**t),
    )


def _shake(pictures, size, num_frames):
    random = np.random.default_rng(1)
    steps = random.normal(0, 1, (num_frames, 3)) * [4, 4, 0.3]
    return _film(
        pictures[0],
        size,
        num_frames,
        lambda t: _place(x=steps[t, 0], y=steps[t, 1], angle=steps[t, 2]),
    )


def _walk(pictures, size, num_frames):
    """A disc with another picture in it walks across a panning background."""
    frames, flows, seen = _film(
        pictures[0], size, num_frames, lambda t: _place(x=2 * t)
    )
    inner, _, _ = _film(
        pictures[1], size, num_frames, lambda t: _place(x=-60 - 9 * t)
    )
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    unit = width / 640
    masks = [
        ((columns / unit - 160 - 9 * t) / 70) ** 2
        + ((rows / unit - height / unit / 2) / 120) ** 2
        < 1
        for t in range(num_frames)
    ]
    moved = np.zeros((*size, 2), np.float32) - [9 * unit, 0]
    for t, mask in enumerate(masks):
        frames[t] = np.where(mask[..., np.newaxis], inner[t], frames[t])
        if t:
            flow = np.where(mask[..., np.newaxis], moved, flows[t])
            flows[t] = flow.astype(np.float32)
            inside = _is_inside(flows[t])
            before = cv2.remap(
                masks[t - 1].astype(np.uint8),
                (np.stack([columns, rows], -1) + flows[t]).astype(np.float32),
                None,
                cv2.INTER_NEAREST,
            )
            seen[t] = inside & (before == mask)
    return frames, flows, seen


def _cut(pictures, size, num_frames):
    half = num_frames // 2
    first = _film(pictures[0], size, half, lambda t: _place(x=3 * t))
    second = _film(
        pictures[1], size, num_frames - half, lambda t: _place(y=3 * t)
    )
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _night(pictures, size, num_frames):
    frames, flows, seen = _pan(pictures, size, num_frames)
    random = np.random.default_rng(2)
    dark = [
        np.clip(frame * 0.25 + random.normal(0, 8, frame.shape), 0, 255)
        for frame in frames
    ]
    return [frame.astype(np.uint8) for frame in dark], flows, seen


def _add_noise(frames, flows, seen, seed):
    random = np.random.default_rng(seed)
    noisy = [
        np.clip(np.rint(f + random.normal(0, NOISE, f.shape)), 0, 255)
        for f in frames
    ]
    return Scene([frame.astype(np.uint8) for frame in noisy], flows, seen)


SCENES = {
    "pan": _pan,
    "turn": _turn,
    "shake": _shake,
    "walk": _walk,
    "cut": _cut,
    "night": _night,
}
"""Films by name; motions are those of a film 640 pixels wide."""
