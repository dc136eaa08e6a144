"""Forms that come back."""

import dataclasses

import pytest

from tfstyle.studio import drafts
from tfstyle.studio.drafts import Draft

PAGE = "0123456789"
DRAFT = Draft(["--seed=1"], "a", None)


def write(root, page, draft):
    drafts.update(root, page, **dataclasses.asdict(draft))


def test_change_leaves_the_other_attributes(tmp_path):
    root = str(tmp_path)
    write(root, PAGE, DRAFT)
    drafts.update(root, PAGE, shown="b")
    assert drafts.read(root, PAGE) == Draft(["--seed=1"], "a", "b")


def test_draft_is_of_its_page(tmp_path):
    root = str(tmp_path)
    assert drafts.read(root, PAGE) is None
    write(root, PAGE, DRAFT)
    other = Draft(["--seed=2"], None, "b")
    write(root, PAGE[::-1], other)
    assert drafts.read(root, PAGE) == DRAFT
    assert drafts.read(root, PAGE[::-1]) == other


@pytest.mark.parametrize(
    "page", ["", None, "a/b/c/d/e", "../../../aa", "ABCDEFGH"]
)
def test_name_of_a_page_is_no_path(tmp_path, page):
    write(str(tmp_path), page, DRAFT)
    assert [*tmp_path.rglob("*")] == []


def test_oldest_drafts_are_removed(tmp_path):
    for number in range(drafts.MOST + 5):
        write(str(tmp_path), f"{number:08}", DRAFT)
    assert len([*tmp_path.glob("drafts/*.json")]) == drafts.MOST


@pytest.mark.parametrize("text", ["", "[", "1", '{"seed": 1}'])
def test_damaged_draft_is_none(tmp_path, text):
    write(str(tmp_path), PAGE, DRAFT)
    (tmp_path / "drafts" / f"{PAGE}.json").write_text(text)
    assert drafts.read(str(tmp_path), PAGE) is None
