"""The command line: flags and fields one to one, and what ends the program."""

import dataclasses
import os
import re
import subprocess
import sys

import pytest
from absl import flags

import tfstyle
from tests import ROOT
from tests.refusals import refuses
from tfstyle.config.run_config import RunConfig
from tfstyle.flags import command_line as config_flags
from tfstyle.flags import flagfile
from tfstyle.flags.arguments import read_picture_flags

FIELDS = dataclasses.fields(RunConfig)
TIMEOUT = 60  # seconds, for processes that need less than one


def make_flag_values():
    flag_values = flags.FlagValues()
    config_flags.define_flags(flag_values)
    return flag_values


def parse(*arguments):
    return config_flags.parse(["tfstyle", *arguments], make_flag_values())


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
        return err.removeprefix("error: ").removesuffix("\n")

    return refusal


def run_main(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "tfstyle.main", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


# Flags and fields.


def test_flags_and_fields_are_one_to_one():
    flag_values = make_flag_values()
    names = [field.name for field in FIELDS]
    assert sorted(flag_values) == sorted(
        [*names, "preset", "flags_from", "print_flags"]
    )
    for field in FIELDS:
        flag = flag_values[field.name]
        default = field.default
        if isinstance(default, tuple):
            default = list(default)
        assert flag.default == default
        assert type(flag.default) is type(default)
        assert flag.help == field.metadata["help"]


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


def test_parse_takes_empty_list_for_none():
    config = parse("--style_images=a.jpg", "--style_images=")
    assert config.style_images == ()


def test_to_config_raises_config_error():
    flag_values = make_flag_values()
    flag_values(["tfstyle", "--seed=-1"])
    with refuses("seed", "seed=-1"):
        config_flags.to_config(flag_values)


# Flagfiles.


def test_parse_lets_later_flag_or_flagfile_win(tmp_path):
    path = tmp_path / "run.cfg"
    path.write_text("# 500 in the paper\n\n--num_steps=5\n--seed=6\n")
    config = parse(f"--flagfile={path}", "--num_steps=7")
    assert (config.num_steps, config.seed) == ((7,), 6)
    assert parse("--num_steps=7", f"--flagfile={path}").num_steps == (5,)


def test_parse_reads_nested_flagfile(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "base.cfg").write_text(
        '--num_steps=5\n--seed=6\n--style_images="ü, é.jpg"\n',
        encoding="utf-8",
    )
    # Nested names are relative to the current folder, not to the file.
    (tmp_path / "configs" / "run.cfg").write_text(
        "--seed=1\n--flagfile=configs/base.cfg\n--num_steps=7\n"
    )
    config = parse("--flagfile=configs/run.cfg")
    assert (config.num_steps, config.seed) == ((7,), 6)
    assert config.style_images == ("ü, é.jpg",)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("configs/**/*.cfg")), ids=lambda path: path.name
)
def test_parse_reads_every_config(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = parse(f"--flagfile={path.relative_to(ROOT)}")
    assert config == parse(*config.to_flags())
    for line in path.read_text(encoding="utf-8").splitlines():
        assert line == "" or line.startswith(("#", "--"))


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


@pytest.mark.parametrize(
    ("arguments", "start", "datum"),
    [
        (["--num_stepz=5"], "Unknown ", "num_steps"),
        (["--num_steps=5", "left", "over"], "Flags ", "'left over'"),
        (["--style_images=a.jpg,"], "`style_images` ", "empty"),
        (["--num_steps"], "`num_steps` ", "--num_steps=..."),
        (["--flagfile"], "`flagfile` ", "--flagfile=..."),
        ([f"--max_evaluations={10**400}"], "`max_evaluations` ", ""),
    ],
)
def test_parse_ends_with_one_line(arguments, start, datum, refusal):
    line = refusal(*arguments)
    assert line.startswith(start)
    assert datum in line


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        ("nowhere.cfg", "nowhere.cfg", "No such"),
        ("file:///a%00b", r"/a\x00b", "embedded null"),
        ("nested.cfg", "nowhere.cfg", "No such"),
        (".", ".", "not a regular file"),
    ],
)
def test_parse_names_flagfile_that_cannot_be_read(
    name, path, reason, refusal, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nested.cfg").write_text("--flagfile=nowhere.cfg\n")
    line = refusal(f"--flagfile={name}")
    assert f"'{path}'" in line
    assert reason in line


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n\x00\xff", b"\x00\x01\x02\x1b", b"\xff\xfe\x00"],
)
def test_parse_refuses_binary_flagfile(content, refusal, tmp_path):
    path = tmp_path / "flags.cfg"
    path.write_bytes(content)
    line = refusal(f"--flagfile={path}")
    assert f"{str(path)!r} is not a text file" in line
    assert line.isprintable()


@pytest.mark.parametrize(
    ("line", "datum"),
    [
        ("num_steps=5", "'num_steps=5'"),
        ("\u2013seed=5", "Type --seed=5."),
        ("--seed=5 --num_steps=3", "'--seed=5 --num_steps=3'"),
        ("--content_image=\u201ca.jpg\u201d", "quotes"),
        ("--report --overwrite", "'--report --overwrite'"),
        ("--image_size=512px", "`image_size`"),
        ('--style_images=["a.jpg","b.jpg"]', "`style_images`"),
        ("--num-steps=3", "num_steps ?"),
    ],
)
def test_parse_refuses_line_of_flagfile_that_is_no_flag(
    line, datum, refusal, tmp_path
):
    path = tmp_path / "run.cfg"
    path.write_text(f"--seed=1\n{line}\n", encoding="utf-8")
    said = refusal(f"--flagfile={path}")
    assert f"{str(path)!r}, line 2: " in said
    assert datum in said


@pytest.mark.parametrize(
    ("line", "changes"),
    [
        ('--content_image="a b.jpg"', {"content_image": "a b.jpg"}),
        ("--content_image='a b.jpg'", {"content_image": "a b.jpg"}),
        ('--content_image="a #1.jpg"  # one', {"content_image": "a #1.jpg"}),
        ("--content_image=a#1.jpg", {"content_image": "a#1.jpg"}),
        ("--content_image a b.jpg", {"content_image": "a b.jpg"}),
        ("--num_steps=100  # quick look", {"num_steps": (100,)}),
        ("  --num_steps = 100\t", {"num_steps": (100,)}),
        ("--num_steps=100 \\", {"num_steps": (100,)}),
        ("  # indented comment", {}),
        ("// another", {}),
        (
            '--style_images="a, b.jpg",c.jpg # two',
            {"style_images": ("a, b.jpg", "c.jpg")},
        ),
        ("--style_images='a.jpg,b.jpg'", {"style_images": ("a.jpg", "b.jpg")}),
        ("--overwrite true  # always", {"overwrite": True}),
        ("--overwrite \\", {"overwrite": True}),
        ("--overwrite  # always", {"overwrite": True}),
        ("--nooverwrite  # never", {}),
        (
            "--style_images='a, b.jpg', 'c.jpg'  # two",
            {"style_images": ("a, b.jpg", "c.jpg")},
        ),
    ],
)
def test_parse_reads_a_line_as_people_write_it(line, changes, tmp_path):
    path = tmp_path / "run.cfg"
    path.write_text(f"{line}\n--seed=3", encoding="utf-8")
    assert parse(f"--flagfile={path}") == RunConfig(seed=3, **changes)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16"], ids=["plain", "mark", "wide"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_parse_reads_flagfiles_of_every_editor(encoding, end, tmp_path):
    path = tmp_path / "run.cfg"
    text = end.join(["# M\u00fcnchen", "--content_image=M\u00fcnchen.jpg", ""])
    path.write_bytes(text.encode(encoding))
    assert parse(f"--flagfile={path}").content_image == "M\u00fcnchen.jpg"


def test_list_given_twice_is_refused_but_may_override_a_file(refusal, tmp_path):
    twice = ["--style_images=a.jpg", "--style_images", "b.jpg"]
    assert refusal(*twice).startswith("`style_images` ")
    path = tmp_path / "run.cfg"
    path.write_text("--style_images=a.jpg\n--style_images=b.jpg\n")
    assert repr(str(path)) in refusal(f"--flagfile={path}")
    path.write_text("--style_images=a.jpg\n")
    config = parse(f"--flagfile={path}", "--style_images=b.jpg")
    assert config.style_images == ("b.jpg",)
    assert parse("--num_steps=5", "--num_steps=6").num_steps == (6,)


def test_flagfile_that_names_itself_is_refused(refusal, tmp_path):
    path = tmp_path / "run.cfg"
    path.write_text(f"--flagfile={path}\n")
    assert repr(str(path)) in refusal(f"--flagfile={path}")


def test_pattern_that_the_shell_expanded_is_explained(refusal):
    text = refusal("--style_images", "a.jpg", "b.jpg", "--seed=1")
    assert "--style_images='folder/*.jpg'" in text


def test_dashes_and_quotes_of_print_are_explained(refusal):
    assert "Type --seed=1" in refusal("\u2014seed=1")
    assert "quotes" in refusal("--content_image=\u201ca.jpg\u201d")


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


@pytest.mark.parametrize(
    ("arguments", "datum"),
    [
        (["--image_size=big"], "`image_size`"),
        (["--image_size=3"], "`image_size`"),
        (["--verbosity=loud"], "`verbosity`"),
        (["--no_such_flag"], "'no_such_flag'"),
        ([], "`content_image` and `style_images`"),
    ],
)
def test_main_ends_with_status_2_and_one_line(arguments, datum):
    ended = run_main(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.fullmatch(rf"error: [^\n]*{datum}[^\n]*\n", ended.stderr)


# Help and version.


VERSION = f"tfstyle {tfstyle.__version__}\n"
SHOWN = dict.fromkeys(
    ["-h", "-help", "--help", "-?", "--helpshort"], config_flags.make_help()
) | dict.fromkeys(["-version", "--version"], VERSION)


@pytest.mark.parametrize("flag", SHOWN)
def test_parse_shows_help_and_version(flag, capsys):
    with pytest.raises(SystemExit) as end:
        parse("--num_steps=wrong", flag)
    assert end.value.code == 0
    assert capsys.readouterr() == (SHOWN[flag], "")


def test_make_help_shows_every_field_with_its_default():
    text = config_flags.make_help()
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
    ("code", "status"),
    [
        ("import tfstyle; tfstyle.Config(); dir(tfstyle)", 0),
        ("import tfstyle.flags.command_line", 0),
        ("import tfstyle.main", 0),
        (RUN.format("--help"), 0),
        (RUN.format("--version"), 0),
        (RUN.format("--optimizer=sgd"), 2),
    ],
)
def test_flags_are_read_before_anything_heavy_is_loaded(code, status):
    ended = subprocess.run(
        [sys.executable, "-c", HEAVY + code],
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert ended.returncode == status, ended.stderr
    assert ended.stdout.endswith("loaded:\n")


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
    *older, seed, styles = read_picture_flags(path)
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
    assert read_picture_flags(path) == lines


def test_later_flags_win_over_a_picture_s(tmp_path):
    path = str(tmp_path / "picture.png")
    write_picture(path, flagfile.make_text(["--seed=7", "--image_size=99"], {}))
    for given in ([f"--flags_from={path}"], ["--flags_from", path]):
        config = parse("--seed=8", *given)
        assert (config.seed, config.image_size) == (8, 99)


def test_flags_from_is_heeded_inside_a_flagfile(tmp_path):
    path = tmp_path / "picture.png"
    write_picture(str(path), flagfile.make_text(["--image_size=99"], {}))
    (tmp_path / "a.cfg").write_text(f"--flags_from={path}\n--seed=8\n")
    config = parse(f"--flagfile={tmp_path / 'a.cfg'}")
    assert (config.seed, config.image_size) == (8, 99)


PRESETS = sorted(ROOT.glob("configs/**/*.cfg"))


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_preset_is_the_flagfile_of_its_name(path, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    expected = parse(f"--flagfile={path.relative_to(ROOT)}")
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


def test_preset_stands_where_it_is_named_and_later_flags_win(refusal):
    assert parse("--preset=smoke", "--num_steps=7").num_steps == (7,)
    assert parse("--num_steps=7", "--preset", "smoke").num_steps == (5,)
    assert refusal("--preset=x").startswith("`preset` must be one of export,")


def test_flags_of_a_former_release_may_say_that_they_do_nothing(
    tmp_path, refusal
):
    """So the texts of older pictures are still flagfiles."""
    (tmp_path / "a.cfg").write_text("--averaging=0.0\n--seed=8\n")
    config = parse(f"--flagfile={tmp_path / 'a.cfg'}", "--recompute=false")
    assert config == RunConfig(seed=8)
    assert refusal("--averaging=0.5").startswith("`averaging` ")
    assert refusal("--recompute").startswith("`recompute` ")
    said = refusal("--checkpoint_every_steps=20")
    assert "`checkpoint_every_seconds`" in said


@pytest.mark.parametrize("text", ["", "--seed=7\n"])
def test_picture_of_another_program_is_refused(tmp_path, text, refusal):
    path = str(tmp_path / "picture.png")
    write_picture(path, text)
    line = refusal(f"--flags_from={path}")
    assert line.startswith("`flags_from` ")
    assert repr(path) in line


def write_picture(path, text):
    import numpy as np

    from tfstyle.image_files.writing import write_image

    write_image(path, np.zeros((16, 16, 3), np.uint8), text=text)
