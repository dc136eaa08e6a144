"""How a picture was made, as text that is a flagfile."""

import keras
import numpy as np
import PIL
import pytest
import tensorflow as tf

import tfstyle
from tfstyle.config.run_config import RunConfig
from tfstyle.flags import flagfile
from tfstyle.flags.command_line import read_config
from tfstyle.image_files.reading import read_text
from tfstyle.image_files.writing import WRITE_ENDINGS
from tfstyle.image_files.writing import write_image

FLAG_LINES = ["--seed=7", "--content_image=a b.png", "--style_weight=0.5"]
FACTS = {"weights": "random sha256=00", "result": "step=3 total=1.5"}


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


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_picture_gives_back_its_text_as_a_flagfile(ending, tmp_path):
    text = flagfile.make_text(FLAG_LINES, FACTS)
    picture, path = tmp_path / f"a{ending}", tmp_path / "a.cfg"
    write_image(str(picture), np.zeros((16, 16, 3), np.uint8), text=text)
    path.write_text(read_text(str(picture)), encoding="utf-8")
    assert read_config([f"--flagfile={path}"]) == RunConfig(
        seed=7, content_image="a b.png", style_weight=0.5
    )
