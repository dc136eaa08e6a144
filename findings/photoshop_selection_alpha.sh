#!/usr/bin/env bash
# Expected: a Photoshop document without layers that has a saved selection, a
# fourth channel, opens as RGB; Photoshop shows all of it.
# What happens: Pillow opens it as RGBA and gives the selection as transparency, so
# that composites and thumbnails lose what was not selected. A document whose
# fourth channel is transparency looks the same to it.
# Why: the header only counts channels. The sign of the number of layers says
# whether the first extra channel is the transparency of the merged picture; the
# reader takes four channels of an RGB document for RGBA.
# Source: Adobe's Photoshop File Formats Specification, "Layer info"; Pillow 13.0.0,
# PsdImagePlugin.py.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pillow==13.0.0 numpy==2.2.6
"$work/venv/bin/python" - <<'END'
import io
import struct

import numpy as np
from PIL import Image

HEIGHT, WIDTH, RGB = 4, 6, 3


def make(num_layers):
    """A document of four channels: 200, 100, 50, and 0 or 255."""
    planes = np.zeros((4, HEIGHT, WIDTH), np.uint8)
    planes[:3] = np.array([200, 100, 50])[:, None, None]
    planes[3, :, 3:] = 255
    layers = struct.pack(">Ih", 2, num_layers) if num_layers else b""
    return b"".join((
        struct.pack(">4sH6xHIIHH", b"8BPS", 1, 4, HEIGHT, WIDTH, 8, RGB),
        struct.pack(">II", 0, 0),  # no colour table, no resources
        struct.pack(">I", len(layers)), layers,
        b"\0\0", planes.tobytes(),
    ))


for name, num_layers in (("selection", 0), ("transparency", -1)):
    image = Image.open(io.BytesIO(make(num_layers)))
    alpha = np.asarray(image)[0, :, -1].tolist()
    print(f"fourth channel is a {name}: {image.mode}, alpha {alpha}")
    assert image.mode == "RGBA" and alpha == [0, 0, 0, 255, 255, 255]
END
