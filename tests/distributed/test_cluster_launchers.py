"""What `tools/cluster` has for Kubernetes, as far as it runs without one.

No container runtime is at hand: the image is not built, but its steps are run.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap

import kubernetes_validate
import pytest
import yaml

from tests import ROOT
from tests.processes import make_environment
from tests.processes import run_tool
from tfstyle.distributed.environment import Cluster
from tfstyle.distributed.environment import find_cluster
from tfstyle.flags.command_line import read_config

FOLDER = ROOT / "tools" / "cluster"


def test_kubernetes_takes_the_manifests():
    text = (FOLDER / "kubernetes.yaml").read_text()
    kinds = []
    for manifest in yaml.safe_load_all(text):
        kubernetes_validate.validate(manifest, "1.30", strict=True)
        kinds.append(manifest["kind"])
    assert kinds == ["Job", "Service", "NetworkPolicy"]


def test_kubernetes_takes_the_pods_of_ray():
    (job,) = yaml.safe_load_all((FOLDER / "ray.yaml").read_text())
    cluster = job["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = {"apiVersion": "v1", "kind": "Pod", **group["template"]}
        pod["metadata"] = {"name": "tfstyle"}
        kubernetes_validate.validate(pod, "1.30", strict=True)
    command = shlex.split(shlex.split(job["spec"]["entrypoint"])[-1])
    flags = [word for word in command if word.startswith("--")]
    config = read_config([*flags, "--weights=random"])
    assert (config.engine, config.manifest) == ("ray", "jobs.csv")


@pytest.mark.slow
def test_image_is_made_of_what_its_steps_need(tmp_path):
    """In a virtual environment that has TensorFlow, as the image has."""
    environment = make_environment(tmp_path / "venv")
    folder = tmp_path / "image"
    folder.mkdir()
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    steps = [line.split(" ", 1) for line in lines if line[:1].isupper()]
    assert [name for name, _ in steps][:2] == ["FROM", "WORKDIR"]
    for name, arguments in steps[2:]:
        if name == "COPY":
            *sources, target = arguments.split()
            for source in sources:
                path = ROOT / source
                if path.is_dir():
                    shutil.copytree(path, folder / target)
                else:
                    shutil.copy(path, folder / target)
        else:
            assert name == "RUN"
            command = ["bash", "-c", arguments]
            subprocess.run(command, cwd=folder, env=environment, check=True)
    installed = tmp_path / "venv" / "lib"
    assert list(installed.glob("*/site-packages/tfstyle/presets/photo.cfg"))
    assert not list(installed.glob("*/site-packages/tensorflow"))


def test_kubernetes_job_tells_every_pod_its_place(tmp_path):
    text = (FOLDER / "kubernetes.yaml").read_text()
    numbers = re.findall(r"(?:completions|parallelism|value): \"?(\d+)", text)
    assert len(numbers) == 3
    assert len(set(numbers)) == 1
    (command,) = re.findall(r"- \|\n((?: {14}.*\n)+)", text)
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/bash\nprintf "%s\\n" "$TF_CONFIG" "$@"', encoding="utf-8"
    )
    python.chmod(0o755)
    for index in range(3):
        done = subprocess.run(
            ["bash", "-c", textwrap.dedent(command)],
            env={
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "WORKERS": "3",
                "JOB_COMPLETION_INDEX": str(index),
            },
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        variable, *arguments = done.stdout.splitlines()
        found = find_cluster(environment={"TF_CONFIG": variable})
        assert found == Cluster(3, index, "TF_CONFIG")
        assert json.loads(variable)["cluster"]["worker"] == [
            f"tfstyle-{number}.tfstyle:2222" for number in range(3)
        ]
        assert arguments[:2] == ["-m", "tfstyle.main"]


@pytest.mark.distributed
def test_local_launcher_gives_the_first_error(tmp_path):
    code = f"""
import json, os, pathlib, sys, time
index = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
os.write(1, b"%d\\n" % index)
ended = pathlib.Path({str(tmp_path / "ended")!r})
if index == 1:
    ended.touch()
while not ended.exists():
    time.sleep(0.1)
time.sleep(2 * (index == 2))
sys.exit([0, 3, 4][index])
"""
    command = (sys.executable, "-c", code)
    done = run_tool("launch_local", "--workers=3", "--", *command)
    assert done.returncode == 3
    assert sorted(done.stdout.split()) == ["0", "1", "2"]


def test_local_launcher_needs_a_command():
    done = run_tool("launch_local", "--workers=2")
    assert done.returncode == 2
    assert done.stderr == "error: Give the command after --.\n"
