"""The tab of contents and styles, in a browser."""

import os
import types

import pytest
from PIL import Image

from tests.studio.test_runs import make_run
from tests.studio.visitor import SAMPLES
from tfstyle.studio import contact_table
from tfstyle.studio import last_table
from tools.studio_browser import running_studio

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def open_table(visitor):
    visitor.page.get_by_role("tab", name="Many").click()
    visitor.page.get_by_role("button", name="Paint the table").wait_for()


def bring(visitor):
    page = visitor.page
    page.locator("#contents input[type=file]").set_input_files(
        SAMPLES / "scene.jpg"
    )
    page.locator("#styles input[type=file]").set_input_files(
        [SAMPLES / "strokes.jpg", SAMPLES / "mosaic.jpg"]
    )
    page.locator("#contents img").wait_for()
    page.locator("#styles img").nth(1).wait_for()


def test_contents_meet_styles_and_one_is_painted_large(new_page, address, root):
    visitor = new_page(address)
    page = visitor.page
    open_table(visitor)
    visitor.press("Paint the table")
    alert = page.get_by_role("alert").filter(has_text="0 contents and 0 styles")
    alert.wait_for()
    visitor.press("Paint it large")
    page.get_by_role("alert").filter(
        has_text="Paint the table first"
    ).wait_for()
    bring(visitor)
    page.get_by_text("192 px, 40 steps each").wait_for()
    visitor.press("Paint the table")
    page.locator("#many td.painting").get_by_text("painting").wait_for()
    assert page.locator("#many-progress").inner_text().startswith("0 of 2 done")
    page.locator("#many img").nth(1).wait_for()
    # The table outlives its page.
    page.reload()
    open_table(visitor)
    page.locator("#many img").nth(1).wait_for()
    assert page.locator("#many th").all_inner_texts() == [
        *("strokes", "mosaic", "scene")
    ]
    page.locator("#many img").nth(1).click()
    page.wait_for_function(
        """() => document.querySelector('#pick input').value
             .startsWith('scene in mosaic')"""
    )
    before = set(os.listdir(root))
    visitor.press("Paint it large")
    # It is shown where pictures are painted.
    page.locator("#viewer").wait_for()
    page.wait_for_function(
        """() => document.querySelector('#title input').value
             .startsWith('scene in mosaic')"""
    )
    (new,) = set(os.listdir(root)) - before
    assert visitor.shown == new
    asked = (root / new / "asked.cfg").read_text()
    assert asked.endswith("--image_size=1024\n")
    assert "mosaic" in asked
    assert "--num_steps" not in asked
    # The form has its pictures and dials.
    page.locator("#content img").wait_for()
    assert "mosaic" in page.locator("#style-1 img").get_attribute("src")
    size = page.get_by_label("Size, pixels")
    assert size.input_value() == "1024"
    visitor.page.locator("#stop").click()
    page.wait_for_function(
        """() => document.querySelector('#state').innerText
             .startsWith('Stopped')"""
    )


def test_table_is_stopped(new_page, tmp_path):
    with running_studio(tmp_path / "runs") as (address, _):
        visitor = new_page(address)
        open_table(visitor)
        bring(visitor)
        visitor.press("Paint the table")
        # Both cells wait until the first is begun.
        waiting = visitor.page.locator("#many").get_by_text("waiting").first
        waiting.wait_for()
        visitor.press("Stop the table")
        waiting.wait_for(state="detached")
        second = new_page(address)  # the dials are not those of a table
        assert second.page.locator("#content img").count() == 0


@pytest.fixture
def painted(tmp_path):
    """Returns the folder of runs of a table: one is painted, one is not."""
    rows = []
    for number, style in enumerate(("strokes", "mosaic")):
        paths = [str(SAMPLES / f"{name}.jpg") for name in ("scene", style)]
        rows.append([*paths, str(number)])
        asked = [
            *(f"--content_image={paths[0]}", f"--style_images={paths[1]}"),
            *("--num_steps=300", "--seed=7", *contact_table.SMALL),
        ]
        make_run(tmp_path, str(number), has_picture=False)
        text = "".join(f"{flag}\n" for flag in asked)
        (tmp_path / str(number) / "asked.cfg").write_text(text)
    Image.new("RGB", (192, 144), (9, 200, 9)).save(tmp_path / "0/output.png")
    last_table.write(str(tmp_path), rows)
    return tmp_path


def test_sheet_of_a_painted_table_is_downloaded(new_page, painted, tmp_path):
    with running_studio(painted) as (address, _):
        visitor = new_page(address)
        page = visitor.page
        open_table(visitor)
        page.get_by_text("1 of 2 done, 1 stopped", exact=True).wait_for()
        with page.expect_download() as download:
            page.locator("#sheet").click()
        assert download.value.suggested_filename == "contact sheet.png"
        download.value.save_as(tmp_path / "sheet.png")
        with Image.open(tmp_path / "sheet.png") as sheet:
            colors = {color: n for n, color in sheet.getcolors(10000)}
        assert colors[9, 200, 9] == 192 * 144
        # Each is painted large with the dials that it was painted with.
        page.locator("#many img").click()
        visitor.press("Paint it large")
        page.locator("#content img").wait_for()
        assert page.get_by_label("Fine").is_checked()
        assert page.get_by_label("Seed").input_value() == "7"
        (new,) = {p.parent.name for p in painted.glob("*/asked.cfg")} - {*"01"}
        asked = (painted / new / "asked.cfg").read_text().splitlines()
        assert asked[-3:] == [
            *("--num_steps=300", "--seed=7", "--image_size=1024")
        ]


def make_cell(state, seconds=0.0):
    run = types.SimpleNamespace(
        metrics=[{"seconds": seconds}], picture="output.png"
    )
    job = types.SimpleNamespace(state=state, error="<no> memory")
    return contact_table.Cell("a.jpg", "b.jpg", "1", run, job)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([("painting", 9.0), ("waiting", 0.0)], "0 of 2 done"),
        (
            [("done", 80.0), ("done", 100.0), ("painting", 60.0)],
            "2 of 3 done, about 30 s left",
        ),
        (
            [("done", 80.0), ("painting", 5.0), *[("waiting", 0.0)] * 2],
            "1 of 4 done, about 4 min left",
        ),
        ([("done", 9.0), ("painting", 20.0)], "1 of 2 done, about 0 s left"),
        (
            [("done", 9.0), ("failed", 0.0), ("stopped", 0.0)],
            "1 of 3 done, 1 failed, 1 stopped",
        ),
    ],
)
def test_time_left_is_told_by_the_painted_ones(cells, expected):
    found = contact_table._describe_progress([make_cell(*c) for c in cells])
    assert found == f"<p>{expected}</p>"


def test_failure_is_told_in_its_cell():
    cell = make_cell("failed")
    cell.run.preview = cell.run.picture = None
    assert contact_table._describe_cell(cell) == (
        '<td class="failed" data-run="1"><p>failed: &lt;no&gt; memory</p></td>'
    )
