#!/usr/bin/env bash
# Expected: a WebM with transparency, which browsers show as such, has an alpha
# channel when PyAV decodes it, as ProRes 4444 and QuickTime Animation do.
# What happens: frames come as yuv420p, opaque, without a warning. Only the tag
# alpha_mode of the stream tells that there is a second picture in each packet.
# Decoded by a codec context of libvpx-vp9 made by hand, they are yuva420p.
# Why: FFmpeg prefers its own decoder of VP9, which skips the extra data of the
# packets that holds alpha; libvpx's wrapper reads it, but is never the default.
# Source: libavcodec/vp9.c and libvpxdec.c of FFmpeg 8; seen with PyAV 18.1.0 on
# x86-64 Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet av==18.1.0 numpy==2.2.6
"$work/venv/bin/python" - "$work/clip.webm" <<'END'
import sys

import av
import numpy as np

picture = np.full((48, 64, 4), 200, np.uint8)
picture[:, :32, 3], picture[:, 32:, 3] = 0, 255
with av.open(sys.argv[1], "w") as output:
    stream = output.add_stream("libvpx-vp9", rate=10)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuva420p"
    for _ in range(3):
        output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgba")))
    output.mux(stream.encode(None))

with av.open(sys.argv[1]) as source:
    stream = source.streams.video[0]
    frame = next(source.decode(stream))
    usual = frame.format.name
    print("tag:", dict(stream.metadata).get("alpha_mode"), "format:", usual)

with av.open(sys.argv[1]) as source:
    decoder = av.CodecContext.create("libvpx-vp9", "r")
    packet = next(source.demux(video=0))
    (frame,) = decoder.decode(packet)
    alpha = frame.to_ndarray(format="rgba")[..., 3]
    print("by libvpx-vp9:", frame.format.name, alpha[24, 8], alpha[24, 56])

assert usual == "yuv420p"
assert frame.format.name == "yuva420p"
assert alpha[24, 8] < 10 and alpha[24, 56] > 245
END
