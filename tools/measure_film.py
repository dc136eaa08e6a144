"""Measures how steady painted films are, and at what losses.

    python tools/measure_film.py --pictures=A.jpg,B.jpg --style=C.jpg \
        --output=DIR [--scenes=pan,turn] [--steps=20 --weight=5]

Films of known motion are made by moving pictures. The temporal error is the
mean difference, in grey levels, of a painted frame and the previous one moved
by the true motion, where both show the same place. It is printed beside that
of the film itself and of frames painted one by one, with the losses of the
painted frames. `--painted=DIR` measures another program's frames, DIR/pan/*.png
and so on, of the films that the first run wrote to `--output`.
"""

import functools
import glob
import os
import time

import numpy as np
from absl import flags
from film_scenes import SCENES
from film_scenes import Scene
from film_scenes import make_scene
from running import run

import tfstyle
from tfstyle.films.flow import move
from tfstyle.image_files.reading import read_image
from tfstyle.image_files.writing import write_image

_PICTURES = flags.DEFINE_list("pictures", None, "two pictures", required=True)
_STYLE = flags.DEFINE_string("style", None, "style image", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "folder", required=True)
_SCENES = flags.DEFINE_list("scenes", [*SCENES], "names of scenes")
_WIDTH = flags.DEFINE_integer("width", 320, "width of the films in pixels")
_FRAMES = flags.DEFINE_integer("num_frames", 8, "frames of each film")
_STEPS = flags.DEFINE_integer("steps", None, "frame_steps")
_WEIGHT = flags.DEFINE_float("weight", None, "temporal_weight")
_PAINTED = flags.DEFINE_string("painted", None, "another program's frames")
_SINGLY = flags.DEFINE_bool("singly", True, "paint frames one by one, too")


def main() -> None:
    """Paints and measures all scenes."""
    pictures = [read_image(path).pixels for path in _PICTURES.value]
    style = read_image(_STYLE.value).pixels
    stylizer = tfstyle.Stylizer(
        image_size=_WIDTH.value,
        frame_steps=_STEPS.value,
        temporal_weight=_WEIGHT.value,
    )
    size = _WIDTH.value * 9 // 16, _WIDTH.value
    print(
        f"{'scene':6} {'painted':8} {'error':>6} {'of film':>7} {'style':>7}"
        f" {'content':>7} {'s/frame':>7}"
    )
    for name in _SCENES.value:
        scene = make_scene(name, pictures, size, _FRAMES.value)
        own = measure_error(scene, scene.frames)
        print(f"{name:6} {'(film)':8} {own:6.2f}", flush=True)
        _save(os.path.join(_OUTPUT.value, name, "film"), scene.frames)
        if _PAINTED.value:
            pattern = os.path.join(_PAINTED.value, name, "*.png")
            painted = [
                read_image(path).pixels for path in sorted(glob.glob(pattern))
            ]
            _report(name, "other", stylizer, scene, style, painted, 0)
            continue
        films = {"as film": stylizer.film(scene.frames, style)}
        if _SINGLY.value:
            paint = functools.partial(stylizer, styles=style, progress=False)
            films["singly"] = map(paint, scene.frames)
        for how, results in films.items():
            start, painted, times = time.monotonic(), [], []
            for result in results:
                painted.append(result.pixels)
                times.append(time.monotonic() - start)
            _save(os.path.join(_OUTPUT.value, name, how), painted)
            # The first two frames also compile.
            seconds = (times[-1] - times[1]) / (len(times) - 2)
            _report(name, how, stylizer, scene, style, painted, seconds)


def measure_error(scene: Scene, painted: list[np.ndarray]) -> float:
    """Returns the mean temporal error, grey levels."""
    errors = []
    for number, (flow, seen) in enumerate(
        zip(scene.flows, scene.seen, strict=True)
    ):
        if flow is None:
            continue
        before = move(painted[number - 1], flow).astype(float)
        errors.append(np.abs(before - painted[number])[seen].mean())
    return float(np.mean(errors))


def _report(name, how, stylizer, scene, style, painted, seconds):
    """Prints a line; losses are those of the written pixels, one level."""
    losses = [
        stylizer(
            frame,
            style,
            initial_image=pixels,
            num_levels=1,
            num_steps=0,
            progress=False,
        ).losses
        for frame, pixels in zip(scene.frames, painted, strict=True)
    ]
    style_loss, content_loss = (
        np.mean([loss[f"weighted/{term}"] for loss in losses[1:]])
        for term in ("style", "content")
    )
    error = measure_error(scene, painted)
    own = measure_error(scene, scene.frames)
    print(
        f"{name:6} {how:8} {error:6.2f} {error / own:7.2f} {style_loss:7.4f}"
        f" {content_loss:7.4f} {seconds:7.1f}",
        flush=True,
    )


def _save(folder, frames):
    for number, frame in enumerate(frames, start=1):
        write_image(os.path.join(folder, f"{number:06d}.png"), frame)


if __name__ == "__main__":
    run(main)
