"""`tools/benchmark_peers.py` with programs that are nobody's."""

import dataclasses
import functools
import json
import os
import sys
import textwrap

import pytest

from tests import ROOT
from tools import benchmark_peers
from tools.benchmark_peers import PEERS
from tools.benchmark_peers import PeerError

STP = "style-transfer-pytorch"


def run_script(text):
    return [sys.executable, "-I", "-c", text]


def test_names_are_taken_once_each():
    names = ["pastiche", STP, "pastiche"]
    assert benchmark_peers.check_names(names) == ["pastiche", STP]


def test_unknown_name_is_told_with_those_that_are_known():
    with pytest.raises(PeerError, match=r"pastiche and style-.*: 'pastich'"):
        benchmark_peers.check_names(["pastiche", "pastich"])


@pytest.mark.parametrize("name", PEERS)
def test_scripts_and_command_lines_of_peers_are_whole(name):
    peer = PEERS[name]
    compile(peer.evaluation, name, "exec")
    compile(peer.load_weights or "", name, "exec")
    values = dict.fromkeys(("content", "style", "output", "size"), "it")
    line = " ".join(peer.picture)
    assert line.format_map(values).count("it") == line.count("{") == 4


def test_programs_take_turns_and_are_compared_within_a_round():
    calls, seconds = [], iter([2.0, 3.0, 5.0, 4.0])

    def call(name):
        calls.append(name)
        return {"seconds": next(seconds)}

    programs = {name: functools.partial(call, name) for name in "ab"}
    rounds, medians = benchmark_peers.measure_by_turns(programs, 2)
    assert calls == ["a", "b", "b", "a"]
    assert [(row["round"], row["program"]) for row in rounds] == [
        *((1, "a"), (1, "b"), (2, "a"), (2, "b"))
    ]
    assert [row["ratio"] for row in rounds] == [1, 3 / 2, 1, 5 / 4]
    assert [row["seconds"] for row in medians] == [3, 4]
    assert medians[1]["ratio"] == (3 / 2 + 5 / 4) / 2


def test_evaluations_are_the_last_line_and_the_first_is_left_out():
    row = benchmark_peers.run_evaluations(
        run_script("print('Loading'); print([9.0, 1.0, 3.0, 2.0])")
    )
    assert row["seconds"] == 2.0
    assert row["peak_mib"] > 1


def test_picture_is_timed_until_its_process_ends():
    script = """
        import time
        open('output.png', 'w').close()
        open('trace.json', 'w').close()
        time.sleep(0.3)
    """

    def make_command(folder):
        assert os.listdir(folder) == []
        return run_script(textwrap.dedent(script))

    row = benchmark_peers.run_picture(make_command, is_started_there=True)
    assert row["seconds"] > 0.3
    assert not os.path.exists("output.png")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import sys; sys.exit('It has no weights.')", "It has no weights."),
        ("print('Nothing to do')", "There is no picture"),
    ],
)
def test_program_without_picture_ends_the_benchmark(script, told):
    with pytest.raises(SystemExit, match=told):
        benchmark_peers.run_picture(
            lambda folder: run_script(script), is_started_there=True
        )


@pytest.fixture
def venvs(tmp_path):
    """An environment whose Python knows the peer but finds no weights."""
    python = tmp_path / f"tfstyle-benchmark-{STP}/bin/python"
    python.parent.mkdir(parents=True)
    found = {"version": "0.1", "torch": "2.0", "source": PEERS[STP].source}
    python.write_text(
        textwrap.dedent(f"""\
            #!/bin/sh
            case "$*" in
            *torchvision.models*)
                echo 'Traceback (most recent call last):' >&2
                echo 'URLError: no network' >&2
                exit 1 ;;
            esac
            echo '{json.dumps(found)}'
        """)
    )
    python.chmod(0o755)
    return tmp_path


def test_missing_weights_are_told_with_their_place(venvs):
    told = r"no weights: URLError: no network\. Put vgg19-dcbb9e9d\.pth in"
    with pytest.raises(PeerError, match=told):
        benchmark_peers.install(STP, venvs)


def test_installed_peer_is_not_installed_again(venvs, monkeypatch):
    peer = dataclasses.replace(PEERS[STP], load_weights=None)
    monkeypatch.setitem(PEERS, STP, peer)
    python, row = benchmark_peers.install(STP, venvs)
    assert python[0] == str(venvs / f"tfstyle-benchmark-{STP}/bin/python")
    assert row == {
        "peer": STP,
        "version": "0.1",
        "torch": "2.0",
        "source": peer.source,
    }


RESULT = {
    "machine": [{"default_convolution": "winograd"}],
    "peers": [{"peer": "pastiche", "version": "1.6.0"}],
    "processes": [
        {"image_size": 512, "program": name, "seconds": s, "peak_mib": mib}
        for name, s, mib in [
            *(("direct", 2.0, 1170.0), ("winograd", 1.25, 1490.0)),
            ("pastiche", 2.654, 1087.0),
        ]
    ],
    "pictures": [
        {"image_size": 256, "program": "tfstyle", "seconds": 61.4},
        {"image_size": 256, "program": "pastiche", "seconds": 655.0},
    ],
    "evaluations": [
        {
            "image_size": size,
            "convolution": name,
            "seconds": seconds,
            "share_of_bound": share,
        }
        for size, name, seconds, share in [
            *((256, "direct", 0.489, 0.974), (256, "winograd", 0.3, 1.55)),
            *((1024, "direct", 11.6, 0.98), (1024, "winograd", 4.92, 1.53)),
        ]
    ],
}


def test_markdown_is_the_table_of_the_readme():
    table = """\
        | | 256 px | 512 px | 1024 px | memory, 512 px | picture, 256 px |
        |---|---|---|---|---|---|
        | DIRECT | 0.49 s (0.97) | | 12 s (0.98) | 1.23 GB | |
        | WINOGRAD | 0.30 s (1.55) | | 4.92 s (1.53) | 1.56 GB | 61 s |
        | pastiche 1.6.0 | | 2.65 s | | 1.14 GB | 655 s |"""
    for name in ("direct", "winograd"):
        label = f"`--convolution={name}` (of the bound)"
        table = table.replace(name.upper(), label)
    assert benchmark_peers.format_markdown(RESULT) == textwrap.dedent(table)


def test_markdown_without_peers_has_no_column_for_them():
    result = {
        name: rows
        for name, rows in RESULT.items()
        if name not in ("peers", "pictures")
    }
    result["processes"] = result["processes"][:1]
    head, _, *rows = benchmark_peers.format_markdown(result).splitlines()
    assert head == "| | 256 px | 1024 px | memory, 512 px |"
    assert len(rows) == 1


def test_documentation_has_the_table_of_all_peers():
    text = (ROOT / "docs" / "scaling.md").read_text()
    head = "| | 256 px | 512 px | 1024 px | memory, 512 px | picture, 256 px |"
    assert head in text
    assert f"--against={','.join(PEERS)}" in text
