"""Remakes the pictures of the README and docs/ from the package's samples.

    python tools/make_gallery.py [--only=NAME,NAME]

Every picture is what a command leaves, shown by the program as it is run, cut
down to a JPEG in tools/gallery. Runs go to runs/gallery: the same command goes
on where it was. All take about half an hour on 2 cores (AMD EPYC).
"""

import os
import pathlib
import shlex
import subprocess
import sys

from absl import flags
from PIL import Image
from running import run

ROOT = pathlib.Path(__file__).parents[1]
GALLERY = ROOT / "tools" / "gallery"
RUNS = "runs/gallery"
SCENE, STROKES, MOSAIC = (
    f"tfstyle/samples/{name}.jpg" for name in ("scene", "strokes", "mosaic")
)
LONG_EDGE = 1200  # pixels at most; that of the sheets as they are drawn
MAX_BYTES = 250_000  # of a picture

PICTURES = {
    "quickstart": (
        "-m tfstyle.main --flagfile=configs/quickstart.cfg"
        f" --workdir={RUNS}/quickstart",
        "quickstart/output.png",
    ),
    "mosaic": (
        "-m tfstyle.main --flagfile=configs/quickstart.cfg"
        f" --style_images={MOSAIC} --workdir={RUNS}/mosaic",
        "mosaic/output.png",
    ),
    "figure1": (
        f"tools/reproduce_gatys2015.py --figure=1 --content={SCENE}"
        f" --styles={STROKES} --output={RUNS}/figure1",
        "figure1/figure1.png",
    ),
    "figure2": (
        f"tools/reproduce_gatys2015.py --figure=2 --content={SCENE}"
        f" --styles={STROKES},{MOSAIC} --output={RUNS}/figure2",
        "figure2/figure2.png",
    ),
    "figure3": (
        f"tools/reproduce_gatys2015.py --figure=3 --content={SCENE}"
        f" --styles={STROKES} --output={RUNS}/figure3",
        "figure3/figure3.png",
    ),
}
"""By name: what Python is to run, and the picture it leaves below RUNS."""

_ONLY = flags.DEFINE_list("only", list(PICTURES), "names of pictures")


def main() -> int | None:
    """Runs the commands and writes their pictures as JPEG."""
    for name in _ONLY.value:
        command, picture = PICTURES[name]
        print(f"python {command}", flush=True)
        command = [sys.executable, *shlex.split(command)]
        status = subprocess.run(command, cwd=ROOT).returncode
        if status:
            return status
        path = GALLERY / f"{name}.jpg"
        with Image.open(ROOT / RUNS / picture) as image:
            image.thumbnail((LONG_EDGE, LONG_EDGE), Image.Resampling.LANCZOS)
            _save(image.convert("RGB"), path)
        print(f"{path}: {os.path.getsize(path) / 1000:.0f} KB", flush=True)
    return 0


def _save(image, path):
    """Writes a JPEG in the best quality that is small enough."""
    for quality in (92, 88, 84, 80, 76, 72):
        image.save(path, quality=quality, optimize=True)
        if os.path.getsize(path) <= MAX_BYTES:
            return
    raise ValueError(f"{path} is more than {MAX_BYTES} bytes.")


if __name__ == "__main__":
    run(main)
