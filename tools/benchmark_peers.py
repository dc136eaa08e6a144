"""Runs other programs for style transfer beside ours, for `benchmark.py`.

A peer is a Python program that pip installs in a virtual environment of its
own. None of its code is here, only how it is installed and called: PEERS. All
programs run as child processes by turns, `measure_by_turns`, and what was
measured is written as docs/scaling.md's table, `format_markdown`.
"""

import dataclasses
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from tfstyle.errors import TfstyleError

FIND = """
import importlib, importlib.metadata, json, sys
name, module = sys.argv[1:]
importlib.import_module(module)
package = importlib.metadata.distribution(name)
source = f"{name}=={package.version}"
if text := package.read_text("direct_url.json"):
    direct = json.loads(text)
    source = direct["url"]
    if commit := direct.get("vcs_info", {}).get("commit_id"):
        source = f"git+{source}@{commit}"
torch = importlib.metadata.version("torch")
print(json.dumps(
    {"version": package.version, "torch": torch, "source": source}
))
"""
"""Prints what is installed, the source as pip takes it; fails without it."""
PASTICHE_EVALUATION = """
import json, sys, time, torch
from pastiche.pastiche import PasticheArtist
content, style = sys.argv[1:3]
side, num_threads, num_evaluations = map(int, sys.argv[3:])
torch.set_num_threads(num_threads)
artist = PasticheArtist(
    content, [style], pooling="avg", random_init=True, device="cpu",
    size=(side, side), style_size=(side, side),
)
seconds = []
for _ in range(num_evaluations):
    start = time.perf_counter()
    artist.pastiche.grad = None
    loss = artist._calc_loss()
    loss.backward()
    loss.item()
    seconds.append(time.perf_counter() - start)
print(json.dumps(seconds))
"""
# An evaluation is what its optimiser calls, so the optimiser is the stopwatch.
STYLE_TRANSFER_PYTORCH_EVALUATION = """
import json, sys, time, torch
from PIL import Image
from style_transfer import StyleTransfer
content, style = (Image.open(path).convert("RGB") for path in sys.argv[1:3])
side, num_threads, num_evaluations = map(int, sys.argv[3:])
torch.set_num_threads(num_threads)
seconds = []
class Stopwatch(torch.optim.Adam):
    def step(self, evaluate):
        start = time.perf_counter()
        loss = evaluate()
        loss.item()
        seconds.append(time.perf_counter() - start)
        return loss
torch.optim.Adam = Stopwatch
StyleTransfer(devices=["cpu"], pooling="average").stylize(
    content, [style], min_scale=side, end_scale=side, init="uniform",
    initial_iterations=num_evaluations,
)
print(json.dumps(seconds))
"""
LOAD_TORCHVISION_WEIGHTS = """
import torchvision
torchvision.models.vgg19(weights="IMAGENET1K_V1")
"""


class PeerError(TfstyleError):
    """A peer that is unknown, cannot be installed or lacks its weights."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another program.

    Attributes:
        source: what pip installs: a requirement, or an address and a commit.
        requirements: what pip installs with it.
        module: what is imported to see whether it is there.
        evaluation: a script that prints the seconds of every evaluation as
            JSON in its last line. It takes the content and style image, both
            square, their side, the number of threads and of evaluations.
        picture: its command line, for one picture with its defaults on the CPU.
        load_weights: a script that downloads the weights if need be.
        weights_file: the name of the weights, for an error.
    """

    source: str
    requirements: tuple[str, ...]
    module: str
    evaluation: str
    picture: tuple[str, ...]
    load_weights: str | None = None
    weights_file: str | None = None


PEERS = {
    "pastiche": Peer(
        source="pastiche==1.6.0",
        requirements=("torch==2.13.0",),
        module="pastiche.pastiche",
        evaluation=PASTICHE_EVALUATION,
        picture=(
            *("pastiche", "--content={content}", "--styles={style}"),
            *("--output={output}", "--size={size}", "--device=cpu"),
        ),
    ),
    # A torchvision built with CUDA needs a torch built with CUDA, which pip
    # does not check: both versions must come from the same index.
    "style-transfer-pytorch": Peer(
        source=(
            "git+https://github.com/crowsonkb/style-transfer-pytorch"
            "@e7e2c7134e3937be05ff9f5fcc0873fe5ceb6060"
        ),
        requirements=("torch==2.14.1", "torchvision==0.29.1"),
        module="style_transfer",
        evaluation=STYLE_TRANSFER_PYTORCH_EVALUATION,
        picture=(
            *("style_transfer.cli", "{content}", "{style}"),
            *("--output={output}", "--end-scale={size}", "--devices=cpu"),
        ),
        load_weights=LOAD_TORCHVISION_WEIGHTS,
        weights_file="vgg19-dcbb9e9d.pth",
    ),
}
OURS = "tfstyle"
"""The name of our program beside the peers."""
BOUND = "share_of_bound"
"""Of an evaluation: what the rate of matrix products allows, to its time."""


class OtherWork:
    """Measures how busy other programs keep the machine.

    No child of this process may be running when it is made or read.
    """

    def __init__(self):
        self._start = self._read()

    def cores(self) -> float:
        """Returns how many cores others have used since this was made."""
        seconds, now = zip(self._start, self._read(), strict=True)
        return (now[1] - now[0]) / (seconds[1] - seconds[0])

    def _read(self) -> tuple[float, float]:
        """Returns the time and the CPU time of others, seconds."""
        with open("/proc/stat", encoding="utf-8") as file:
            ticks = [int(number) for number in file.readline().split()[1:9]]
        idle = ticks[3] + ticks[4]
        busy = (sum(ticks) - idle) / os.sysconf("SC_CLK_TCK")
        return time.perf_counter(), busy - sum(os.times()[:4])


def say(text: str) -> None:
    """Tells about progress."""
    print(text, file=sys.stderr, flush=True)


def check_names(names: list[str]) -> list[str]:
    """Returns the peers' names, each once.

    Raises:
        PeerError: if one is unknown.
    """
    for name in names:
        if name not in PEERS:
            raise PeerError(
                f"--against takes {' and '.join(PEERS)}, separated by a comma."
                f" Received: {name!r}."
            )
    return list(dict.fromkeys(names))


def install(name: str, venvs: str) -> tuple[list[str], dict[str, str]]:
    """Makes the peer's virtual environment, if need be, and loads its weights.

    Which build of torch is installed, pip's settings decide.

    Args:
        name: of PEERS.
        venvs: a folder, in which the environment is tfstyle-benchmark-NAME.

    Returns:
        The start of a command line that runs Python in it, and a row.

    Raises:
        PeerError: if it cannot be installed or has no weights.
    """
    peer = PEERS[name]
    folder = os.path.abspath(os.path.join(venvs, f"tfstyle-benchmark-{name}"))
    python = [f"{folder}/bin/python", "-I", "-W", "ignore"]
    found, _ = _find(python, name)
    if found.get("source") != peer.source:
        needed = [peer.source, *peer.requirements]
        say(f"Installing {', '.join(needed)} in {folder}")
        pip = [python[0], "-m", "pip", "install", "--no-input"]
        for command in (
            [sys.executable, "-m", "venv", folder],
            [*pip, *needed],
        ):
            _, reason = _call(command)
            if reason:
                raise PeerError(
                    f"{name} cannot be installed in {folder!r}: {reason}."
                    " Check the network, or leave it out of --against."
                )
        found, reason = _find(python, name)
        if reason:
            raise PeerError(
                f"{name} is installed in {folder!r} but does not start:"
                f" {reason}. Delete the folder."
            )
    if peer.load_weights is not None:
        say(f"Loading the weights of {name}")
        _, reason = _call([*python, "-c", peer.load_weights])
        if reason:
            raise PeerError(
                f"{name} has no weights: {reason}. Put {peer.weights_file} in"
                " $TORCH_HOME/hub/checkpoints, or leave the program out of"
                " --against."
            )
    return python, {"peer": name} | found


def _find(python: list[str], name: str) -> tuple[dict[str, str], str]:
    """Returns what is installed, if it is, and why it is not."""
    if not os.path.exists(python[0]):
        return {}, "no such file"
    output, reason = _call([*python, "-c", FIND, name, PEERS[name].module])
    return ({} if reason else json.loads(output)), reason


def _call(command: list[str]) -> tuple[str, str]:
    """Runs a command; returns what it printed and why it failed, one line."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        env=os.environ | {"GIT_TERMINAL_PROMPT": "0"},
    )
    if done.returncode == 0:
        return done.stdout, ""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    # Git and pip tell the cause first, a traceback tells it last.
    causes = [line for line in lines if re.match("fatal: |ERROR: ", line)]
    reason = [*causes[:1], *lines[-1:], f"status {done.returncode}"][0]
    return done.stdout, reason.rstrip(".")


def run_process(
    command: list[str], folder: str | None = None
) -> tuple[str, dict[str, float]]:
    """Runs a process to its end; if it fails, exits with what it told.

    Args:
        command: the program and its arguments.
        folder: where it runs; default: here.

    Returns:
        What it printed, and its seconds and peak memory, MiB.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder
        )
        with process.stdout:
            output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            told = log.read().strip()
            sys.exit(told or f"error: A child got {status=}: {command}")
    return output, {"seconds": seconds, "peak_mib": usage.ru_maxrss / 1024}


def run_evaluations(command: list[str]) -> dict[str, float]:
    """Runs a process that prints the seconds of its evaluations.

    Returns:
        Their median without the first, and the process's peak memory, MiB.
    """
    output, row = run_process(command)
    seconds = json.loads(output.splitlines()[-1])
    return row | {"seconds": statistics.median(seconds[1:])}


def run_picture(
    make_command: Callable[[str], list[str]], *, is_started_there: bool
) -> dict[str, float]:
    """Runs a program that makes one picture.

    Args:
        make_command: takes an empty folder, for `output.png`.
        is_started_there: whether that folder is the working directory, for
            programs that leave more files; otherwise it stays as it is.

    Returns:
        The seconds from its start to its end, and its peak memory, MiB.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = make_command(folder)
        _, row = run_process(command, folder if is_started_there else None)
        if not os.path.exists(f"{folder}/output.png"):
            sys.exit(f"error: There is no picture after {' '.join(command)}")
    return row


def measure_by_turns(
    programs: dict[str, Callable[[], dict[str, float]]], num_rounds: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Runs every program once a round, every second round the last one first.

    Args:
        programs: calls that run a process and return numbers, `seconds` among
            them, by the program's name.
        num_rounds: of them all.

    Returns:
        A row for each program and round, and the medians for each program.
        `ratio` is its seconds to those of the first program in the same round.
    """
    rounds, names = [], list(programs)
    for number in range(1, num_rounds + 1):
        measured = {}
        for name in names if number % 2 else reversed(names):
            say(f"process {number}/{num_rounds}, {name}")
            others = OtherWork()
            row = {"round": number, "program": name} | programs[name]()
            measured[name] = row | {"others_cores": others.cores()}
        first = measured[names[0]]["seconds"]
        rounds += [
            measured[name] | {"ratio": measured[name]["seconds"] / first}
            for name in names
        ]
    medians = []
    for name in names:
        row = median([row for row in rounds if row["program"] == name])
        del row["round"]
        medians.append(row)
    return rounds, medians


def median(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns one row, of the medians of what is a float."""
    return {
        name: statistics.median(row[name] for row in rows)
        if isinstance(value, float)
        else value
        for name, value in rows[0].items()
    }


def format_markdown(result: dict[str, Any]) -> str:
    """Formats docs/scaling.md's table: programs below each other, times beside.

    Our evaluations are those of the rounds in one process, the peers' those of
    processes by turns with ours; `processes` has the ratios.

    Args:
        result: `machine`, `evaluations` and `processes`, and `peers` and
            `pictures` if there are any, as benchmark.py prints them as JSON.
    """
    processes = {row["program"]: row for row in result["processes"]}
    pictures = {row["program"]: row for row in result.get("pictures", [])}
    (process_size,) = {row["image_size"] for row in processes.values()}
    sizes = sorted({row["image_size"] for row in result["evaluations"]})
    if result.get("peers"):
        sizes = sorted({*sizes, process_size})
    heads = ["", *(f"{size} px" for size in sizes)]
    heads.append(f"memory, {process_size} px")
    for size in sorted({row["image_size"] for row in pictures.values()}):
        heads.append(f"picture, {size} px")

    rows = [heads]
    for name, process in processes.items():
        if name in PEERS:
            (peer,) = (row for row in result["peers"] if row["peer"] == name)
            label = f"{name} {peer['version']}"
            times = {process_size: _seconds(process)}
            picture = pictures.get(name)
        else:
            label = f"`--convolution={name}` (of the bound)"
            times = {
                row["image_size"]: f"{_seconds(row)} ({row[BOUND]:.2f})"
                for row in result["evaluations"]
                if row["convolution"] == name
            }
            is_default = result["machine"][0]["default_convolution"] == name
            picture = pictures.get(OURS) if is_default else None
        cells = [label, *(times.get(size, "") for size in sizes)]
        cells.append(f"{process['peak_mib'] * 2**20 / 1e9:.2f} GB")
        if pictures:
            cells.append(_seconds(picture) if picture else "")
        rows.append(cells)
    lines = ["".join(f"| {c} " if c else "| " for c in cells) for cells in rows]
    lines.insert(1, "|---" * len(heads))
    return "\n".join(f"{line}|" for line in lines)


def _seconds(row: dict[str, Any]) -> str:
    seconds = row["seconds"]
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
