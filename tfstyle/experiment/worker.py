"""One run in several processes: alike at its start, ended together.

Process 0 runs the job; the others compute their part of every evaluation.
"""

import contextlib
import json
from collections.abc import Iterator

from absl import logging

from tfstyle.config.run_config import RunConfig
from tfstyle.config.validation import ConfigError
from tfstyle.distributed.environment import ClusterError
from tfstyle.distributed.replicas import END
from tfstyle.distributed.replicas import EVALUATE
from tfstyle.distributed.replicas import FAIL
from tfstyle.distributed.replicas import LEVEL
from tfstyle.distributed.replicas import Replicas
from tfstyle.errors import one_line
from tfstyle.experiment import resume
from tfstyle.experiment.identity import RunIdentity
from tfstyle.experiment.inputs import ImageFiles
from tfstyle.network.extractor import Extractor
from tfstyle.system.signals import StopSignals
from tfstyle.training.plan import make_plan
from tfstyle.training.problem import Problem


def check_same_run(
    config: RunConfig,
    images: ImageFiles,
    sha256: str,
    replicas: Replicas | None,
) -> RunConfig:
    """Checks that all processes were given the same run.

    Args:
        config: a resolved one; in process 0 nothing in it is `auto`.
        images: read from the config's files.
        sha256: of the weights' values.
        replicas: that share the work, or None.

    Returns:
        The config, resolved as in process 0.

    Raises:
        ConfigError: names the options that differ, and the process.
    """
    if replicas is None or replicas.size == 1:
        return config
    local = replicas.num_replicas // replicas.size
    own = RunIdentity.of_run(config, images, sha256)
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
            " versions. Unlike process 0 are"
            f" {one_line('; '.join(differences), 1000)}."
        )
    return resume.adopt_choices(config, first["flags"])


def _compare(ours: RunIdentity, theirs: RunIdentity) -> list[str]:
    """Says how one process' run differs from that of process 0."""
    found = ours.differences(theirs)
    for name in ("steps", "versions", "weights"):
        own, other = getattr(ours, name), getattr(theirs, name)
        if own != other:
            found.append(f"{name} were {other}, now {own}")
    return found


@contextlib.contextmanager
def leading(replicas: Replicas) -> Iterator[None]:
    """Tells the other processes, at its end, how the block ended."""
    try:
        yield
    except BaseException:
        replicas.lead(FAIL)
        raise
    replicas.lead(END, replicas.find_signal() or replicas.stop_number)


def follow(
    config: RunConfig,
    images: ImageFiles,
    extractor: Extractor,
    replicas: Replicas,
) -> int:
    """Computes this process' part of every evaluation, until process 0 ends.

    Args:
        config: resolved as in process 0.
        images: read from the config's files.
        extractor: made for the config.
        replicas: that share the work.

    Returns:
        The number of the signal that ended the run, or 0.

    Raises:
        ClusterError: if process 0 failed or is gone.
    """
    plan = make_plan(
        config, images.content, images.styles, replicas.num_replicas
    )
    problem = Problem(
        images.content,
        images.styles,
        plan,
        content_masks=images.content_masks,
        style_masks=images.style_masks,
        alpha=images.alpha,
        style_alphas=images.style_alphas,
        extractor=extractor,
        replicas=replicas,
    )
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
                image = problem.zeros(value)
                objective = problem.make_objective(value)
            elif command == EVALUATE and objective is not None:
                objective(image)
            else:
                raise ClusterError(
                    f"Process 0 sent no command ({command}). Start all again."
                )
