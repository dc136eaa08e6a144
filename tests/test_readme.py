"""The commands in README.md, CONTRIBUTING.md and docs/ run as printed.

And the files, links, flags and modules that these pages name exist.
"""

import configparser
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from tests import ROOT
from tests.processes import PATIENCE
from tests.processes import make_environment
from tfstyle.config.run_config import RunConfig

PATHS = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
)
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in PATHS
}
"""The text of every page, by its path in the repository."""
BLOCKS = [
    block
    for text in PAGES.values()
    for block in re.findall(r"^```([\w ]*)\n(.*?)^```$", text, re.M | re.S)
]
"""Language and text of every block of code, in the order of PAGES.

A second word beside the language names a recipe of `tools/test_exports.sh`,
which runs elsewhere.
"""
MAX_LINES = 150
"""Lines of the README."""
GALLERY = ROOT / "tools" / "gallery"
PROGRAM = ("setup.cfg", "pyproject.toml", "README.md", "LICENSE")
REDUCED = {
    "python -m tfstyle.main": "--image_size=96 --num_steps=2",
    "tfstyle --": "--image_size=96 --num_steps=2",
    "python tools/reproduce_gatys2015.py": "--image_size=32 --num_steps=1",
}
"""What is appended to a command so that it takes seconds; later flags win."""

QUICKSTART = "pip install -e . && tfstyle --preset=quickstart"
FIGURES = "python tools/reproduce_gatys2015.py"
TESTS = "pip install -e '.[test]' && pytest"
"""How blocks begin that do not run with the others."""
BY_TENSORFLOW = {"absl-py", "h5py", "keras", "numpy", "requests", "rich"}
"""What tensorflow, or Keras, depends on as well."""


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
        timeout=PATIENCE,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}"


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Returns a copy of what the repository holds."""
    folder = tmp_path_factory.mktemp("readme") / "tfstyle"
    unwanted = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("tfstyle", "configs", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    for name in (*PROGRAM, ".gitignore"):
        shutil.copy(ROOT / name, folder)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    return folder


def find_untracked(folder):
    """Returns the files in a clone that git neither has nor ignores."""
    command = ["git", "ls-files", "--others", "--exclude-standard"]
    return subprocess.check_output(command, cwd=folder, text=True).splitlines()


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
    assert len(blocks) == 6
    for block in blocks:
        run_block(block, clone, environment)
    assert (clone / "runs" / "painted" / "b.png").exists()
    assert find_untracked(clone) == []


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
def test_python_blocks_run_as_printed(clone, real_weights):
    blocks = [text for language, text in BLOCKS if language == "python"]
    assert len(blocks) == 6
    small = re.sub(r"(image_size|num_steps)=\d+", r"\1=32", "\n".join(blocks))
    assert small.count("image_size=32, num_steps=32") == 4
    # One process for all: a later block uses what an earlier one made.
    variables = os.environ | {"RAY_ADDRESS": "local"}  # not that of a test
    subprocess.run(
        [sys.executable, "-c", small], cwd=clone, env=variables, check=True
    )
    with Image.open(clone / "runs" / "painted.png") as picture:
        assert picture.size == (32, 24)
    assert find_untracked(clone) == []


@pytest.mark.parametrize(
    "block", [t for language, t in BLOCKS if language == "console"]
)
def test_console_block_is_a_shell_command(block):
    commands = re.sub(r"^\$ ", "", block, flags=re.MULTILINE)
    subprocess.run(["bash", "-n", "-c", commands], check=True)


def test_blocks_say_what_they_are():
    script = (ROOT / "tools" / "test_exports.sh").read_text(encoding="utf-8")
    (names,) = re.findall(r"^recipes=\((.*)\)$", script, re.M)
    # Input and code of TensorFlow, the oldest too, are shared by recipes.
    recipes = {*names.split(), "input", "tensorflow"} - {"oldest"}
    found = {language for language, _ in BLOCKS}
    assert {"bash", "console", "python"} <= found
    named = [language.split() for language in found if " " in language]
    assert {language for language, _ in named} == {"bash", "python"}
    assert {recipe for _, recipe in named} == recipes


@pytest.mark.parametrize(
    ("language", "block"), [(n, text) for n, text in BLOCKS if " " in n]
)
def test_recipe_is_valid_code(language, block):
    if language.startswith("python"):
        compile(block, language, "exec")
    else:
        subprocess.run(["bash", "-n", "-c", block], check=True)


def strip_code(text):
    """Returns a page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def find_anchors(text):
    """Returns the anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", strip_code(text), re.M)
    return {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", strip_code(PAGES[page]))
    for target in targets:
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        linked = (ROOT / page).parent / path if path else ROOT / page
        assert linked.is_file(), target
        if anchor:
            name = linked.resolve().relative_to(ROOT.resolve()).as_posix()
            assert anchor in find_anchors(PAGES[name]), target


def test_every_page_is_linked_from_the_readme():
    for page in PAGES.keys() - {"README.md"}:
        assert f"]({page})" in PAGES["README.md"], page


def test_footnotes_of_the_readme_are_there():
    readme = PAGES["README.md"]
    notes = re.findall(r"^\[\^(\w+)\]:", readme, re.M)
    assert set(notes) == set(re.findall(r"\[\^(\w+)\](?!:)", readme))


def test_readme_has_few_lines():
    assert len(PAGES["README.md"].splitlines()) <= MAX_LINES


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_exist(page):
    text = PAGES[page]
    for path in re.findall(r"\b(?:configs|tools|tfstyle)/[\w/.]+\w", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(test_\w+\.py)`", text):
        assert len(list(ROOT.glob(f"tests/**/{name}"))) == 1, name


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_modules_that_are_named_exist(page):
    names = re.findall(r"`((?:[a-z]\w*/)+(?:\w+\.py)?)`", PAGES[page])
    assert names
    for name in names:
        folders = (ROOT / "tfstyle", ROOT)
        assert any((folder / name).exists() for folder in folders), name


def test_architecture_names_every_package():
    text = PAGES["docs/architecture.md"]
    rows = re.findall(r"^\| `(\w+)/?` \|", text, re.M)
    packages = {path.parent.name for path in ROOT.glob("tfstyle/*/__init__.py")}
    assert set(rows) == packages | {"main", "errors"}


def test_flags_that_are_named_exist():
    known = set(RunConfig.__dataclass_fields__)
    known |= {"preset", "flagfile", "flags_from", "print_flags", "help"}
    for path in [*ROOT.glob("tools/*.py"), *ROOT.glob("tfstyle/**/*.py")]:
        text = path.read_text(encoding="utf-8")
        known |= set(re.findall(r'flags\.DEFINE_\w+\(\s*"(\w+)"', text))
    for page, text in PAGES.items():
        ours = re.sub(
            r"^```(?:console|\w+ \w+)\n.*?^```$", "", text, flags=re.M | re.S
        )
        ours = re.sub(r"`pip install [^`]*`", "", ours)  # flags of pip
        named = set(re.findall(r"--([a-z]\w*)", ours))
        assert named <= known, (page, named - known)


def test_presets_that_are_named_exist():
    for page, text in PAGES.items():
        for name in re.findall(r"--preset=([a-z]\w*)", text):
            path = ROOT / "tfstyle" / "presets" / f"{name}.cfg"
            assert path.is_file(), (page, name)


def test_footnote_names_what_tensorflow_does_not_bring():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    needed = {
        re.split(r"\W*[<>=]", line)[0]
        for line in setup["options"]["install_requires"].split()
    }
    (named,) = re.findall(r"`pip install (pillow [^`]*)`", PAGES["README.md"])
    assert set(named.split()) == needed - BY_TENSORFLOW - {"tensorflow"}


def test_ci_runs_the_readme_s_commands():
    readme = PAGES["README.md"]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in (QUICKSTART, TESTS):
        assert re.search(rf"^{re.escape(command)}$", readme, re.M)
        assert re.search(rf"^{re.escape(command)}( |$)", script, re.M)


def test_gallery_is_small_used_and_made_by_scripts():
    files = sorted(GALLERY.iterdir())
    assert all(path.stat().st_size < 300_000 for path in files)
    assert sum(path.stat().st_size for path in files) < 2_000_000
    scripts = "".join(
        (ROOT / "tools" / name).read_text(encoding="utf-8")
        for name in ("make_gallery.py", "make_screenshots.py")
    )
    pages = "".join(PAGES.values())
    for path in files:
        assert path.suffix == ".jpg"
        assert re.search(rf'"{path.stem}"(: \(|\))', scripts)
        assert f"tools/gallery/{path.name}" in pages
