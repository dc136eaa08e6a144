"""What TensorFlow has no public name for, all that is used of it.

Other versions may lack it. Then a run goes on without, as each function says.
"""

import contextlib
import itertools
from collections.abc import Sequence
from typing import Any

from absl import logging

_KEY_BASES = itertools.count(10_000, 10_000)
UNAVAILABLE = 14
"""TensorFlow's code of an `UnavailableError`."""


def set_heartbeat(number: int, timeout: float) -> None:
    """Sets after how many seconds without a heartbeat a process is lost.

    Must come before TensorFlow's first use of a device. Without it a silent
    process is noticed by those that wait for it, but not named.

    Args:
        number: of processes.
        timeout: seconds.
    """
    try:
        from tensorflow.python.eager import context

        protobuf = context.coordination_config_pb2
        context.context().configure_coordination_service(
            service_type="standalone",
            service_leader="/job:worker/replica:0/task:0",
            coordinated_jobs=[
                protobuf.CoordinatedJob(name="worker", num_tasks=number)
            ],
            cluster_register_timeout_in_ms=round(1000 * timeout),
            heartbeat_timeout_in_ms=round(1000 * timeout),
        )
    except (AttributeError, ImportError, TypeError) as error:
        logging.warning(
            "warning: this TensorFlow's heartbeat cannot be set (%s); a silent"
            " process is noticed after --cluster_timeout, but not named",
            error,
        )


def abort_collectives(reason: str) -> None:
    """Makes operations between processes fail, those to come as well.

    Without it TensorFlow may wait for a lost process without end.

    Args:
        reason: what their error says.
    """
    with contextlib.suppress(AttributeError, ImportError, TypeError):
        from tensorflow.python.eager import context

        context.context().abort_collective_ops(UNAVAILABLE, reason)


def make_mirrored_strategy(devices: Sequence[str] | None) -> Any:
    """Makes a strategy that shares no numbers with others of this process.

    TensorFlow numbers what is added up by strategy, and would wait for parts of
    another's. Without it a program has one strategy.

    Args:
        devices: names; None: all GPUs.
    """
    import tensorflow as tf

    class Mirrored(tf.distribute.MirroredStrategy):
        _collective_key_base = next(_KEY_BASES)

    return Mirrored(devices)


def gradient_entry(name: str) -> dict[str, Any] | None:
    """Returns a gradient's entry in the registry, whose `type` is a function.

    Without it graphs are kept to the end of the process.

    Args:
        name: under which it was registered.
    """
    try:
        from tensorflow.python.framework import ops

        return ops.gradient_registry._registry[name]
    except (AttributeError, ImportError, KeyError):
        return None
