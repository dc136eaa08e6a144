"""Which process of how many this is, by the environment."""

import json

import pytest

from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.environment import ClusterError
from tfstyle.distributed.environment import find_cluster


def tf_config(task_type="worker", index=0, **jobs):
    task = {"type": task_type, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": jobs, "task": task})}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Cluster()),
        ({"TF_CONFIG": ""}, Cluster()),
        ({"TF_CONFIG": "{}"}, Cluster()),
        (tf_config(worker=["a:1"]), Cluster()),
        (tf_config(index=1, worker=["a:1", "b:1"]), Cluster(2, 1, "TF_CONFIG")),
        (
            tf_config(index=1, chief=["a:1"], worker=["b:1", "c:1"]),
            Cluster(3, 2, "TF_CONFIG"),
        ),
        (
            tf_config("chief", chief=["a:1"], worker=["b:1", "c:1"]),
            Cluster(3, 0, "TF_CONFIG"),
        ),
        (
            {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"},
            Cluster(4, 3, "Slurm"),
        ),
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, Cluster()),
        ({"SLURM_PROCID": "0"}, Cluster()),  # a batch script, no job step
    ],
)
def test_cluster_is_what_the_environment_says(environment, expected):
    assert find_cluster(environment=environment) == expected


def test_tf_config_wins_over_slurm():
    slurm = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"}
    environment = tf_config(worker=["a:1", "b:1"]) | slurm
    assert find_cluster(environment=environment) == Cluster(2, 0, "TF_CONFIG")


@pytest.mark.parametrize(
    "environment",
    [
        {"TF_CONFIG": "worker"},
        {"TF_CONFIG": "[]"},
        {"TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:1"]}}'},
        tf_config(index=2, worker=["a:1", "b:1"]),
        tf_config(index=-1, worker=["a:1", "b:1"]),
        tf_config("ps", worker=["a:1"], ps=["b:1"]),
        tf_config("chief", chief=["a:1", "b:1"]),
    ],
)
def test_cluster_refuses_a_wrong_tf_config(environment):
    with pytest.raises(ClusterError, match="TF_CONFIG must read as"):
        find_cluster(environment=environment)


@pytest.mark.parametrize("rank", ["", "4", "-1", "x"])
def test_cluster_refuses_wrong_variables_of_slurm(rank):
    environment = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": rank}
    with pytest.raises(ClusterError, match="SLURM_PROCID must be a number"):
        find_cluster(environment=environment)


@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_strategy_of_one_process_knows_no_cluster(strategy):
    environment = tf_config(worker=["a:1", "b:1"])
    assert find_cluster(strategy, environment) == Cluster()
