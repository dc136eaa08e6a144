"""Job arrays: the index of a task and the number of tasks, by scheduler.

A number of tasks that the scheduler does not tell stays unknown.
"""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class ArrayVariables:
    """Variables that a scheduler sets for a task of a job array.

    Attributes:
        index: variable for the index of the task; outside an array it is unset
            or no number, unless `outside` names its value there.
        count: variable for the number of tasks, if there is one.
        bounds: variables for the first index, the last one and their step.
        first: first index, if `bounds` does not tell it.
        outside: index outside an array.
        is_rank: whether clusters are made of the index; then it is ignored
            within a cluster.
        shares_disk: whether the tasks usually write to one disk.
    """

    index: str
    count: str = ""
    bounds: tuple[str, ...] = ()
    first: int = 0
    outside: str = ""
    is_rank: bool = False
    shares_disk: bool = False


SCHEDULERS = (
    # Slurm 22.05, sbatch(1), --array and "Output environment variables".
    ArrayVariables(
        "SLURM_ARRAY_TASK_ID",
        count="SLURM_ARRAY_TASK_COUNT",
        bounds=tuple(f"SLURM_ARRAY_TASK_{x}" for x in ("MIN", "MAX", "STEP")),
        shares_disk=True,
    ),
    # PBS Professional and OpenPBS, qsub(1B), -J X-Y[:Z]. X may be any number;
    # only X = 0 is accepted.
    ArrayVariables("PBS_ARRAY_INDEX", shares_disk=True),
    # Torque 4.1.3, Administrator Guide, "Multiple job submission": qsub -t. The
    # first index may be any number; only 0 is accepted.
    ArrayVariables("PBS_ARRAYID", shares_disk=True),
    # IBM Spectrum LSF 10.1, "Passing arguments on the command line": 0 outside
    # an array; bsub -J: indices are positive and begin at 1 by default.
    ArrayVariables("LSB_JOBINDEX", first=1, outside="0", shares_disk=True),
    # Grid Engine, qsub(1), -t and "Environmental variables": "undefined"
    # outside an array. There is one range, so there are no gaps.
    ArrayVariables(
        "SGE_TASK_ID",
        bounds=tuple(f"SGE_TASK_{x}" for x in ("FIRST", "LAST", "STEPSIZE")),
        shares_disk=True,
    ),
    # AWS Batch, User Guide, "Job environment variables": from 0, set only in
    # child jobs of an array.
    ArrayVariables(
        "AWS_BATCH_JOB_ARRAY_INDEX", count="AWS_BATCH_JOB_ARRAY_SIZE"
    ),
    # Google Batch, REST v1, TaskGroup, taskEnvironments: 0 to the count less 1.
    ArrayVariables("BATCH_TASK_INDEX", count="BATCH_TASK_COUNT"),
    # Google Cloud Run, "Container runtime contract", variables for jobs: 0 to
    # the count less 1.
    ArrayVariables("CLOUD_RUN_TASK_INDEX", count="CLOUD_RUN_TASK_COUNT"),
    # Kubernetes 1.24, "Jobs", completion mode Indexed: 0 to .spec.completions
    # less 1, which pods are not told.
    ArrayVariables("JOB_COMPLETION_INDEX", is_rank=True),
    # SkyPilot, "Managed Jobs", --num-jobs: from 0; a single job is 0 of 1.
    ArrayVariables("SKYPILOT_JOB_RANK", count="SKYPILOT_NUM_JOBS"),
    # SkyPilot, "Distributed Multi-Node Jobs": from 0; a single node is 0 of 1.
    ArrayVariables(
        "SKYPILOT_NODE_RANK", count="SKYPILOT_NUM_NODES", is_rank=True
    ),
)
"""Variables of every scheduler, below the source that describes them."""
SHARED_DISK_ARRAYS = tuple(x.index for x in SCHEDULERS if x.shares_disk)
"""Index variables of the arrays whose tasks usually write to one disk."""


@dataclasses.dataclass(frozen=True)
class JobArray:
    """A job array and the place of this process in it.

    Attributes:
        variables: the variables that describe it.
        number: index of the task, as the scheduler counts.
        index: index of the task, from 0; None if the indices have gaps.
        size: number of tasks; None if it, or the index, is unknown.
    """

    variables: ArrayVariables
    number: int
    index: int | None = None
    size: int | None = None

    @property
    def source(self) -> str:
        """Name of the variable for the index."""
        return self.variables.index


def find_arrays(environment: Mapping[str, str]) -> list[JobArray]:
    """Returns the job arrays that this process is a task of.

    They are several with SkyPilot, or if one scheduler starts another.

    Args:
        environment: environment variables.
    """
    arrays = []
    for variables in SCHEDULERS:
        number = read_numbers(environment, variables.index)
        if number and environment[variables.index] != variables.outside:
            arrays.append(_read_array(variables, number[0], environment))
    return arrays


def _read_array(
    variables: ArrayVariables, number: int, environment: Mapping[str, str]
) -> JobArray:
    """Returns the array of a task; one with gaps has neither index nor size."""
    unknown = JobArray(variables, number)
    (size,) = read_numbers(environment, variables.count) or [None]
    first, step = variables.first, 1
    if variables.bounds:
        bounds = read_numbers(environment, *variables.bounds)
        if not bounds or not bounds[-1]:
            return unknown
        first, last, step = bounds
        if not variables.count:
            size = (last - first) // step + 1
        elif size is None or first + step * (size - 1) != last:
            return unknown
    index, rest = divmod(number - first, step)
    if rest or (size is not None and not 0 <= index < size):
        return unknown
    return JobArray(variables, number, index, size)


def read_numbers(
    environment: Mapping[str, str], *names: str
) -> list[int] | None:
    """Returns the values of variables, or None if one is not a number."""
    texts = [environment.get(name, "") for name in names]
    return (
        [int(t) for t in texts] if all(t.isdecimal() for t in texts) else None
    )
