#!/usr/bin/env bash
# Expected: a JPEG whose end marker stands amid its data, as recovery programs and
# broken transfers leave them, is reported as damaged, like one that is cut off at
# the same place without the marker.
# What happens: Pillow, imagecodecs and OpenCV return the whole size without an
# error, the rest in one grey (128); cut off without the marker, Pillow raises.
# Why: libjpeg fills up with zeros after an end marker and only counts a warning
# ("premature end of data segment"); these readers look at errors, not at warnings.
# Source: jdhuff.c of libjpeg-turbo (insufficient_data); seen with Pillow 13.0.0,
# imagecodecs 2026.3.6, opencv-python-headless 4.12.0.88.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pillow==13.0.0 imagecodecs==2026.3.6 \
    numpy==2.2.6 opencv-python-headless==4.12.0.88
"$work/venv/bin/python" - <<'END'
import io

import cv2
import imagecodecs
import numpy as np
from PIL import Image

noise = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)
whole = io.BytesIO()
Image.fromarray(noise).save(whole, "JPEG", quality=80)
half = whole.getvalue()[: len(whole.getvalue()) // 2]
half = half[:-1] if half[-1] == 0xFF else half
ended = half + b"\xff\xd9"
readers = {
    "Pillow": lambda data: np.asarray(Image.open(io.BytesIO(data))),
    "imagecodecs": imagecodecs.jpeg8_decode,
    "OpenCV": lambda data: cv2.imdecode(np.frombuffer(data, np.uint8), 1),
}
for name, read in readers.items():
    found = read(ended)
    grey = (np.abs(found.astype(int) - 128) <= 1).all(-1).mean()
    print(f"{name}: no error, {grey:.0%} of {found.shape[:2]} is grey")
    assert found.shape == noise.shape and 0.4 < grey < 0.6
try:
    readers["Pillow"](half)
except OSError as error:
    print(f"Pillow, without the marker: {error}")
else:
    raise AssertionError("cut off without a word")
END
