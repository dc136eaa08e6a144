"""Folders and patterns to the files that they stand for."""

import pytest

from tests.refusals import refuses
from tfstyle.errors import ImageError
from tfstyle.image_files.paths import expand_names


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Returns the name of a folder of pictures and other files."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "my [styles]"
    folder.mkdir()
    for name in ("10.jpg", "2.JPG", "b.png", ".hidden.jpg", "notes.txt"):
        (folder / name).touch()
    (folder / "deeper.jpg").mkdir()
    return folder.name


def test_expand_names_takes_a_folder_s_pictures_in_order(folder, caplog):
    # TensorFlow leaves a level of its own on this logger when it saves.
    caplog.set_level("INFO", logger="absl")
    found = expand_names(["first.jpg", folder, "last.jpg"])
    pictures = [f"{folder}/{name}" for name in ("2.JPG", "10.jpg", "b.png")]
    assert found == ["first.jpg", *pictures, "last.jpg"]
    assert f"3 pictures of {folder!r}" in caplog.text


def test_expand_names_takes_a_pattern_s_files_unless_it_is_a_name(folder):
    assert expand_names(["my*/*.jpg"]) == [f"{folder}/10.jpg"]
    assert expand_names(["my*/?.*"]) == [f"{folder}/2.JPG", f"{folder}/b.png"]
    with open("a*.jpg", "w"):
        names = ["a*.jpg", "missing.jpg"]
        assert expand_names(names) == names


def test_expand_names_looks_into_folders_within_folders(tmp_path):
    (tmp_path / "one" / "two").mkdir(parents=True)
    paths = [tmp_path / "a.jpg", tmp_path / "one" / "two" / "b.jpg"]
    for path in paths:
        path.touch()
    assert expand_names([f"{tmp_path}/**/*.jpg"]) == list(map(str, paths))


def test_expand_names_refuses_a_folder_or_pattern_without_pictures(tmp_path):
    for name in (str(tmp_path), f"{tmp_path}/*.jpg"):
        with refuses("", repr(name), kind=ImageError):
            expand_names([name])
