"""All uses of TensorFlow's private API.

Other versions may lack it. A run then continues without it, with the effect
described in each function.
"""

import contextlib
import itertools
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from absl import logging

_KEY_BASES = itertools.count(10_000, 10_000)
UNAVAILABLE = 14
"""Error code of TensorFlow's `UnavailableError`."""


def set_heartbeat(number: int, timeout: float) -> None:
    """Sets the heartbeat timeout after which a process counts as lost.

    Must be called before TensorFlow's first use of a device. Without it a
    silent process is detected by waiting processes, but not named.

    Args:
        number: number of processes.
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
            " process is detected after --cluster_timeout, but not named",
            error,
        )


def abort_collectives(reason: str) -> None:
    """Makes current and future collective operations fail.

    Without it TensorFlow may wait for a lost process forever.

    Args:
        reason: message of the operations' error.
    """
    with contextlib.suppress(AttributeError, ImportError, TypeError):
        from tensorflow.python.eager import context

        context.context().abort_collective_ops(UNAVAILABLE, reason)


def make_mirrored_strategy(devices: Sequence[str] | None) -> Any:
    """Makes a MirroredStrategy with collective keys of its own.

    TensorFlow numbers collective operations per strategy, and would wait for
    operations of another strategy with equal numbers. Without it only one
    strategy per process works.

    Args:
        devices: names of the devices; None: all GPUs.
    """
    import tensorflow as tf

    class Mirrored(tf.distribute.MirroredStrategy):
        _collective_key_base = next(_KEY_BASES)

    return Mirrored(devices)


@contextlib.contextmanager
def without_memory_optimizer() -> Iterator[None]:
    """Disables the memory optimizer for functions first called in the block.

    TensorFlow's memory optimizer (2.21) may compute a sum of more than two
    large tensors in an order that differs between processes, which changes the
    last bits of a gradient. Two runs of `configs/quickstart.cfg` then ended 8
    grey levels apart on average; without it they write the same bytes.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(AttributeError, ImportError, TypeError):
            from tensorflow.core.protobuf import config_pb2
            from tensorflow.core.protobuf import rewriter_config_pb2
            from tensorflow.python.eager import context

            owner = context.context()
            before = owner.function_call_options
            config = config_pb2.ConfigProto.FromString(
                before.config_proto_serialized
            )
            config.graph_options.rewrite_options.memory_optimization = (
                rewriter_config_pb2.RewriterConfig.NO_MEM_OPT
            )
            owner.function_call_options = context.FunctionCallOptions(
                before.executor_type, config
            )
            stack.callback(setattr, owner, "function_call_options", before)
        yield


def gradient_entry(name: str) -> dict[str, Any] | None:
    """Returns a gradient's registry entry, whose `type` is the function.

    Without it graphs are kept until the process ends.

    Args:
        name: name under which the gradient was registered.
    """
    try:
        from tensorflow.python.framework import ops

        return ops.gradient_registry._registry[name]
    except (AttributeError, ImportError, KeyError):
        return None
