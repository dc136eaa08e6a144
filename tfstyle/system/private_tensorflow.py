"""What TensorFlow has no public name for, all that is used of it.

Other versions may lack it. Then a run goes on without, as each function says.
"""

import contextlib
import itertools
from collections.abc import Iterator
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


@contextlib.contextmanager
def without_memory_optimizer() -> Iterator[None]:
    """Keeps the order of sums in functions that are first called in the block.

    TensorFlow's memory optimizer (2.21) may compute a sum of more than two
    large tensors in an order that differs from process to process, and with it
    the last bits of a gradient. Then two runs of the same flags differ by a few
    grey levels in the end.
    """
    options = _options_without_memory_optimizer()
    if options is None:
        yield
        return
    owner, ours, before = options
    owner.function_call_options = ours
    try:
        yield
    finally:
        owner.function_call_options = before


def _options_without_memory_optimizer() -> tuple[Any, Any, Any] | None:
    """Returns TensorFlow's context, options for its thread, and those set."""
    try:
        from tensorflow.core.protobuf import config_pb2
        from tensorflow.core.protobuf import rewriter_config_pb2
        from tensorflow.python.eager import context

        owner = context.context()
        before = owner.function_call_options
        config = config_pb2.ConfigProto.FromString(
            before.config_proto_serialized
        )
        rewriter = config.graph_options.rewrite_options
        rewriter.memory_optimization = (
            rewriter_config_pb2.RewriterConfig.NO_MEM_OPT
        )
        ours = context.FunctionCallOptions(before.executor_type, config)
    except (AttributeError, ImportError, TypeError):
        return None
    return owner, ours, before


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
