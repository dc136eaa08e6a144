"""Slurm's variables as addresses."""

import re

import pytest

from tfstyle.distributed import slurm
from tfstyle.errors import ClusterError


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("localhost", ["localhost"]),
        ("node[9-10],gpu1", ["node9", "node10", "gpu1"]),
        ("n[1,03-04]", ["n1", "n03", "n04"]),
        ("n[099-101]", ["n099", "n100", "n101"]),
        (
            "r[1-2]n[01-02]",
            ["r1n01", "r1n02", "r2n01", "r2n02"],
        ),
        ("node[1-2]-ib,a.b-c", ["node1-ib", "node2-ib", "a.b-c"]),
    ],
)
def test_node_lists_of_any_shape_are_expanded(text, hosts):
    assert slurm.expand_hosts(text) == hosts


@pytest.mark.parametrize(
    "text", ["", "n[", "n[1-2", "n]", "n[a]", "n[1--2]", "a,,b", "a b", ",a"]
)
def test_what_is_no_node_list_is_refused(text):
    with pytest.raises(ValueError, match=rf"^{re.escape(text)}$|1--2"):
        slurm.expand_hosts(text)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("2", [2]),
        ("2(x2),1(x3)", [2, 2, 1, 1, 1]),
        ("4,1,2(x3)", [4, 1, 2, 2, 2]),
    ],
)
def test_tasks_per_node_are_expanded(text, counts):
    assert slurm.expand_counts(text) == counts


def step(nodes, tasks, number, job=624, step="0"):
    return {
        "SLURM_JOB_ID": str(job),
        "SLURM_STEP_ID": step,
        "SLURM_STEP_NUM_TASKS": number,
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
    }


def test_addresses_are_in_the_order_of_ranks():
    found = slurm.find_addresses(step("node[9-10],gpu1", "2(x2),1", "5"))
    assert found == [
        "node9:20000",
        "node9:20001",
        "node10:20000",
        "node10:20001",
        "gpu1:20000",
    ]


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
        step("", "", "2"),
        step("n[1-", "1(x2)", "2"),
        step("n[1-2]", "1", "1"),
        step("n[1-2]", "1(x2)", "3"),
        step("n[1-2]", "x", "2"),
        step("n[1-2]", "1(x2)", ""),
    ],
)
def test_variables_that_contradict_are_refused(environment):
    with pytest.raises(ClusterError, match="SLURM_STEP_NODELIST"):
        slurm.find_addresses(environment)
