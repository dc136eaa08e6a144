"""Which process of how many this is, by the environment."""

import json

import pytest

from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.environment import find_cluster
from tfstyle.distributed.environment import find_other_array
from tfstyle.distributed.environment import find_shard
from tfstyle.errors import ClusterError


def tf_config(task_type="worker", index=0, **jobs):
    """Returns a TF_CONFIG; jobs are hosts, such as "ab" for two of them."""
    cluster = {job: list(hosts) for job, hosts in jobs.items()}
    task = {"type": task_type, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def srun(index, size):
    return {"SLURM_STEP_NUM_TASKS": str(size), "SLURM_PROCID": str(index)}


def mpi(index, size, prefix="PMI"):
    return {f"{prefix}_RANK": str(index), f"{prefix}_SIZE": str(size)}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, (1, 0)),
        ({"TF_CONFIG": ""}, (1, 0)),
        ({"TF_CONFIG": "{}"}, (1, 0)),
        (tf_config(worker="a"), (1, 0)),
        (tf_config("master", master="a"), (1, 0)),
        (tf_config("master", master="a", ps="b"), (1, 0)),
        (tf_config("chief", chief="a", evaluator="b"), (1, 0)),
        (tf_config("evaluator", evaluator="a"), (1, 0)),
        (tf_config(master="a", worker="b", ps="c"), (2, 1, "TF_CONFIG")),
        (tf_config(index=1, worker="ab"), (2, 1, "TF_CONFIG")),
        (tf_config(index=1, chief="a", worker="bc"), (3, 2, "TF_CONFIG")),
        (tf_config("chief", chief="a", worker="bc"), (3, 0, "TF_CONFIG")),
        (srun(3, 4), (4, 3, "Slurm")),
        (srun(3, 4) | tf_config(worker="ab"), (2, 0, "TF_CONFIG")),
        (srun(0, 1), (1, 0)),
        ({"SLURM_PROCID": "0"}, (1, 0)),  # a batch script, no job step
    ],
)
def test_cluster_is_what_the_environment_says(environment, expected):
    assert find_cluster(environment=environment) == Cluster(*expected)


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        *(
            (environment, "TF_CONFIG must read as")
            for environment in (
                {"TF_CONFIG": "worker"},
                {"TF_CONFIG": "[]"},
                {"TF_CONFIG": json.dumps({"cluster": {"worker": ["a", "b"]}})},
                tf_config(index=2, worker="ab"),
                tf_config(index=-1, worker="ab"),
                tf_config("other", worker="ab"),
                tf_config("chief", chief="ab"),
            )
        ),
        (tf_config("ps", worker="ab", ps="c"), "makes this process a ps"),
        *(
            (srun(rank, 4), "SLURM_PROCID must be a number")
            for rank in ("", 4, -1, "x")
        ),
    ],
)
def test_cluster_refuses_a_wrong_environment(environment, message):
    with pytest.raises(ClusterError, match=message):
        find_cluster(environment=environment)


def test_addresses_are_in_the_order_of_the_processes():
    environment = tf_config(worker=["b:1", "[::1]:2"], chief=["a:1"])
    found = find_cluster(environment=environment)
    assert found.addresses == ("a:1", "b:1", "[::1]:2")


@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_strategy_of_one_process_knows_no_cluster(strategy):
    assert find_cluster(strategy, tf_config(worker="ab")) == Cluster()


def array(number, least, most, count, step=1):
    names = ("ID", "MIN", "MAX", "COUNT", "STEP")
    values = map(str, (number, least, most, count, step))
    return {
        f"SLURM_ARRAY_TASK_{name}": value
        for name, value in zip(names, values, strict=True)
    }


TASKS = srun(1, 2)
MPI = mpi(3, 5, "OMPI_COMM_WORLD")


@pytest.mark.parametrize(
    ("environment", "shard", "expected"),
    [
        ({}, "auto", (1, 0)),
        ({}, "3/10", (10, 2)),
        (TASKS | array(1, 0, 1, 2), "1/1", (1, 0)),
        (TASKS, "auto", (2, 1)),
        (MPI, "auto", (5, 3)),
        (TASKS | MPI, "auto", (5, 3)),  # mpirun within a job step
        (TASKS | mpi(0, 1), "auto", (1, 0)),
        (TASKS | mpi(1, 2), "auto", (2, 1)),
        (mpi(2, 3, "MV2_COMM_WORLD"), "auto", (3, 2)),
        (mpi(0, 4), "auto", (4, 0)),
        (mpi(0, 1), "auto", (1, 0)),
        (array(0, 0, 3, 4), "auto", (4, 0)),
        (array(7, 1, 7, 4, 2), "auto", (4, 3)),  # --array=1-7:2
        (array(3, 3, 3, 1), "auto", (1, 0)),
        (array(1, 1, 7, 3), "auto", (1, 0)),  # --array=1,5,7 does not tell
        (array(5, 1, 7, 3), "auto", (1, 0)),
        (array(7, 1, 7, 3), "auto", (1, 0)),
        (TASKS | array(1, 0, 2, 3), "auto", (6, 3)),
    ],
)
def test_shard_is_what_flag_and_environment_say(environment, shard, expected):
    found = find_shard(shard, environment=environment)
    assert (found.size, found.index) == expected


def test_one_device_needs_no_cluster_for_its_lines():
    environment = {"TF_CONFIG": "of another program"}
    assert find_shard("auto", "one_device", environment) == Cluster()
    with pytest.raises(ClusterError):
        find_shard("auto", "auto", environment)


def test_mpirun_within_a_job_step_shares_no_picture():
    with pytest.raises(ClusterError, match="mpirun started 5 processes"):
        find_cluster(environment=TASKS | MPI)
    assert find_cluster("one_device", TASKS | MPI) == Cluster()
    assert find_cluster(environment=TASKS | mpi(0, 1)) == Cluster()
    # As srun --mpi=pmi2 sets them.
    assert find_cluster(environment=TASKS | mpi(1, 2)).source == "Slurm"


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"SGE_TASK_ID": "3"}, "SGE_TASK_ID"),
        ({"SGE_TASK_ID": "undefined"}, None),
        ({"LSB_JOBINDEX": "0"}, None),
        ({"LSB_JOBINDEX": "2"}, "LSB_JOBINDEX"),
        ({"PBS_ARRAY_INDEX": "0"}, "PBS_ARRAY_INDEX"),
        (array(5, 1, 7, 3), "SLURM_ARRAY_TASK_ID"),
        (array(1, 1, 3, 3), None),
        ({}, None),
    ],
)
def test_array_of_another_scheduler_is_named(variables, name):
    assert find_other_array(variables) == name
