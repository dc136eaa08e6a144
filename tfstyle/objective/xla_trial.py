"""Benchmarks an objective function with and without XLA while it runs.

Compilation takes as long as many evaluations and a small picture may finish
first, so a graph starts without XLA.
"""

import time
from collections.abc import Callable

import tensorflow as tf
from absl import logging

from tfstyle.errors import one_line

WORTH_TRYING = 20.0
"""Seconds of evaluations without XLA before XLA is tried.

About the time that a GPU needs to compile the network (an estimate, not
measured), so a failed trial at most doubles the time spent so far.
"""
FEWEST = 3
"""Minimum number of evaluations without XLA; the first traces the graph."""


class XlaTrial:
    """Tries XLA for the graphs of one network until a compilation fails.

    A GPU's compiler may be missing, or may not support an operation.
    """

    def __init__(self):
        self._has_failed = False

    def choose(self, make: Callable[[bool], Callable]) -> Callable:
        """Returns a graph without XLA that switches to XLA if that is faster.

        Args:
            make: factory of the graph, with XLA if its argument is True; the
                graph returns `LossTerms` and a gradient.
        """
        graph, is_open = make(False), True
        seconds = []

        def evaluate(*tensors):
            nonlocal graph, is_open
            if not is_open or self._has_failed:
                return graph(*tensors)
            if len(seconds) < FEWEST or sum(seconds) < WORTH_TRYING:
                found, taken = _time(graph, *tensors)
                seconds.append(taken)
                return found
            is_open = False
            if compiled := self._try(make, min(seconds), *tensors):
                graph = compiled
            return graph(*tensors)

        return evaluate

    def _try(self, make, seconds: float, *tensors) -> Callable | None:
        """Returns the graph with XLA if it takes less than `seconds`."""
        graph = make(True)
        try:
            _time(graph, *tensors)  # compiles
            _, taken = _time(graph, *tensors)
        except tf.errors.OpError as error:
            self._has_failed = True
            logging.warning(
                "warning: XLA cannot compile the network (%s). It runs without"
                " XLA, which may be slower. Add --jit_compile=false to skip the"
                " attempt",
                one_line(error.message, 200),
            )
            return None
        is_faster = taken < seconds
        logging.info(
            "An evaluation takes %.2g s with XLA, %.2g s without: continues %s",
            taken,
            seconds,
            "with it" if is_faster else "without",
        )
        return graph if is_faster else None


def _time(graph, *tensors):
    """Returns the outputs of a graph and the seconds it took."""
    start = time.perf_counter()
    found = graph(*tensors)
    terms, _ = found
    float(terms.total)
    return found, time.perf_counter() - start
