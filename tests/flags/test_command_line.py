"""The command line: flags and fields one to one, and what ends the program."""

import dataclasses
import os
import re
import subprocess
import sys

import pytest

import tfstyle
from tests import ROOT
from tests.processes import PATIENCE
from tfstyle.config.run_config import RunConfig
from tfstyle.flags import command_line
from tfstyle.flags import flagfile
from tfstyle.flags.parsers import make_flags
from tfstyle.flags.sources import read_picture

FIELDS = dataclasses.fields(RunConfig)


def parse(*arguments):
    return command_line.parse(["tfstyle", *arguments], make_flags())


@pytest.fixture
def refusal(capsys):
    """Returns a function that gives the one line which ended the program."""

    def refusal(*arguments):
        with pytest.raises(SystemExit) as end:
            parse(*arguments)
        assert end.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert re.fullmatch(r"error: [^\n]+\n", err)
        assert err[:-1].isprintable()
        return err.removeprefix("error: ").removesuffix("\n")

    return refusal


# Flags and fields.


def test_flags_and_fields_are_one_to_one():
    values = make_flags()
    others = {"flagfile", "flags_from", "preset", "print_flags"}
    assert {*values} - others - {*flagfile.RETIRED} == {f.name for f in FIELDS}
    for field in FIELDS:
        assert values[field.name].default == field.default
        assert values[field.name].help == field.metadata["help"]


def test_parse_returns_defaults_without_flags():
    assert parse() == RunConfig()


def test_parse_reads_every_kind_of_flag():
    assert parse(
        "--content_image=a=b.jpg",
        '--style_images="one, two.jpg",three.jpg',
        "--style_blend_weights=1,2.5",
        "--style_layers=conv1_1,relu2_1",
        "--content_weight=1e-4",
        "--num_steps=7",
        "--time_limit=1.5",
        "--overwrite",
        "--optimizer",
        "adam",
    ) == RunConfig(
        content_image="a=b.jpg",
        style_images=["one, two.jpg", "three.jpg"],
        style_blend_weights=[1.0, 2.5],
        style_layers=["conv1_1", "conv2_1"],
        content_weight=1e-4,
        num_steps=(7,),
        time_limit=1.5,
        overwrite=True,
        optimizer="adam",
    )
    assert parse("--overwrite=true", "--nooverwrite") == RunConfig()


@pytest.mark.parametrize("name", ["red, blue.jpg", "red,blue.jpg"])
def test_file_with_a_comma_in_its_name_is_one(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    assert parse(f"--style_images={name}").style_images == (name,)
    styles = parse("--style_images=red,green.jpg").style_images
    assert styles == ("red", "green.jpg")


# Flagfiles, presets and pictures.


@pytest.mark.parametrize(
    ("arguments", "num_steps"),
    [
        (["--flagfile=run.cfg", "--num_steps=7"], 7),
        (["--num_steps=7", "--flagfile=run.cfg"], 6),
        (["--num_steps=7", "--flagfile", "run.cfg"], 6),
        (["--preset=smoke", "--num_steps=7"], 7),
        (["--num_steps=7", "--preset", "smoke"], 5),
        (["--flags_from=a.png", "--num_steps=7"], 7),
        (["--num_steps=7", "--flags_from", "a.png"], 4),
        (["--flagfile=outer.cfg"], 6),
    ],
)
def test_later_flag_or_source_wins(arguments, num_steps, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("a.jpg", "ü, é.jpg"):
        (tmp_path / name).touch()
    # Nested names are relative to the current folder, not to the file.
    (tmp_path / "folder" / "base.cfg").write_text(
        '--num_steps=5\n--style_images="ü, é.jpg"\n', encoding="utf-8"
    )
    (tmp_path / "run.cfg").write_text(
        "# 500 in the paper\n\n--flagfile=folder/base.cfg\n--num_steps=6\n"
    )
    (tmp_path / "outer.cfg").write_text(
        "--num_steps=8\n--flags_from=a.png\n--flagfile=run.cfg\n"
    )
    lines = ["--num_steps=4", "--style_images=a.jpg"]
    write_picture("a.png", flagfile.make_text(lines, {}))
    config = parse(*arguments)
    assert config.num_steps == (num_steps,)
    if "cfg" in "".join(arguments):
        assert config.style_images == ("ü, é.jpg",)


CONFIGS = sorted(ROOT.glob("configs/**/*.cfg"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_preset_is_the_flagfile_of_its_name(path, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    expected = parse(f"--flagfile={path.relative_to(ROOT)}")
    assert expected == parse(*expected.to_flags())
    monkeypatch.chdir(tmp_path)
    config = parse(f"--preset={path.stem}")
    for field in FIELDS:
        value = getattr(config, field.name)
        for image in value if isinstance(value, tuple) else (value,):
            if "samples" in str(image):
                assert os.path.isfile(image)
                break
        else:
            assert value == getattr(expected, field.name)


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ('--content_image="a b.jpg"', {"content_image": "a b.jpg"}),
        ("--content_image='a b.jpg'", {"content_image": "a b.jpg"}),
        ('--content_image="a #1.jpg"  # one', {"content_image": "a #1.jpg"}),
        ("--content_image=a#1.jpg", {"content_image": "a#1.jpg"}),
        ("--content_image=#1.jpg", {"content_image": "#1.jpg"}),
        ("--content_image a b.jpg", {"content_image": "a b.jpg"}),
        ("--num_steps=100  # quick look", {"num_steps": (100,)}),
        ("  --num_steps = 100\t", {"num_steps": (100,)}),
        ("  # indented comment", {}),
        ("// another", {}),
        (
            '--style_images="a, b.jpg",c.jpg # two',
            {"style_images": ("a, b.jpg", "c.jpg")},
        ),
        ("--style_images='a.jpg,b.jpg'", {"style_images": ("a.jpg", "b.jpg")}),
        ("--overwrite true  # always", {"overwrite": True}),
        ("--overwrite  # always", {"overwrite": True}),
        ("--nooverwrite  # never", {}),
        ("--averaging=0.0", {}),  # of a former release
        ("--recompute=false", {}),
    ],
)
def test_parse_reads_a_line_as_people_write_it(line, changes, tmp_path):
    path = tmp_path / "run.cfg"
    path.write_text(f"{line}\n--seed=3", encoding="utf-8")
    assert parse(f"--flagfile={path}") == RunConfig(seed=3, **changes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_parse_reads_flagfiles_of_every_editor(encoding, end, tmp_path):
    path = tmp_path / "run.cfg"
    text = end.join(["# M\u00fcnchen", "--content_image=M\u00fcnchen.jpg", ""])
    path.write_bytes(text.encode(encoding))
    assert parse(f"--flagfile={path}").content_image == "M\u00fcnchen.jpg"


def test_home_folder_and_addresses_of_this_machine_are_paths(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "run.cfg").write_text("--content_image=~/a.jpg\n")
    config = parse(
        "--flagfile=~/run.cfg",
        "--workdir=~/out",
        "--style_images=~/b.jpg,file:///c%20d.jpg",
    )
    assert config.content_image == f"{tmp_path}/a.jpg"
    assert config.workdir == f"{tmp_path}/out"
    assert config.style_images == (f"{tmp_path}/b.jpg", "/c d.jpg")


def test_picture_flags_are_data(tmp_path):
    """Only fields that decide pixels are taken from a picture."""
    lines = [
        *("--seed=7", "--output_image=/elsewhere.png", "--workdir=/elsewhere"),
        *("--overwrite=true", "--flagfile=/elsewhere.cfg", "--verbosity=3"),
        *("--flags_from=other.png", "seed=8", "--image_size"),
        "--style_images=a b.jpg",
    ]
    text = flagfile.make_text(lines, {"fact": "--seed=9"})
    path = str(tmp_path / "picture.png")
    write_picture(path, text)
    *older, seed, styles = read_picture(path)
    assert (seed, styles) == ("--seed=7", "--style_images=a b.jpg")
    assert older == [
        *("--chroma_weight=0.0", "--loss_scale=absolute", "--padding=zero"),
        *("--pooling=average", "--precision=float32", "--preconditioner=none"),
        "--style_figures=all",
    ]


def test_a_picture_that_says_its_flags_gets_none_of_older_ones(tmp_path):
    lines = RunConfig().resolved().to_flags(only_pixels=True)
    path = str(tmp_path / "picture.png")
    write_picture(path, flagfile.make_text(lines, {}))
    assert read_picture(path) == lines


def test_files_of_a_picture_are_here_or_beside_it(
    tmp_path, monkeypatch, refusal, capsys
):
    monkeypatch.chdir(tmp_path)
    lines = ["--content_image=a.jpg", "--style_images=b.jpg", "--init=noise"]
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    write_picture("one/out.png", flagfile.make_text(lines, {}))
    for name in ("a.jpg", "one/a.jpg", "one/noise", "two/b.jpg"):
        (tmp_path / name).touch()
    line = refusal("--flags_from=one/out.png")
    assert line == (
        "`style_images` 'b.jpg' is neither in the current folder nor beside"
        " 'one/out.png', which stores names without folders. Copy it there, or"
        " add --style_images=PATH."
    )
    other = "--style_images=two/*.jpg"
    assert parse("--flags_from=one/out.png", other).style_images == (
        "two/*.jpg",
    )
    (tmp_path / "one" / "b.jpg").touch()
    config = parse("--flags_from=one/out.png")
    assert config.content_image == "a.jpg"
    assert config.style_images == ("one/b.jpg",)
    assert config.init == "noise"
    with pytest.raises(SystemExit):
        parse("--flags_from=one/out.png", "--print_flags")
    assert "--style_images=b.jpg\n" in capsys.readouterr().out


def write_picture(path, text):
    import numpy as np

    from tfstyle.image_files.writing import write_image

    write_image(path, np.zeros((16, 16, 3), np.uint8), text=text)


# What ends the program.


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_steps", "5.5"),
        ("num_steps", "1,000"),
        ("seed", ""),
        ("content_weight", "1: 2"),
        ("style_images", '"a.jpg'),
        ("style_layer_weights", "1,,2"),
        ("pooling", "min"),
        ("overwrite", "maybe"),
    ],
)
def test_parse_ends_with_one_line_that_names_the_value(name, value, refusal):
    line = refusal(f"--{name}={value}")
    assert line.startswith(f"`{name}` must be ")
    assert line.endswith(f". Received: {name}={value!r}.")


STYLE_TWICE = ["--style_images=a.jpg", "--style_images", "b.jpg"]


@pytest.mark.parametrize(
    ("arguments", "data"),
    [
        (["--num_stepz=5"], ["`num_stepz`", "num_steps?"]),
        (["--size=5"], ["`size`", "image_size?"]),
        (["--\x1b[31m=5"], ["is not a flag. See tfstyle --help."]),
        (["--num_steps=5", "left", "over"], ["'left over'", "begin with --"]),
        (["--style_images=a.jpg,"], ["`style_images`", "empty"]),
        (["--num_steps"], ["--num_steps"]),
        (["--flagfile"], ["--flagfile"]),
        ([f"--max_evaluations={10**400}"], ["`max_evaluations`"]),
        ([f"--{'seed' * 1000}"], ["seedseed", "too long"]),
        (["--style_images", "a.jpg", "b.jpg"], ["'folder/*.jpg'"]),
        (STYLE_TWICE, ["`style_images` is given 2 times"]),
        (["--preset=x"], ["`preset` must be one of export,"]),
        (["--averaging=0.5"], ["`averaging`"]),
    ],
)
def test_parse_ends_with_one_line(arguments, data, refusal):
    line = refusal(*arguments)
    assert len(line) < 500
    for datum in data:
        assert datum in line


def test_empty_list_resets_an_earlier_one_and_numbers_may_be_given_twice():
    assert parse("--style_images=a.jpg", "--style_images=").style_images == ()
    assert parse("--num_steps=5", "--num_steps=6").num_steps == (6,)


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ("num_steps=5", ["'num_steps=5'"]),
        ("--seed=5 --num_steps=3", ["`seed`", "'5 --num_steps=3'"]),
        ("--report --overwrite", ["`report`", "'--overwrite'"]),
        ("--image_size=512px", ["`image_size`"]),
        ('--style_images=["a.jpg","b.jpg"]', ["`style_images`"]),
        ("--num-steps=3", ["num_steps?"]),
        ("--num_steps", ["--num_steps"]),
        (f"--{'seed' * 1000}", ["seedseed"]),
        ("--flagfile=nowhere.cfg", ["'nowhere.cfg'", "No such"]),
        ("--flagfile=run.cfg", ["includes itself"]),
    ],
)
def test_parse_names_the_line_of_a_flagfile(
    line, data, refusal, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.cfg").write_text(f"--seed=1\n{line}\n", encoding="utf-8")
    said = refusal("--flagfile=run.cfg")
    assert said.startswith("`flagfile` 'run.cfg', line 2: ")
    assert len(said) < 500
    for datum in data:
        assert datum in said


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("nowhere.cfg", ["'nowhere.cfg'", "No such"]),
        ("file:///a%00b", [r"'/a\x00b'", "embedded null"]),
        (".", ["'.'", "not a regular file"]),
        ("twice.cfg", ["'twice.cfg'", "`style_images`"]),
        ("picture.cfg", ["'picture.cfg' is not a text file"]),
        ("binary.cfg", ["'binary.cfg' is not a text file"]),
        ("wide.cfg", ["'wide.cfg' is not a text file"]),
    ],
)
def test_parse_names_flagfile_that_cannot_be_read(
    name, data, refusal, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twice.cfg").write_text("\n".join(2 * STYLE_TWICE[:1]))
    (tmp_path / "picture.cfg").write_bytes(b"\x89PNG\r\n\x1a\n\x00\xff")
    (tmp_path / "binary.cfg").write_bytes(b"\x00\x01\x02\x1b")
    (tmp_path / "wide.cfg").write_bytes(b"\xff\xfe\x00")
    line = refusal(f"--flagfile={name}")
    for datum in data:
        assert datum in line


@pytest.mark.parametrize("text", ["", "--seed=7\n"])
def test_picture_of_another_program_is_refused(tmp_path, text, refusal):
    path = str(tmp_path / "picture.png")
    write_picture(path, text)
    line = refusal(f"--flags_from={path}")
    assert line.startswith("`flags_from` ")
    assert repr(path) in line


# Help and version.


VERSION = f"tfstyle {tfstyle.__version__}\n"
SHOWN = dict.fromkeys(
    ["-h", "-help", "--help", "-?", "--helpshort"], command_line.make_help()
) | dict.fromkeys(["-version", "--version"], VERSION)


@pytest.mark.parametrize("flag", SHOWN)
def test_parse_shows_help_and_version(flag, capsys):
    with pytest.raises(SystemExit) as end:
        parse("--num_steps=wrong", flag)
    assert end.value.code == 0
    assert capsys.readouterr() == (SHOWN[flag], "")


def test_make_help_shows_every_field_with_its_default():
    text = command_line.make_help()
    shown = dict(re.findall(r"^  --(\w+)=(\S*)", text, re.MULTILINE))
    for field in FIELDS:
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(map(str, default))
        if isinstance(default, bool):
            default = "true" if default else "false"
        expected = "" if default is None else str(default)
        assert shown.pop(field.name) == expected
        assert field.metadata["help"] in " ".join(text.split())
        assert f"\n{field.metadata['group']}\n" in text
    assert set(shown) == {"flagfile", "flags_from", "preset", "verbosity"}
    assert max(len(line) for line in text.splitlines()) <= 80


# What must not be loaded before the flags are right.

HEAVY = """
import atexit, sys

HEAVY = {"tensorflow", "keras", "numpy", "PIL", "h5py"}
atexit.register(lambda: print("loaded:", *sorted(HEAVY & set(sys.modules))))
"""
RUN = "import tfstyle.main; sys.argv += ['{}']; tfstyle.main.run()"


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("import tfstyle; tfstyle.Config(); dir(tfstyle)", 0, ""),
        ("import tfstyle.flags.command_line", 0, ""),
        ("import tfstyle.main", 0, ""),
        (RUN.format("--help"), 0, ""),
        (RUN.format("--version"), 0, ""),
        (RUN.format("--optimizer=sgd"), 2, "error: `optimizer` .*\n"),
        (RUN.format("--verbosity=loud"), 2, "error: .*verbosity=loud.*\n"),
    ],
)
def test_flags_are_read_before_anything_heavy_is_loaded(code, status, error):
    ended = subprocess.run(
        [sys.executable, "-c", HEAVY + code],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == status, ended.stderr
    assert ended.stdout.endswith("loaded:\n")
    assert re.fullmatch(error, ended.stderr)
