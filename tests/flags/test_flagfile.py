"""How a picture was made, as text that is a flagfile."""

import keras
import numpy as np
import PIL
import tensorflow as tf
from absl import flags

import tfstyle
from tfstyle.flags import flagfile
from tfstyle.image_files import reading as image_files
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.image_files.writing import write_image

FLAG_LINES = ["--seed=7", "--content_image=a b.png", "--style_weight=0.5"]
FACTS = {"weights": "random sha256=00", "result": "step=3 total=1.5"}


def parse(path):
    """Returns the values of a flagfile, parsed as absl does."""
    values = flags.FlagValues()
    flags.DEFINE_integer("seed", 0, "", flag_values=values)
    flags.DEFINE_string("content_image", None, "", flag_values=values)
    flags.DEFINE_float("style_weight", 1, "", flag_values=values)
    flags.DEFINE_string("flagfile", None, "", flag_values=values)
    leftover = values(["tfstyle", f"--flagfile={path}"])
    assert leftover == ["tfstyle"]
    return values


def test_make_text_has_comments_above_and_flags_below():
    versions = (
        f"tfstyle {tfstyle.__version__}, tensorflow {tf.__version__},"
        f" keras {keras.__version__}, numpy {np.__version__},"
        f" pillow {PIL.__version__}"
    )
    assert flagfile.make_text(FLAG_LINES, FACTS) == (
        "# Made by tfstyle; as a --flagfile it makes the picture again.\n"
        f"# versions: {versions}\n"
        "# weights: random sha256=00\n"
        "# result: step=3 total=1.5\n"
        "--seed=7\n"
        "--content_image=a b.png\n"
        "--style_weight=0.5\n"
    )


def test_text_is_parsed_into_flags_and_facts():
    text = flagfile.make_text(FLAG_LINES, FACTS)
    flags, facts = flagfile.parse_text(text)
    assert [f"--{name}={value}" for name, value in flags.items()] == FLAG_LINES
    assert facts.pop("versions").startswith("tfstyle ")
    assert facts == FACTS


def test_make_text_is_a_flagfile(tmp_path):
    path = tmp_path / "flags.cfg"
    path.write_text(flagfile.make_text(FLAG_LINES, FACTS), encoding="utf-8")
    values = parse(path)
    assert values.seed == 7
    assert values.content_image == "a b.png"
    assert values.style_weight == 0.5


def test_make_text_is_a_flagfile_still_when_a_picture_gives_it_back(tmp_path):
    text = flagfile.make_text(FLAG_LINES, FACTS)
    pixels = np.zeros((16, 16, 3), np.uint8)
    for ending in WRITE_ENDINGS:
        picture, path = tmp_path / f"a{ending}", tmp_path / f"{ending}.cfg"
        write_image(str(picture), pixels, text=text)
        path.write_text(image_files.read_text(str(picture)), encoding="utf-8")
        assert parse(path).seed == 7


def test_make_text_is_the_same_again_and_keeps_its_arguments():
    flag_lines, facts = list(FLAG_LINES), dict(FACTS)
    first = flagfile.make_text(flag_lines, facts)
    assert flagfile.make_text(flag_lines, facts) == first
    assert (flag_lines, facts) == (FLAG_LINES, FACTS)
