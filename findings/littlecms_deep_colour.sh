#!/usr/bin/env bash
# Expected: converting 16-bit pixels from one RGB profile to another with
# LittleCMS is at least as exact as converting the same picture in 8 bits.
# What happens: it is ten times and more less exact. Display P3 to sRGB, matrices
# and curves only: the 16-bit result is up to 12.9 levels of 255 off the formula, in
# the dark colours, the 8-bit one 0.8. In floats, or with the flag NOOPTIMIZE, 16
# bits are exact, and some seven times slower.
# Why: cmsCreateTransform replaces a chain of curves and matrix by a table of
# interpolated colours when the pixels have 16 bits; only for 8 bits it has a
# shortcut that keeps matrix and curves. Linear light puts all dark colours into
# the table's first cell.
# Source: cmsopt.c of LittleCMS 2 (OptimizeByResampling, OptimizeMatrixShaper);
# seen with imagecodecs 2026.3.6 (LittleCMS 2.18) on x86-64 Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet imagecodecs==2026.3.6 numpy==2.2.6
"$work/venv/bin/python" - <<'END'
import imagecodecs
import numpy as np

SRGB = [0.64, 0.33, 0.30, 0.60, 0.15, 0.06]
P3 = [0.68, 0.32, 0.265, 0.69, 0.15, 0.06]
WHITE = np.array([0.3127, 0.3290, 0.3583]) / 0.3290


def to_xyz(primaries):
    points = np.array([[x, y, 1 - x - y] for x, y in np.reshape(primaries, (3, 2))])
    points = (points / points[:, 1:2]).T
    return points * np.linalg.solve(points, WHITE)


def exact(levels):
    light = levels**2.2 @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(P3)).T
    light = light.clip(0, 1)
    bright = 1.055 * light ** (1 / 2.4) - 0.055
    return 255 * np.where(light > 0.0031308, bright, 12.92 * light)


source = imagecodecs.cms_profile(
    "rgb",
    whitepoint=[0.3127, 0.3290, 1.0],
    primaries=[n for x, y in np.reshape(P3, (3, 2)) for n in (x, y, 1.0)],
    gamma=2.2,
)
target = imagecodecs.cms_profile("srgb")
pixels = np.random.default_rng(0).integers(0, 65536, (200, 200, 3))
pixels[:100] >>= 6  # dark


def error(dtype, flags=0):
    top = 1 if dtype == "f4" else np.iinfo(dtype).max
    levels = pixels / 65535 * top
    levels = (levels if dtype == "f4" else np.rint(levels)).astype(dtype)
    made = imagecodecs.cms_transform(
        levels, source, target, colorspace="rgb", outcolorspace="rgb",
        outdtype=dtype, flags=flags,
    )
    made = made.clip(0, 1) if dtype == "f4" else made
    return np.abs(made / top * 255 - exact(levels / top)).max()


no_table = int(imagecodecs.CMS.FLAGS.NOOPTIMIZE)
errors = {
    "8 bits": error("u1"),
    "16 bits": error("u2"),
    "16 bits, NOOPTIMIZE": error("u2", no_table),
    "floats": error("f4"),
}
for name, value in errors.items():
    print(f"{name}: off by {value:.2f} levels of 255 at most")
assert errors["8 bits"] < 1 and errors["floats"] < 0.5
assert errors["16 bits, NOOPTIMIZE"] < 0.5
assert errors["16 bits"] > 8
END
