"""Jobs of a real Slurm, with two nodes on this machine."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests import ROOT
from tests.processes import PATIENCE
from tfstyle.image_files.reading import read_text

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
PROGRAMS = (
    *("slurmctld", "slurmd", "munged", "ip", "unshare", "nsenter"),
    *("mpirun.mpich", "mpirun.openmpi"),
)
MANIFEST = "--weights=random --image_size=64 --num_steps=3"
PICTURE = "--flagfile=configs/smoke.cfg --num_steps=3"
TELL_PART = """
from tfstyle.distributed.environment import find_shard

part = find_shard()
print(f"{part.index} of {part.size}")
"""
JOBS = r"""
set -euo pipefail
cd "$ROOT"
submit() {  # NAME SBATCH-ARGUMENTS... -- FLAGS...: notes the job's number
    local name=$1 options=()
    shift
    while [[ $1 != -- ]]; do options+=("$1"); shift; done
    shift
    sbatch --parsable --output="$RESULTS/$name-%a.log" --cpus-per-task=1 \
        --gpus-per-task=0 "${options[@]}" tools/cluster/slurm.sh "$@" \
        > "$RESULTS/$name.job"
}
finish() {  # NAME: waits for a job's end and notes its states
    local said
    while said=$(scontrol -o show job "$(< "$RESULTS/$1.job")"); do
        grep -qE 'JobState=(PENDING|CONFIGURING|RUNNING|COMPLETING)' \
            <<< "$said" || break
        sleep 0.3
    done
    grep -oE 'JobState=\w+' <<< "$said" > "$RESULTS/$1.state"
}

# mpirun starts its own processes by srun, whose variables they inherit.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
start_by_mpi() {  # NAME TASKS-OF-A-NODE MPIRUN...
    sbatch --parsable --output="$RESULTS/$1-0.log" --nodes=2 \
        --ntasks-per-node="$2" --wrap "${*:3} $PYTHON $RESULTS/tell_part.py" \
        > "$RESULTS/$1.job"
}
start_by_mpi openmpi 2 mpirun.openmpi
start_by_mpi mpich 2 mpirun.mpich
start_by_mpi mpich_more 1 mpirun.mpich -n 4
start_by_mpi mpich_nodes 1 mpirun.mpich
for name in openmpi mpich mpich_more mpich_nodes; do finish $name; done

# One picture over two nodes and, at the same time, one over two tasks of n1.
submit nodes --nodes=2 --ntasks-per-node=1 -- $PICTURE \
    --workdir="$RESULTS/nodes"
submit node --nodelist=n1 --ntasks-per-node=2 -- $PICTURE \
    --workdir="$RESULTS/node"
for name in nodes node; do finish $name; done

# A run that is ended by its time limit, and requeued. The limit is set when
# there is something to end.
submit limit --nodes=1 --ntasks-per-node=1 --time=10 --signal=TERM@30 -- \
    $PICTURE --num_steps=1000000 --workdir="$RESULTS/limit"

# The lines of a manifest, one of them bad, by an array and by two tasks.
submit array --array=0-1 --ntasks-per-node=1 -- $MANIFEST \
    --manifest="$RESULTS/jobs.jsonl" --workdir="$RESULTS/array"
finish array
until grep -q "step" "$RESULTS"/limit-*.log; do sleep 0.3; done
scontrol update jobid="$(< "$RESULTS/limit.job")" timelimit=1
submit tasks --ntasks-per-node=2 -- $MANIFEST \
    --manifest="$RESULTS/more.jsonl" --workdir="$RESULTS/tasks"
finish tasks

finish limit
scontrol requeue "$(< "$RESULTS/limit.job")"
sleep 0.5
scontrol update jobid="$(< "$RESULTS/limit.job")" starttime=now timelimit=5
until grep -q "Resumed at step" "$RESULTS"/limit-*.log; do sleep 0.3; done
scancel "$(< "$RESULTS/limit.job")"
finish limit
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs all jobs; returns the folder of their logs and pictures."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing or os.geteuid():
        text = f"root and {', '.join(missing) or 'nothing else'} are needed"
        if os.environ.get("CI"):
            raise RuntimeError(text)
        pytest.skip(text)
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("jobs", "more"):
        lines = [
            {
                "content_image": f"tfstyle/samples/{content}.jpg",
                "style_images": ["tfstyle/samples/strokes.jpg"],
                "output_image": str(folder / name / f"{number}.png"),
            }
            for number, content in enumerate(["missing", *["scene"] * 3])
        ]
        text = "\n".join(map(json.dumps, lines))
        (folder / f"{name}.jsonl").write_text(text)
    (folder / "tell_part.py").write_text(TELL_PART)
    sandbox = ROOT / "tests" / "distributed" / "slurm_sandbox.sh"
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", sandbox, folder / "slurm", "bash", "-c", JOBS],
        env=os.environ
        | {
            "RESULTS": str(folder),
            "ROOT": str(ROOT),
            "PICTURE": PICTURE,
            "MANIFEST": MANIFEST,
            "PATH": path,
            "PYTHON": sys.executable,
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    logs = [path.read_text() for path in sorted(folder.glob("*.log"))]
    assert done.returncode == 0, "\n".join([done.stdout, done.stderr, *logs])
    return folder


def read_log(folder, name):
    return "".join(path.read_text() for path in folder.glob(f"{name}-*.log"))


@pytest.mark.parametrize(
    ("job", "size"),
    [("openmpi", 4), ("mpich", 4), ("mpich_more", 4), ("mpich_nodes", 2)],
)
def test_processes_of_mpirun_take_a_part_each(folder, job, size):
    parts = re.findall(r"\d of \d", read_log(folder, job))
    assert sorted(parts) == [f"{index} of {size}" for index in range(size)]


@pytest.mark.parametrize("job", ["nodes", "node"])
def test_jobs_that_share_a_node_paint_a_picture_each(folder, job):
    log = read_log(folder, job)
    assert (folder / f"{job}.state").read_text() == "JobState=COMPLETED\n", log
    assert "2 replicas in 2 processes" in log
    assert read_text(str(folder / job / "output.png"))


@pytest.mark.parametrize(
    ("job", "name"), [("array", "jobs"), ("tasks", "more")]
)
def test_bad_line_of_a_manifest_costs_no_other(folder, job, name):
    """Each has two lines, and process 0 the bad one, which it alone tells."""
    log = read_log(folder, job)
    assert log.count("2 of them belong to this process") == 2
    assert len(re.findall(r"\b1 failed\b", log)) == 1
    counts = re.findall(r"\b(\d+) done\b", log)
    assert sum(map(int, counts)) == 3
    pictures = sorted(os.listdir(folder / name))
    assert pictures == ["1.png", "2.png", "3.png"]
    assert "FAILED" in (folder / f"{job}.state").read_text()


def test_time_limit_leaves_a_picture_and_a_requeued_job_goes_on(folder):
    log = read_log(folder, "limit")
    resumed = re.search(r"Resumed at step (\d+)\n", log)
    # The stopped run's last lines may miss: srun waits only so long for them.
    steps = re.findall(r"step (\d+)/", log[: resumed.start()])
    assert int(resumed[1]) >= max(map(int, steps)) > 0
    assert read_text(str(folder / "limit" / "output.png"))
