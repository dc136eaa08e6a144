"""Which strategy is taken, and Slurm's tasks in the order of their ranks."""

import pytest

from tfstyle.config.run_config import RunConfig
from tfstyle.distributed.environment import ALONE
from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.environment import ClusterError
from tfstyle.distributed.strategy import FIRST_PORT
from tfstyle.distributed.strategy import RankedSlurmResolver
from tfstyle.distributed.strategy import choose_strategy
from tfstyle.distributed.strategy import make_replicas


@pytest.mark.parametrize(
    ("strategy", "cluster", "expected"),
    [
        ("auto", ALONE, "one_device"),
        ("auto", Cluster(2, 1, "Slurm"), "multi_worker"),
        ("one_device", ALONE, "one_device"),
        ("mirrored", ALONE, "mirrored"),
    ],
)
def test_strategy_follows_what_there_is(strategy, cluster, expected):
    config = choose_strategy(RunConfig(strategy=strategy), cluster)
    assert config.strategy == expected


def test_several_gpus_share_a_picture_unless_it_needs_the_whole_frame(
    monkeypatch,
):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: "ab")
    for precision, expected in (
        ("float32", "mirrored"),
        ("mixed_bfloat16", "mirrored"),
        ("mixed_float16", "one_device"),
    ):
        config = choose_strategy(RunConfig(precision=precision), ALONE)
        assert config.strategy == expected


def test_strategy_over_processes_needs_some():
    config = RunConfig(strategy="multi_worker")
    with pytest.raises(ClusterError, match="neither TF_CONFIG nor srun's"):
        choose_strategy(config, ALONE)


def test_one_device_has_no_replicas():
    assert make_replicas(RunConfig(strategy="one_device"), ALONE) is None


def test_mirrored_takes_the_devices_of_this_process():
    replicas = make_replicas(RunConfig(strategy="mirrored"), ALONE)
    assert (replicas.size, replicas.index) == (1, 0)
    assert replicas.num_replicas >= 1
    replicas.lead(0)  # nobody is told, and nothing is waited for
    assert replicas.add_up([1.0]) == [1.0]


def set_slurm(monkeypatch, nodes, tasks_per_node, number, rank):
    for name, value in (
        ("JOB_ID", "30007"),
        ("PROCID", str(rank)),
        ("STEP_NUM_TASKS", str(number)),
        ("STEP_NODELIST", nodes),
        ("STEP_TASKS_PER_NODE", tasks_per_node),
    ):
        monkeypatch.setenv(f"SLURM_{name}", value)


@pytest.mark.parametrize("rank", range(5))
def test_slurm_s_addresses_are_in_the_order_of_ranks(monkeypatch, rank):
    """TensorFlow's own order has node10 before node9."""
    set_slurm(monkeypatch, "node[9-10],gpu1", "2(x2),1", 5, rank)
    resolver = RankedSlurmResolver()
    first = FIRST_PORT + 7
    assert resolver.cluster_spec().as_dict() == {
        "worker": [
            f"node9:{first}",
            f"node9:{first + 1}",
            f"node10:{first}",
            f"node10:{first + 1}",
            f"gpu1:{first}",
        ]
    }
    assert (resolver.task_type, resolver.task_id) == ("worker", rank)
    assert resolver.num_accelerators() == {"GPU": 0}
