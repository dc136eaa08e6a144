"""The layers of DESIGN: imports go only to a lower layer."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "tfstyle"
LAYERS = (
    {
        "atomic_file",
        "checkpoint",
        "cluster",
        "color",
        "config_checks",
        "filter_means",
        "frame",
        "gram",
        "masks",
        "one_line",
        "optimizers",
        "periodic_actions",
        "preprocessing",
        "progress",
        "provenance",
        "pyramid",
        "recent",
        "runtime",
        "state",
        "vgg19_layers",
        "weight_files",
        "weights",
        "winograd",
        "image_io",
        "image_modes",
        "loss_charts",
        "meeting",
    },
    {"config", "metric_writers", "replicas", "report", "tiles", "vgg"},
    {
        "config_values",
        "features",
        "plan",
        "initial_image",
        "loop",
        "losses",
        "targets",
        "workdir",
    },
    {
        "config_flags",
        "export",
        "image_files",
        "joining",
        "manifest",
        "objective",
    },
    {"finished", "resume", "tiling"},
    {"memory", "replicated_extractor"},
    {"distribution"},
    {"levels"},
    {"stylization"},
    {"job", "peers"},
    {"painting"},
    {"batch"},
    {"main"},
)
# Within the lowest layer, what stands on what.
FOUNDATIONS = {
    "atomic_file",
    "cluster",
    "config_checks",
    "filter_means",
    "frame",
    "image_modes",
    "one_line",
    "periodic_actions",
    "preprocessing",
    "state",
    "vgg19_layers",
    "weight_files",
}
LAYER = {name: i for i, names in enumerate(LAYERS) for name in names}


def imported_modules(path):
    """Returns the modules of tfstyle that a file imports, by short name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "tfstyle" and parts[1] in LAYER:
                found.add(parts[1])
    return found


def test_table_names_every_module():
    modules = {
        path.stem if path.suffix else path.name
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    assert modules - {"__init__"} == set(LAYER)


@pytest.mark.parametrize("name", LAYER)
def test_imports_go_to_a_lower_layer(name):
    path = PACKAGE / name
    files = path.glob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    for file in files:
        for other in imported_modules(file) - {name}:
            is_lower = LAYER[other] < LAYER[name]
            is_foundation = LAYER[name] == 0 and other in FOUNDATIONS
            assert is_lower or is_foundation, f"{file.name} imports {other}"


@pytest.mark.parametrize(
    "name",
    [
        "vgg19_layers",
        "config",
        "config_checks",
        "config_flags",
        "config_values",
        "main",
        "__init__",
    ],
)
def test_start_of_the_program_imports_nothing_heavy(name):
    tree = ast.parse((PACKAGE / f"{name}.py").read_text())
    heavy = {"keras", "numpy", "PIL", "tensorflow"}
    for node in tree.body:
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {node.module.split(".")[0]}
        else:
            continue
        assert not names & heavy
