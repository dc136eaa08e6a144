"""What TensorFlow has no public name for, all that is used of it.

Other versions may lack it. Then a run goes on without, as each function says.
"""

import contextlib
from typing import Any

from absl import logging

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
