"""One run shared by several processes, which start alike and end together.

Process 0 runs the optimisation; every other process computes its part of each
evaluation.
"""

import contextlib
import json
from collections.abc import Iterator
from collections.abc import Mapping

from absl import logging

from tfstyle.distributed.replicas import END
from tfstyle.distributed.replicas import EVALUATE
from tfstyle.distributed.replicas import FAIL
from tfstyle.distributed.replicas import LEVEL
from tfstyle.distributed.replicas import Replicas
from tfstyle.errors import ClusterError
from tfstyle.errors import ConfigError
from tfstyle.errors import one_line
from tfstyle.experiment.identity import RunIdentity
from tfstyle.images.image_set import ImageSet
from tfstyle.network.extractor import Extractor
from tfstyle.system.signals import StopSignals
from tfstyle.training.plan import NOTHING_DECIDED
from tfstyle.training.plan import Plan
from tfstyle.training.pyramid_objective import PyramidObjective


def check_same_run(
    own: RunIdentity, replicas: Replicas | None
) -> Mapping[str, str]:
    """Checks that all processes were given the same run.

    Args:
        own: identity of the run of this process; in process 0 with the
            options of the plan.
        replicas: replicas that share each evaluation, or None.

    Returns:
        The options of process 0, with those derived from its machine.

    Raises:
        ConfigError: if runs differ; names the process and the options.
    """
    if replicas is None or replicas.size == 1:
        return NOTHING_DECIDED
    local = replicas.num_replicas // replicas.size
    texts = replicas.gather_texts(json.dumps([own.to_json(), local]))
    (first, first_local), *others = map(json.loads, texts)
    differences = []
    for number, (other, other_local) in enumerate(others, start=1):
        found = _compare(RunIdentity(**other), RunIdentity(**first))
        if other_local != first_local:
            found.append(f"devices were {first_local}, now {other_local}")
        if found:
            differences.append(f"process {number}: {', '.join(found)}")
    if differences:
        raise ConfigError(
            "All processes must be given the same flags, pictures, weights and"
            " versions. Differences from process 0:"
            f" {one_line('; '.join(differences), 1000)}."
        )
    return first["flags"]


def _compare(ours: RunIdentity, theirs: RunIdentity) -> list[str]:
    """Lists the differences between a process' run and that of process 0."""
    found = ours.differences(theirs)
    for name in ("steps", "versions", "weights"):
        own, other = getattr(ours, name), getattr(theirs, name)
        if own != other:
            found.append(f"{name} were {other}, now {own}")
    return found


@contextlib.contextmanager
def leading(replicas: Replicas | None, signals: StopSignals) -> Iterator[None]:
    """Notifies all other processes when the block ends, and if it failed.

    Args:
        replicas: replicas that share each evaluation, or None.
        signals: stop signals of this process, polled by the replicas.
    """
    if replicas is None:
        yield
        return
    replicas.find_signal = lambda: signals.number
    try:
        yield
    except BaseException:
        replicas.lead(FAIL)
        raise
    replicas.lead(END, replicas.find_signal() or replicas.stop_number)


def follow(
    images: ImageSet, plan: Plan, extractor: Extractor, replicas: Replicas
) -> int:
    """Computes this process' part of every evaluation, until process 0 ends.

    Args:
        images: input images of the run.
        plan: plan of the run, equal to that of process 0.
        extractor: feature extractor for the layers of the plan.
        replicas: replicas that share each evaluation.

    Returns:
        The number of the signal that ended the run, or 0.

    Raises:
        ClusterError: if process 0 failed or is gone.
    """
    pyramid = PyramidObjective(images, plan, extractor, replicas=replicas)
    objective, image = None, None
    with StopSignals() as signals:
        replicas.find_signal = lambda: signals.number
        while True:
            command, value = replicas.follow()
            if command == END:
                logging.info("Process 0 is done")
                return value
            if command == FAIL:
                raise ClusterError(
                    "Process 0 ended with an error; see its output."
                )
            if command == LEVEL:
                image = pyramid.zeros(value)
                objective = pyramid.make_objective(value)
            elif command == EVALUATE and objective is not None:
                objective(image)
            else:
                raise ClusterError(
                    f"Process 0 sent an unknown command ({command}). Restart"
                    " all processes."
                )
