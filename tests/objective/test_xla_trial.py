"""XLA is tried when it may pay, and kept where it gains."""

import types

import pytest
import tensorflow as tf

from tfstyle.objective import xla_trial
from tfstyle.objective.xla_trial import FEWEST
from tfstyle.objective.xla_trial import WORTH_TRYING
from tfstyle.objective.xla_trial import XlaTrial


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still while nothing is evaluated."""
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(
        xla_trial,
        "time",
        types.SimpleNamespace(perf_counter=lambda: clock.now),
    )
    return clock


class Graphs:
    """Makes graphs that take so long, and notes which were called."""

    def __init__(self, clock, seconds, seconds_with_xla, error=None):
        self.calls = []
        self._clock = clock
        self._seconds = {False: seconds, True: seconds_with_xla}
        self._error = error

    def __call__(self, with_xla):
        def graph():
            self.calls.append(with_xla)
            self._clock.now += self._seconds[with_xla]
            if with_xla and self._error:
                raise self._error
            return types.SimpleNamespace(total=1.0), None

        return graph


def evaluate(graphs, trial, number):
    """Evaluates so often; returns whether each of the last had XLA."""
    graph = trial.choose(graphs)
    for _ in range(number):
        graph()
    return graphs.calls


def test_short_pictures_do_without(clock):
    graphs = Graphs(clock, WORTH_TRYING / 100, 0.0)
    assert True not in evaluate(graphs, XlaTrial(), 99)


@pytest.mark.parametrize(
    ("seconds_with_xla", "is_kept"), [(0.5, True), (1.0, False), (2.0, False)]
)
def test_long_ones_keep_what_is_faster(clock, seconds_with_xla, is_kept):
    graphs = Graphs(clock, 1.0, seconds_with_xla)
    calls = evaluate(graphs, XlaTrial(), int(WORTH_TRYING) + 4)
    assert calls.index(True) == WORTH_TRYING
    assert calls[-4:] == [is_kept] * 4


def test_few_long_evaluations_say_too_little(clock):
    graphs = Graphs(clock, WORTH_TRYING, 1.0)
    assert evaluate(graphs, XlaTrial(), FEWEST) == [False] * FEWEST


def test_what_does_not_compile_is_tried_once(clock, caplog):
    error = tf.errors.InternalError(None, None, "no ptxas")
    trial = XlaTrial()
    for _ in range(2):  # levels
        graphs = Graphs(clock, 10.0, 1.0, error)
        calls = evaluate(graphs, trial, 10)
        assert calls[-1] is False
    assert True not in calls
    assert caplog.text.count("XLA cannot compile the network") == 1
    assert "(no ptxas)" in caplog.text
