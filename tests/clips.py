"""Small films for tests, encoded with PyAV."""

from fractions import Fraction

import av
import numpy as np

HEIGHT, WIDTH = 48, 64
NUM_FRAMES = 5
"""Length of the studio's clip."""


def make_frame(number, height=HEIGHT, width=WIDTH):
    """Returns a smooth frame that moves, uint8 `[height, width, 3]`."""
    y, x = np.mgrid[:height, :width]
    x = x + 2 * number
    waves = [np.sin(x / 5) + np.cos(y / 7), np.sin((x + y) / 9), np.cos(x / 8)]
    levels = np.stack(waves, axis=-1) / 2
    return np.rint(127 + 100 * np.clip(levels, -1, 1)).astype(np.uint8)


def write_clip(
    path,
    frames,
    codec="libx264rgb",
    form="rgb24",
    *,
    times=None,
    rate=10,
    tags=(2, 0, 1, 13),
    options=None,
    aspect=None,
    sound=None,
    **settings,
):
    """Encodes frames as a film.

    Args:
        path: path of the film.
        frames: arrays in an RGB format, or `av.VideoFrame`s.
        codec: name of the encoder; by default a lossless one.
        form: its pixel format.
        times: time of each frame, 1/1000 s; by default the rate's.
        rate: frames per second.
        tags: colour range, matrix, primaries and transfer; by default those
            of RGB.
        options: options of the encoder.
        aspect: width of a pixel divided by its height.
        sound: name of an encoder of sound, which hums as long as the film.
        **settings: options of `av.open`.
    """
    options = {"crf": "0"} if options is None else options
    with av.open(str(path), "w", **settings) as output:
        stream = output.add_stream(codec, rate=rate, options=options)
        first = frames[0]
        is_array = isinstance(first, np.ndarray)
        stream.height = first.shape[0] if is_array else first.height
        stream.width = first.shape[1] if is_array else first.width
        stream.pix_fmt = form
        base = Fraction(1, 1000)
        stream.time_base = stream.codec_context.time_base = base
        context = stream.codec_context
        context.color_range, context.colorspace = tags[:2]
        context.color_primaries, context.color_trc = tags[2:]
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        hum = output.add_stream(sound, rate=48000) if sound else None
        for number, frame in enumerate(frames):
            if is_array:
                kind = "rgba" if frame.shape[2] == 4 else "rgb24"
                frame = av.VideoFrame.from_ndarray(frame, format=kind)
            time = number * 1000 // rate if times is None else times[number]
            frame.pts, frame.time_base = time, base
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if hum is not None:
            _encode_hum(output, hum, len(frames) / rate)


def write_sound(path):
    """Encodes a file with sound only."""
    with av.open(str(path), "w") as output:
        _encode_hum(output, output.add_stream("aac", rate=48000), 0.5)


def _encode_hum(output, stream, seconds):
    samples = np.sin(
        np.arange(round(48000 * seconds)) * 440 * 2 * np.pi / 48000
    )
    frame = av.AudioFrame.from_ndarray(
        (samples * 8000).astype(np.int16)[np.newaxis], "s16", "mono"
    )
    frame.sample_rate, frame.pts = 48000, 0
    resampler = av.AudioResampler(
        stream.codec_context.format, stream.codec_context.layout, 48000
    )
    fifo = av.AudioFifo()
    for resampled in [*resampler.resample(frame), *resampler.resample(None)]:
        fifo.write(resampled)
    size = stream.codec_context.frame_size or 1024
    while (part := fifo.read(size, partial=True)) is not None:
        output.mux(stream.encode(part))
    output.mux(stream.encode(None))


def turn(path, degrees):
    """Stores a rotation in an MP4, as phones do; clockwise degrees."""
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 44
    matrix = np.array([cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 14], ">i4") << 16
    data[place : place + 36] = matrix.astype(">i4").tobytes()
    path.write_bytes(bytes(data))


def read_packets(path, kind):
    """Returns the packets of all streams of a kind, such as `audio`."""
    with av.open(str(path)) as container:
        streams = getattr(container.streams, kind)
        if not len(streams):
            return []
        return [bytes(p) for p in container.demux(*streams) if p.size]


def read_times(path):
    """Returns the time of every frame, seconds."""
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]
