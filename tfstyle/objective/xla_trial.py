"""Whether XLA makes an objective function faster, found out while it runs.

To compile it takes as long as many evaluations: a small picture would be done
before. So a graph first runs without.
"""

import time
from collections.abc import Callable

import tensorflow as tf
from absl import logging

from tfstyle.errors import one_line

WORTH_TRYING = 20.0
"""Seconds of evaluations without XLA, after which it is tried.

About what a GPU takes to compile the network, which was not measured; so what
is lost is at most as long as what was spent before.
"""
FEWEST = 3
"""Evaluations of the first graph by then; the first of them traces it."""


class XlaTrial:
    """Tries XLA for graphs of one network, until it fails for one.

    A GPU's compiler may be missing, or not know an operation.
    """

    def __init__(self):
        self._has_failed = False

    def choose(self, make: Callable[[bool], Callable]) -> Callable:
        """Returns a graph without XLA, which turns into one with if it gains.

        Args:
            make: makes the graph, with XLA or without; it returns `LossTerms`
                and a gradient.
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
        """Returns the graph with XLA if it takes fewer seconds than those."""
        graph = make(True)
        try:
            _time(graph, *tensors)  # compiles
            _, taken = _time(graph, *tensors)
        except tf.errors.OpError as error:
            self._has_failed = True
            logging.warning(
                "warning: XLA does not compile the network, which may be slower"
                " without (%s). --jit_compile=false does not try it",
                one_line(error.message, 200),
            )
            return None
        is_faster = taken < seconds
        logging.info(
            "An evaluation takes %.2g s with XLA, %.2g s without: goes on %s",
            taken,
            seconds,
            "with it" if is_faster else "without",
        )
        return graph if is_faster else None


def _time(graph, *tensors):
    """Returns what a graph does, and the seconds until it is done."""
    start = time.perf_counter()
    found = graph(*tensors)
    terms, _ = found
    float(terms.total)
    return found, time.perf_counter() - start
