#!/usr/bin/env bash
# Expected: Pillow reads a lossless JPEG 2000 of 16 bits per channel with the
# upper 8 bits of each level, or rounded: white is 255.
# What happens: in pictures with colours white is 0, black, from 99.8 % of the
# scale on; alpha that is opaque becomes transparent. Grey of 16 bits is right.
# Why: the unpacking of deep components adds half a step for rounding before it
# shifts, and stores the sum, 256, in a byte without a limit. Grey has a mode of 16
# bits of its own and is not narrowed.
# Source: src/libImaging/Jpeg2KDecode.c (j2ku_srgb_rgb and its kind); seen with
# Pillow 13.0.0 (OpenJPEG 2.5.4); imagecodecs 2026.3.6 reads the same file right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet \
    pillow==13.0.0 imagecodecs==2026.3.6 numpy==2.2.6
"$work/venv/bin/python" - <<'END'
import io

import imagecodecs
import numpy as np
from PIL import Image

for bits in (8, 10, 12, 16):
    top = 2**bits - 1
    levels = np.rint(np.linspace(0.9, 1, 64) * top)
    pixels = np.repeat(levels[None, :, None], 3, -1).repeat(8, 0)
    pixels = pixels.astype(np.uint8 if bits == 8 else np.uint16)
    content = imagecodecs.jpeg2k_encode(
        pixels, codecformat="jp2", bitspersample=bits, reversible=True
    )
    assert (imagecodecs.jpeg2k_decode(content) == pixels).all()
    found = np.asarray(Image.open(io.BytesIO(content)))
    black = levels[(found[0] == 0).all(-1)] / top
    where = f"black from {black.min():.2%} on" if black.size else "white is white"
    print(f"{bits} bits, RGB: {where}")
    assert (black.size > 0) == (bits > 8)
END
