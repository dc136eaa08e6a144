"""Tools refuse flags and arguments that they would ignore."""

import json
import subprocess
import sys

import pytest
from absl import flags

from tests import ROOT
from tests.processes import run_tool
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


def figure(number, *flags, styles=STROKES):
    return (
        *("reproduce_gatys2015", f"--figure={number}", "--output=OUTPUT"),
        *(f"--content={SCENE}", f"--styles={styles}", *flags),
    )


def poolings(flag):
    return (
        *("compare_poolings", f"--content_image={SCENE}", "--output=OUTPUT"),
        *(f"--style_images={STROKES}", "--weights=random", flag),
    )


PEER = "--against=pastiche"


@pytest.mark.parametrize(
    ("command", "text"),
    [
        *(
            ((tool, "picture.jpg"), "This tool takes no such arguments.")
            for tool in (
                *("list_messages", "make_samples"),
                *("measure_scaling", "serving_rest"),
            )
        ),
        (("measure_scaling", "--expect", "--rounds=2"), "`rounds`"),
        (("measure_scaling", "--bandwidth=9"), "`bandwidth`"),
        (("check_gpu", "--folder=x"), "`folder`"),
        (("benchmark", "--winograd_table", "--pairs=1"), "`pairs`"),
        (("benchmark", "--winograd_table", PEER), "`against`"),
        (("benchmark", "--venvs=x"), "`venvs`"),
        (
            ("benchmark", PEER, "--style_transfer_pytorch=x"),
            "`style_transfer_pytorch`",
        ),
        (
            ("benchmark", PEER, "--picture_pairs=0", "--picture_size=99"),
            "`picture_size`",
        ),
        (figure(1, "--workdir=x"), "`workdir`"),
        (figure(2, "--manifest=x.csv"), "`manifest`"),
        (figure(2, "--content_image=x.jpg"), "`content_image`"),
        (figure(2, "--style_masks=x.png"), "`style_masks`"),
        (figure(2, "--film=x.mp4"), "`film`"),
        (figure(1, "--content_layers=conv1_1"), "`content_layers`"),
        (figure(1, "--style_layers=conv1_1"), "`style_layers`"),
        (figure(3, "--style_layers=conv1_1"), "`style_layers`"),
        (figure(3, "--content_weight=1"), "`content_weight`"),
        *(
            (figure(n, styles=f"{STROKES},{SCENE}"), "`styles` must be one")
            for n in (1, 3)
        ),
        *(
            pytest.param(command, text, marks=pytest.mark.slow)
            for command, text in (
                (poolings("--workdir=x"), "`workdir`"),
                (poolings("--style_masks=x.png"), "`style_masks`"),
                (poolings("--pooling=max"), "`pooling`"),
                (poolings("--num_steps=9"), "`num_steps`"),
                (poolings(f"--init={SCENE}"), "`init` must be one of"),
                (
                    (
                        *("style_retrieval", "--model=x", "--images=IMAGES"),
                        *("--output=OUTPUT", "--crops=3"),
                    ),
                    "`crops`",
                ),
            )
        ),
    ],
)
def test_tool_refuses_what_it_would_ignore(command, text, tmp_path):
    (tmp_path / "images" / "style").mkdir(parents=True)
    output = tmp_path / "output"
    tool, *arguments = (
        word.replace("OUTPUT", str(output)).replace(
            "IMAGES", str(tmp_path / "images")
        )
        for word in command
    )
    done = run_tool(tool, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    line = done.stderr.splitlines()[-1]
    if text.endswith("`"):
        text += " is not used here."
    assert line.startswith(f"error: {text}")
    assert arguments[-1] in line or "must" in text
    assert "Traceback" not in done.stderr
    assert not output.exists()


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
