"""Slurm's variables as addresses."""

import pytest

from tfstyle.distributed import slurm
from tfstyle.errors import ClusterError


def step(nodes, tasks, number, job=624, step="0"):
    return {
        "SLURM_JOB_ID": str(job),
        "SLURM_STEP_ID": step,
        "SLURM_STEP_NUM_TASKS": number,
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
    }


@pytest.mark.parametrize(
    ("nodes", "tasks", "expected"),
    [
        ("localhost", "2", "localhost:0 localhost:1"),
        (
            *("node[9-10],gpu1", "2(x2),1"),
            "node9:0 node9:1 node10:0 node10:1 gpu1:0",
        ),
        ("a[1-2],b", "1,2,1", "a1:0 a2:0 a2:1 b:0"),
        ("n[1,03-04]", "1(x3)", "n1:0 n03:0 n04:0"),
        ("n[099-101]", "1(x3)", "n099:0 n100:0 n101:0"),
        ("r[1-2]n[01-02]", "1(x4)", "r1n01:0 r1n02:0 r2n01:0 r2n02:0"),
        ("node[1-2]-ib,a.b-c", "1(x3)", "node1-ib:0 node2-ib:0 a.b-c:0"),
    ],
)
def test_addresses_are_in_the_order_of_ranks(nodes, tasks, expected):
    pairs = [address.split(":") for address in expected.split()]
    found = slurm.find_addresses(step(nodes, tasks, str(len(pairs))))
    assert found == [f"{host}:{20000 + int(task)}" for host, task in pairs]


def test_jobs_and_steps_that_share_a_node_have_different_ports():
    found = [
        address
        for job in range(100, 106)
        for number in "01"
        for address in slurm.find_addresses(step("n", "4", "4", job, number))
    ]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        *(
            step(nodes, "1", "1")
            for nodes in ("", "n[", "n[1-2", "n]", "n[a]", "n[1--2]", "a b")
        ),
        *(step(nodes, "1,1", "2") for nodes in ("a,,b", ",a", "a,")),
        step("n[1-2]", "1", "1"),
        step("n[1-2]", "1(x2)", "3"),
        step("n[1-2]", "x", "2"),
        step("n[1-2]", "1(x2)", ""),
    ],
)
def test_variables_that_contradict_are_refused(environment):
    with pytest.raises(ClusterError, match="SLURM_STEP_NODELIST"):
        slurm.find_addresses(environment)
