"""Whether bfloat16 is faster on this machine's CPU, by timing it once.

That a processor has instructions for bfloat16 does not tell: on some they
multiply no more numbers a second than those for float32, and casting comes on
top. So both are timed, and the cache folder keeps the result.
"""

import contextlib
import functools
import json
import math
import os
import time
from collections.abc import Callable

from tfstyle.errors import WriteError
from tfstyle.network.weights import cache_folder
from tfstyle.system import atomic_file
from tfstyle.system import processors

FILE = "bfloat16-gains.json"
"""In the cache folder: gains by machine, as `describe_machine` names it."""
LEAST_GAIN = 1.1
"""How many times faster it must be, so that noise does not decide."""
LAYERS = ((128, 64), (512, 16))
"""Channels and side of the layers that are timed.

In bfloat16 the gradient of the first is a direct convolution, that of the
second by Winograd's algorithm; in float32 both are by Winograd's.
"""
REPEATS = 3


@functools.cache
def is_bfloat16_faster() -> bool:
    """Returns whether the network's layers are clearly faster in bfloat16.

    They are timed only if the processor has instructions for it, and the
    machine is not in the cache. TensorFlow must have been started.
    """
    if not processors.has_bfloat16() or not processors.has_onednn():
        return False
    return _load_gain() >= LEAST_GAIN


def describe_machine() -> str:
    """Returns what the gain depends on: processor, cores and TensorFlow."""
    import tensorflow as tf

    return (
        f"{processors.name_processor()}, {processors.count_cores()} cores,"
        f" TensorFlow {tf.__version__}"
    )


def measure_gain() -> float:
    """Returns how many times faster layers are with gradients in bfloat16.

    Each layer is timed as the network has it in either precision, forward and
    gradient by its input, by turns; the fastest of REPEATS counts.
    """
    from tfstyle.network.bfloat16 import Bfloat16Conv2D
    from tfstyle.network.winograd import WinogradConv2D

    kinds = (WinogradConv2D, Bfloat16Conv2D)
    seconds = [0.0, 0.0]
    for channels, side in LAYERS:
        calls = [_make_call(kind, channels, side) for kind in kinds]
        for call in calls:
            call()  # compiles
        rounds = [[_time(call) for call in calls] for _ in range(REPEATS)]
        for number, times in enumerate(zip(*rounds, strict=True)):
            seconds[number] += min(times)
    return seconds[0] / seconds[1]


def _load_gain() -> float:
    """Returns this machine's gain from the cache, or measures it."""
    path = os.path.join(cache_folder(), FILE)
    machine, gains = describe_machine(), _read_gains(path)
    if machine not in gains:
        gains[machine] = measure_gain()
        text = json.dumps(gains, indent=2)
        # Without a cache the next process measures again.
        with contextlib.suppress(OSError, WriteError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            atomic_file.write_text(path, text)
    return gains[machine]


def _read_gains(path: str) -> dict[str, float]:
    """Returns the gains by machine; those that are damaged are left out."""
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
    except (OSError, RecursionError, ValueError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {
        machine: gain
        for machine, gain in values.items()
        if isinstance(gain, float) and math.isfinite(gain) and gain > 0
    }


def _make_call(kind: type, channels: int, side: int) -> Callable[[], object]:
    """Makes a call that computes a layer's outputs and their gradient."""
    import keras
    import tensorflow as tf

    layer = kind(
        channels,
        3,
        padding="same",
        activation="relu",
        kernel_initializer=keras.initializers.Constant(1 / channels),
        data_format="channels_last",
        dtype="float32",
        trainable=False,
    )
    image = tf.ones([1, side, side, channels])
    layer.build(image.shape)

    @tf.function(autograph=False)
    def evaluate(image):
        with tf.GradientTape() as tape:
            tape.watch(image)
            outputs = layer(image)
        return tape.gradient(outputs, image)

    return lambda: evaluate(image).numpy()


def _time(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
