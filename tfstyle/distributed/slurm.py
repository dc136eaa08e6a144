"""Addresses of the tasks of a Slurm job step, in rank order."""

import itertools
import os
import re
from collections.abc import Mapping

from tfstyle.errors import ClusterError

FIRST_PORT, STRIDE, NUM_STRIDES = 20000, 32, 312
"""First port, ports per job step, and number of such ranges.

The first task of a job step on each node gets the first port of its range.
"""


def find_addresses(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Returns HOST:PORT of every task of the job step, by rank.

    Ranks are consecutive on each node, as with `srun --distribution=block`. Job
    steps that share a node have different ports.

    Raises:
        ClusterError: if srun's variables are missing or contradict each other.
    """
    names = ("SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE")
    nodes, tasks = (environment.get(name, "") for name in names)
    try:
        hosts, counts = expand_hosts(nodes), expand_counts(tasks)
        number = int(environment.get("SLURM_STEP_NUM_TASKS", ""))
        job = int(environment.get("SLURM_JOB_ID", "0"))
        step = int(environment.get("SLURM_STEP_ID", "0"))
        if len(hosts) != len(counts) or sum(counts) != number:
            raise ValueError
    except ValueError as error:
        raise ClusterError(
            f"{names[0]} and {names[1]} must describe the nodes of a job step,"
            f" as srun sets them. Received: {nodes!r:.200} and {tasks!r:.80}."
            " Start with srun, or set TF_CONFIG."
        ) from error
    first = FIRST_PORT + (job + 7 * step) % NUM_STRIDES * STRIDE
    return [
        f"{host}:{first + task}"
        for host, count in zip(hosts, counts, strict=True)
        for task in range(count)
    ]


def expand_hosts(text: str) -> list[str]:
    """Expands a node list such as `r[1-2]n[01,03-04]-ib,gpu1` to host names.

    Raises:
        ValueError: if the text is not a node list.
    """
    hosts = []
    # Commas within brackets separate numbers, other commas separate names.
    names = re.findall(r"(?:[^\s,\[\]]|\[[\d,-]+\])+", text)
    if not names or ",".join(names) != text:
        raise ValueError(text)
    for name in names:
        parts = re.split(r"\[([\d,-]+)\]", name)
        choices = [
            _expand_numbers(part) if index % 2 else [part]
            for index, part in enumerate(parts)
        ]
        hosts += ["".join(chosen) for chosen in itertools.product(*choices)]
    return hosts


def _expand_numbers(text: str) -> list[str]:
    """Expands `01,03-04` to numbers with their leading zeros.

    Raises:
        ValueError: if the text is not such a list.
    """
    numbers = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        numbers += [
            f"{number:0{len(first)}}"
            for number in range(int(first), int(last or first) + 1)
        ]
    return numbers


def expand_counts(text: str) -> list[int]:
    """Expands a list such as `2(x2),1` to numbers.

    Raises:
        ValueError: if the text is not such a list.
    """
    counts = []
    for part in text.split(","):
        count, _, times = part.rstrip(")").partition("(x")
        counts += [int(count)] * int(times or 1)
    return counts
