"""The processes of one command: how many, and which of them this one is.

They are known from the environment alone, before TensorFlow is loaded:
`TF_CONFIG` or Slurm's variables of a job step.
"""

import dataclasses
import json
import os
from collections.abc import Mapping

from tfstyle.errors import TfstyleError

TASK_TYPES = ("chief", "worker")


class ClusterError(TfstyleError, RuntimeError):
    """The environment describes no valid cluster, or a process is gone."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The place of this process among those of its command.

    Attributes:
        size: number of processes.
        index: of this one; process 0 writes the results.
        source: `TF_CONFIG`, `Slurm` or empty for a process by itself.
    """

    size: int = 1
    index: int = 0
    source: str = ""


ALONE = Cluster()


def find_cluster(
    strategy: str = "auto", environment: Mapping[str, str] = os.environ
) -> Cluster:
    """Reads from the environment which process of how many this is.

    `TF_CONFIG` wins over Slurm's variables. One process is no cluster.

    Args:
        strategy: a config's; none for one process looks at others.
        environment: variables.

    Raises:
        ClusterError: if the variables contradict each other.
    """
    if strategy not in ("auto", "multi_worker"):
        return ALONE
    if environment.get("TF_CONFIG"):
        cluster = _read_tf_config(environment["TF_CONFIG"])
    elif "SLURM_STEP_NUM_TASKS" in environment:
        cluster = _read_slurm(environment)
    else:
        return ALONE
    return cluster if cluster.size > 1 else ALONE


def _read_tf_config(text: str) -> Cluster:
    try:
        found = json.loads(text)
        jobs = found.get("cluster", {})
        counts = {job: len(addresses) for job, addresses in jobs.items()}
        if not counts:
            return ALONE
        task_type, index = found["task"]["type"], int(found["task"]["index"])
        is_right = set(counts) <= set(TASK_TYPES) and counts.get("chief", 1) < 2
        if not is_right or not 0 <= index < counts[task_type]:
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ClusterError(
            'TF_CONFIG must read as {"cluster": {"worker": ["HOST:PORT", ...]},'
            ' "task": {"type": "worker", "index": 0}}, with an index below the'
            f" number of workers. Received: {text:.400}"
        ) from error
    first = counts.get("chief", 0) if task_type == "worker" else 0
    return Cluster(sum(counts.values()), first + index, "TF_CONFIG")


def _read_slurm(environment: Mapping[str, str]) -> Cluster:
    names = ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
    texts = [environment.get(name, "") for name in names]
    if not all(t.isdecimal() for t in texts) or int(texts[1]) >= int(texts[0]):
        raise ClusterError(
            f"{names[0]} and {names[1]} must be a number and one below it, as"
            f" srun sets them. Received: {texts[0]!r} and {texts[1]!r}. Unset"
            " both outside a job step."
        )
    return Cluster(int(texts[0]), int(texts[1]), "Slurm")
