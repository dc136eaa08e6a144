"""The README's commands run as printed; what it names is there."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from tests import ROOT
from tests.processes import make_environment
from tfstyle.config.run_config import RunConfig

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
GALLERY = ROOT / "tools" / "gallery"
PROGRAM = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
REDUCED = {
    "python -m tfstyle.main": "--image_size=96 --num_steps=2",
    "python tools/reproduce_gatys2015.py": "--image_size=32 --num_steps=1",
}
"""What is appended to a command so that it takes seconds; later flags win."""


FIGURES = "python tools/reproduce_gatys2015.py"
TESTS = "pip install -e '.[test]' && pytest"
"""How blocks begin that do not run with the others."""


def reduce(block):
    """Returns a block's lines, unfolded, with what makes them short."""
    lines = block.replace("\\\n", " ").splitlines()
    for number, line in enumerate(lines):
        for command, flags in REDUCED.items():
            if command in line:
                lines[number] += f" {flags}"
    return "\n".join(lines)


def run_block(block, folder, environment, before="true"):
    """Runs a block of shell commands, reduced, in a folder."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{before}\n{reduce(block)}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Returns a copy of what the repository holds."""
    folder = tmp_path_factory.mktemp("readme") / "tfstyle"
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("tfstyle", "configs", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    for name in PROGRAM:
        shutil.copy(ROOT / name, folder)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Returns variables of a virtual environment that has the dependencies."""
    return make_environment(tmp_path_factory.mktemp("venv"))


@pytest.mark.weights
@pytest.mark.slow
def test_bash_blocks_run_as_printed(clone, environment, real_weights):
    blocks = [
        text
        for language, text in BLOCKS
        if language == "bash" and not text.startswith((TESTS, FIGURES))
    ]
    assert len(blocks) == 5
    for block in blocks:
        run_block(block, clone, environment)
    assert (clone / "painted" / "b.png").exists()


@pytest.mark.weights
@pytest.mark.soak
def test_figures_are_made_as_printed(clone, environment, real_weights):
    (block,) = [text for _, text in BLOCKS if text.startswith(FIGURES)]
    run_block(block, clone, environment, "pip install --quiet -e .")
    for figure, number in ((1, 10), (2, 2), (3, 20)):
        folder = clone / "runs" / f"figure{figure}"
        assert len(list((folder / "cells").iterdir())) == number
        table = json.loads((folder / f"figure{figure}.json").read_text())
        assert len(table) == number
        with Image.open(folder / f"figure{figure}.png") as picture:
            picture.verify()


@pytest.mark.weights
@pytest.mark.slow
def test_python_block_runs_as_printed(clone, real_weights):
    (block,) = [t for language, t in BLOCKS if language == "python"]
    small, count = re.subn(r"(image_size|num_steps)=\d+", r"\1=32", block)
    assert count == 2
    subprocess.run([sys.executable, "-c", small], cwd=clone, check=True)
    with Image.open(clone / "painted.png") as picture:
        assert picture.size == (32, 24)


@pytest.mark.parametrize(
    "block", [t for language, t in BLOCKS if language == "console"]
)
def test_console_block_is_a_shell_command(block):
    commands = re.sub(r"^\$ ", "", block, flags=re.MULTILINE)
    subprocess.run(["bash", "-n", "-c", commands], check=True)


def test_blocks_say_what_they_are():
    assert {language for language, _ in BLOCKS} == {"bash", "console", "python"}


def test_links_and_files_are_there():
    targets = re.findall(r"\]\(([^)]+)\)", README)
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {
        "#" + re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in headings
    }
    for target in targets:
        if target.startswith("#"):
            assert target in anchors
        elif not target.startswith("https://"):
            assert (ROOT / target).is_file(), target
    for path in re.findall(r"\b(?:configs|tools|tfstyle)/[\w/.]+\w", README):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(test_\w+\.py)`", README):
        assert len(list(ROOT.glob(f"tests/**/{name}"))) == 1, name


def test_flags_that_are_named_exist():
    ours = re.sub(r"^```console.*?^```$", "", README, flags=re.M | re.S)
    known = set(RunConfig.__dataclass_fields__) | {"flagfile", "help"}
    for path in [*ROOT.glob("tools/*.py"), *ROOT.glob("tfstyle/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        known |= set(re.findall(r'flags\.DEFINE_\w+\(\s*"(\w+)"', text))
    assert set(re.findall(r"--([a-z]\w*)", ours)) <= known


def test_gallery_is_small_used_and_made_by_scripts():
    files = sorted(GALLERY.iterdir())
    assert all(path.stat().st_size < 300_000 for path in files)
    assert sum(path.stat().st_size for path in files) < 2_000_000
    scripts = "".join(
        (ROOT / "tools" / name).read_text(encoding="utf-8")
        for name in ("make_gallery.py", "make_screenshots.py")
    )
    for path in files:
        assert path.suffix == ".jpg"
        assert re.search(rf'"{path.stem}"(: \(|\))', scripts)
        assert f"tools/gallery/{path.name}" in README
