"""Which process of how many this is, by the environment."""

import json

import pytest

from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.environment import find_cluster
from tfstyle.distributed.environment import find_shard
from tfstyle.distributed.environment import find_uncounted_array
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


def grid_engine(number, first, last, step):
    names = ("ID", "FIRST", "LAST", "STEPSIZE")
    values = (number, first, last, step)
    return {f"SGE_TASK_{n}": str(v) for n, v in zip(names, values, strict=True)}


def counted(index, count, prefix, names=("INDEX", "COUNT")):
    values = (str(index), str(count))
    return {f"{prefix}_{n}": v for n, v in zip(names, values, strict=True)}


def sky_jobs(index, count):
    return counted(index, count, "SKYPILOT", ("JOB_RANK", "NUM_JOBS"))


def sky_nodes(index, count):
    return counted(index, count, "SKYPILOT", ("NODE_RANK", "NUM_NODES"))


AWS = counted(9, 10, "AWS_BATCH_JOB_ARRAY", ("INDEX", "SIZE"))
PBS = {"PBS_ARRAY_INDEX": "0"}
POD = {"JOB_COMPLETION_INDEX": "1"}
GAPS = array(5, 1, 7, 3)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (array(7, 1, 7, 4, 2), (4, 3)),  # --array=1-7:2
        (grid_engine(5, 2, 10, 3), (3, 1)),  # -t 2-10:3
        (grid_engine(5, 2, 8, 3), (3, 1)),
        (AWS, (10, 9)),
        (counted(0, 4, "BATCH_TASK"), (4, 0)),
        (counted(3, 4, "CLOUD_RUN_TASK"), (4, 3)),
        (sky_jobs(2, 3) | sky_nodes(0, 1), (3, 2)),
        (sky_jobs(0, 1) | sky_nodes(1, 2), (2, 1)),
        (sky_jobs(2, 3) | sky_nodes(1, 2), (6, 5)),
    ],
)
def test_array_is_divided_if_its_count_is_told(environment, expected):
    found = find_shard(environment=environment)
    assert (found.size, found.index) == expected
    assert find_shard(f"auto/{found.size}", environment=environment) == found
    assert find_uncounted_array(environment=environment) is None
    with pytest.raises(ClusterError, match="needs the number of tasks"):
        find_shard("auto/99", environment=environment)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("PBS_ARRAY_INDEX", 0),
        ("PBS_ARRAYID", 0),
        ("LSB_JOBINDEX", 1),
        ("JOB_COMPLETION_INDEX", 0),
    ],
)
def test_array_is_divided_by_the_count_that_shard_gives(name, first):
    for index in range(3):
        environment = {name: str(first + index)}
        assert find_shard(environment=environment) == Cluster()
        assert find_uncounted_array(environment=environment) == name
        found = find_shard("auto/3", environment=environment)
        assert found == Cluster(3, index, name)
    with pytest.raises(ClusterError, match=f"indices {first} to {first + 2}"):
        find_shard("auto/3", environment={name: str(first + 3)})


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"LSB_JOBINDEX": "0"},
        grid_engine(*["undefined"] * 4),
        counted(0, 1, "BATCH_TASK"),
        counted(0, 1, "CLOUD_RUN_TASK"),
        sky_jobs(0, 1) | sky_nodes(0, 1),
    ],
)
def test_job_that_is_no_array_has_all_lines(environment):
    assert find_shard(environment=environment) == Cluster()
    assert find_uncounted_array(environment=environment) is None
    with pytest.raises(ClusterError, match="auto/2 needs the"):
        find_shard("auto/2", environment=environment)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        (GAPS, "SLURM_ARRAY_TASK_ID"),
        ({"SLURM_ARRAY_TASK_ID": "1"}, "SLURM_ARRAY_TASK_ID"),
        (grid_engine(3, "", "", ""), "SGE_TASK_ID"),
        (grid_engine(3, 1, 3, 0), "SGE_TASK_ID"),
        (grid_engine(4, 1, 3, 1), "SGE_TASK_ID"),
        (counted(4, 4, "BATCH_TASK"), "BATCH_TASK_INDEX"),
    ],
)
def test_array_whose_part_is_unknown_is_never_divided(environment, name):
    assert find_shard(environment=environment) == Cluster()
    assert find_uncounted_array(environment=environment) == name
    with pytest.raises(ClusterError, match="indices have equal steps"):
        find_shard("auto/3", environment=environment)


def test_two_arrays_without_counts_are_refused():
    with pytest.raises(ClusterError, match="indices have equal steps"):
        find_shard("auto/3", environment=PBS | POD)
    assert find_shard("auto/3", environment=PBS | sky_jobs(0, 1)).size == 3


@pytest.mark.parametrize(
    ("environment", "shard", "expected"),
    [
        (MPI, "auto/5", (5, 3)),
        (PBS | TASKS, "auto", (2, 1)),
        (PBS | TASKS, "auto/3", (6, 1)),
        (AWS | TASKS, "auto/10", (20, 19)),
        (sky_nodes(1, 2) | sky_jobs(2, 3) | TASKS, "auto", (6, 5)),
        (POD | tf_config(index=1, worker="ab"), "auto", (2, 1)),
        (POD | tf_config(index=1, worker="ab"), "auto/2", (2, 1)),
        (POD | tf_config(worker="a"), "auto/3", (3, 1)),
    ],
)
def test_cluster_divides_the_part_of_its_task(environment, shard, expected):
    found = find_shard(shard, environment=environment)
    assert (found.size, found.index) == expected


def test_cluster_made_of_an_index_is_counted_once():
    pod = POD | tf_config(index=1, worker="ab")
    assert find_uncounted_array(environment=pod) is None
    with pytest.raises(ClusterError, match="which is 2 by TF_CONFIG"):
        find_shard("auto/4", environment=pod)
    assert find_uncounted_array(environment=PBS | TASKS) == "PBS_ARRAY_INDEX"
