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
    tensorflow = tf.__version__.replace("-", "")  # 2.22.0-rc0
    versions = (
        f"tfstyle {tfstyle.__version__}, tensorflow {tensorflow},"
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


def test_versions_are_those_imported_when_keras_is_installed_twice(
    tmp_path, monkeypatch
):
    for name, version in (("keras", "1.0"), ("keras_nightly", "2.0.dev1")):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    monkeypatch.syspath_prepend(tmp_path)
    flagfile._find_version.cache_clear()
    try:
        assert flagfile.versions()["keras"] == keras.__version__
    finally:
        flagfile._find_version.cache_clear()


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
