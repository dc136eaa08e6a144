"""The architecture: packages import downwards, and nothing heavy too early."""

import ast
import os
import subprocess
import sys

import pytest

from tests import ROOT

PACKAGES = sorted(path.parent for path in ROOT.glob("tfstyle/*/**/__init__.py"))


def test_imports_go_to_the_same_package_or_one_below():
    # In this process it would configure logging.
    command = os.path.join(os.path.dirname(sys.executable), "lint-imports")
    subprocess.run([command, "--no-logo"], cwd=ROOT, check=True)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_package_says_what_it_is_for_and_imports_nothing(package):
    tree = ast.parse((package / "__init__.py").read_text())
    assert ast.get_docstring(tree)
    assert len(tree.body) == 1


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("tfstyle", "numpy"),
        ("tfstyle.main", "numpy"),
        ("tfstyle.flags.command_line", "numpy"),
        ("tfstyle.experiment.run", "tensorflow"),
        ("tfstyle.batch.batch", "tensorflow"),
        ("tfstyle.image_files.reading", "tensorflow"),
        ("tfstyle.network.weights", "tensorflow"),
    ],
)
def test_import_loads_nothing_heavy(module, absent):
    code = f"import sys, {module}; sys.exit({absent!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
