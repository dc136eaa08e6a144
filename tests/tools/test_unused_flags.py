"""Tools refuse flags and arguments that they would ignore."""

import json
import subprocess
import sys

import pytest
from absl import flags

from tests import ROOT
from tools import unused_flags

SCENE, STROKES = (f"tfstyle/samples/{n}.jpg" for n in ("scene", "strokes"))


def parse(*arguments):
    """Returns parsed flags of several kinds."""
    values = flags.FlagValues()
    flags.DEFINE_string("folder", None, "", flag_values=values)
    flags.DEFINE_integer("size", 256, "", flag_values=values)
    flags.DEFINE_list("names", ["a", "b"], "", flag_values=values)
    flags.DEFINE_bool("film", True, "", flag_values=values)
    values(["tool", *arguments])
    return values


UNUSED = dict.fromkeys(("folder", "size", "names", "film"), "Leave it out.")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--folder=", "--names=", "--film"),
        ("--size=256", "--names=a,b", "--film=true"),
    ],
)
def test_defaults_and_nothing_are_let_through(arguments):
    unused_flags.refuse_flags(UNUSED, parse(*arguments))


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("--folder=x", "folder"),
        ("--size=0", "size"),
        ("--names=a", "names"),
        ("--nofilm", "film"),
    ],
)
def test_unused_flag_is_told_in_a_line_with_the_remedy(argument, name, capsys):
    values = parse(argument)
    others = {n: "" for n in UNUSED if n != name}
    unused_flags.refuse_flags(others, values)
    with pytest.raises(SystemExit) as caught:
        unused_flags.refuse_flags(UNUSED, values)
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        f"error: `{name}` is not used here. Received: {argument!r}. Leave it"
        " out.\n"
    )


def run(tool, *arguments):
    """Returns the status of a tool and its last line on stderr."""
    done = subprocess.run(
        [sys.executable, f"tools/{tool}.py", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "tool", ["list_messages", "make_samples", "measure_scaling", "serving_rest"]
)
def test_tool_without_arguments_refuses_them(tool):
    status, said = run(tool, "picture.jpg")
    assert status == 2
    assert said.startswith("error: This tool takes no such arguments.")
    assert "'picture.jpg'" in said


@pytest.mark.parametrize(
    ("tool", "arguments", "name"),
    [
        ("measure_scaling", ["--expect", "--rounds=2"], "rounds"),
        ("measure_scaling", ["--bandwidth=9"], "bandwidth"),
        ("check_gpu", ["--folder=x"], "folder"),
        ("benchmark", ["--winograd_table", "--pairs=1"], "pairs"),
        ("benchmark", ["--winograd_table", "--against=pastiche"], "against"),
        ("benchmark", ["--venvs=x"], "venvs"),
        (
            "benchmark",
            ["--against=pastiche", "--style_transfer_pytorch=x"],
            "style_transfer_pytorch",
        ),
        (
            "benchmark",
            ["--against=pastiche", "--picture_pairs=0", "--picture_size=99"],
            "picture_size",
        ),
    ],
)
def test_flag_of_another_use_of_a_tool_is_refused(tool, arguments, name):
    status, said = run(tool, *arguments)
    assert status == 2
    assert said.startswith(f"error: `{name}` is not used here.")


@pytest.mark.parametrize(
    ("figure", "argument"),
    [
        (1, "--workdir=x"),
        (2, "--manifest=x.csv"),
        (2, "--content_image=x.jpg"),
        (2, "--style_masks=x.png"),
        (2, "--film=x.mp4"),
        (1, "--content_layers=conv1_1"),
        (1, "--style_layers=conv1_1"),
        (3, "--style_layers=conv1_1"),
        (3, "--content_weight=1"),
    ],
)
def test_figure_refuses_what_it_sets_itself(figure, argument, tmp_path):
    status, said = run(
        "reproduce_gatys2015",
        *(f"--figure={figure}", f"--content={SCENE}", f"--styles={STROKES}"),
        *(f"--output={tmp_path / 'figure'}", argument),
    )
    name = argument[2:].partition("=")[0]
    assert status == 2
    assert said.startswith(f"error: `{name}` is not used here.")
    assert not (tmp_path / "figure").exists()


@pytest.mark.parametrize("figure", [1, 3])
def test_figure_of_one_style_refuses_two(figure, tmp_path):
    status, said = run(
        "reproduce_gatys2015",
        *(f"--figure={figure}", f"--content={SCENE}"),
        *(f"--styles={STROKES},{SCENE}", f"--output={tmp_path / 'figure'}"),
    )
    assert status == 2
    assert said.startswith("error: `styles` must be one file")
    assert not (tmp_path / "figure").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("--workdir=x", "`workdir` is not used here."),
        ("--style_masks=x.png", "`style_masks` is not used here."),
        ("--pooling=max", "`pooling` is not used here."),
        ("--num_steps=9", "`num_steps` is not used here."),
        (f"--init={SCENE}", "`init` must be one of"),
    ],
)
def test_comparison_of_poolings_refuses_what_it_does_not_use(
    argument, text, tmp_path
):
    status, said = run(
        "compare_poolings",
        *(f"--content_image={SCENE}", f"--style_images={STROKES}"),
        *(f"--output={tmp_path / 'found'}", "--weights=random", argument),
    )
    assert status == 2
    assert said.startswith(f"error: {text}")
    assert not (tmp_path / "found").exists()


@pytest.mark.slow
def test_pictures_of_sub_folders_are_not_cut(tmp_path):
    (tmp_path / "style").mkdir()
    status, said = run(
        "style_retrieval",
        *("--model=x", f"--images={tmp_path}", "--output=x", "--crops=3"),
    )
    assert status == 2
    assert said.startswith("error: `crops` is not used here.")


@pytest.mark.slow
def test_kept_curves_are_of_the_same_content_and_as_long(tmp_path):
    lines = [
        {"content": "a", "evaluations": 50, "run": ["short"], "totals": [1]},
        {"content": "a", "evaluations": 200, "run": ["long"], "totals": [2]},
        {"content": "b", "evaluations": 200, "run": ["other"], "totals": [3]},
        {"run": ["older"], "totals": [4]},
    ]
    path = tmp_path / "runs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = ["", "--content=a", "--evaluations=100", "--styles=c", "--output=d"]
    code = (
        "import sys; sys.path.insert(0, 'tools'); import compare_optimizers"
        f" as tool; tool.flags.FLAGS({given});"
        f" print(tool._read_curves({str(path)!r}))"
    )
    found = subprocess.check_output(
        [sys.executable, "-c", code], cwd=ROOT, text=True
    )
    assert found == "{('long',): [2]}\n"
