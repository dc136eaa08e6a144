"""Which strategy is taken."""

import pytest

from tfstyle.config.run_config import RunConfig
from tfstyle.distributed.environment import ALONE
from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.strategy import choose_strategy
from tfstyle.distributed.strategy import make_replicas
from tfstyle.errors import ClusterError


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
    assert choose_strategy(RunConfig(strategy=strategy), cluster) == expected


def test_several_gpus_share_a_large_picture_that_may_be_cut(
    monkeypatch,
):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: "ab")
    for precision, image_size, expected in (
        ("float32", 1024, "mirrored"),
        ("float32", 0, "mirrored"),
        ("float32", 1023, "one_device"),
        ("mixed_bfloat16", 2048, "mirrored"),
        ("mixed_float16", 2048, "one_device"),
    ):
        asked = RunConfig(precision=precision, image_size=image_size)
        assert choose_strategy(asked, ALONE) == expected
    asked = RunConfig(strategy="mirrored", image_size=256)
    assert choose_strategy(asked, ALONE) == "mirrored"


def test_strategy_over_processes_needs_some():
    config = RunConfig(strategy="multi_worker")
    with pytest.raises(ClusterError, match="neither TF_CONFIG nor srun's"):
        choose_strategy(config, ALONE)


def test_one_device_has_no_replicas():
    assert make_replicas("one_device", RunConfig(), ALONE) is None


def test_mirrored_takes_the_devices_of_this_process():
    replicas = make_replicas("mirrored", RunConfig(), ALONE)
    assert (replicas.size, replicas.index) == (1, 0)
    assert replicas.num_replicas >= 1
    replicas.lead(0)  # nobody is told, and nothing is waited for
    assert replicas.add_up([1.0]) == [1.0]
