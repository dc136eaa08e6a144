"""Films in the Paint tab, in a browser: one frame is tried, then the film."""

import pytest

from tests.clips import NUM_FRAMES
from tests.clips import read_times
from tests.clips import write_sound
from tests.studio.visitor import SAMPLES
from tfstyle.studio.runs import Run
from tools.studio_browser import choose_picture

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def open_film(visitor, clip):
    """Chooses a film and a style, small and quick."""
    page = visitor.page
    page.locator("#clip input[type=file]").set_input_files(clip)
    page.locator("#content img").wait_for()
    choose_picture(page, "style-1", SAMPLES / "strokes.jpg")
    size = page.get_by_label("Size, pixels")
    size.fill("64")
    size.press("Enter")
    page.get_by_label("Quick").check()


def set_frame_steps(visitor, number):
    visitor.press("More options")
    steps = visitor.page.get_by_label("frame_steps")
    steps.fill(str(number))
    steps.blur()


def test_frame_is_tried_and_the_film_painted(
    new_page, address, root, clip, tmp_path
):
    visitor = new_page(address)
    page = visitor.page
    assert page.locator("#paint-film").count() == 0
    open_film(visitor, clip)
    facts = page.locator("#facts .note").inner_text()
    assert facts.startswith("harbour.mkv: 64 x 48 pixels, 5 frames")
    set_frame_steps(visitor, 2)
    still = page.locator("#content img").get_attribute("src")
    number = page.locator("#frame input[type=number]")
    number.fill("5")
    number.blur()
    page.wait_for_function(
        "x => document.querySelector('#content img').src != x", arg=still
    )
    before = visitor.shown
    page.locator("#paint").click()
    visitor.wait_for_other_run(before)
    visitor.wait_for_state("Done")
    tried = visitor.shown
    assert visitor.title == "harbour-frame-5 in strokes"
    page.locator("#paint-film").click()
    visitor.wait_for_other_run(tried)
    page.locator("#viewer video").wait_for()
    visitor.wait_for_state("Done")
    film = visitor.shown
    assert visitor.title == "harbour in strokes"
    asked = (root / film / "asked.cfg").read_text()
    assert "--frame_steps=2\n" in asked
    assert page.locator("#viewer .film-strip img").count() == NUM_FRAMES
    assert page.locator("#progress").inner_text().startswith("5 frames, ")
    page.wait_for_function(
        "() => document.querySelector('#viewer video').readyState > 0"
    )
    kept = tmp_path / "kept.mp4"
    with page.expect_download() as download:
        page.locator("#download").click()
    download.value.save_as(kept)
    assert kept.read_bytes() == (root / film / "output.mp4").read_bytes()
    assert read_times(kept) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_film_is_stopped_and_goes_on(new_page, address, root, clip):
    visitor = new_page(address)
    page = visitor.page
    open_film(visitor, clip)
    set_frame_steps(visitor, 25)
    before = visitor.shown
    page.locator("#paint-film").click()
    visitor.wait_for_other_run(before)
    visitor.wait_for_preview()
    visitor.stop()
    run = Run(str(root / visitor.shown))
    assert 0 < len(run.frames) < NUM_FRAMES
    assert len(read_times(run.film)) == len(run.frames)
    # The dials of the run come with its film.
    page.reload()
    visitor.wait_for_run(run.name)
    page.locator("#facts .note").wait_for()
    page.locator("#content img").wait_for()
    page.locator("#resume").click()
    visitor.wait_for_state("Done")
    assert len(read_times(run.film)) == NUM_FRAMES
    assert page.locator("#resume").count() == 0


def test_film_that_is_dropped_on_the_content_goes_to_its_place(
    new_page, address, clip
):
    page = new_page(address).page
    dropped = page.evaluate_handle(
        """bytes => {
          const dropped = new DataTransfer();
          const data = new Uint8Array(bytes);
          dropped.items.add(new File([data], 'boat.mkv'));
          return dropped;
        }""",
        [*clip.read_bytes()],
    )
    page.locator("#content").get_by_label("Drop an image").dispatch_event(
        "drop", {"dataTransfer": dropped}
    )
    page.locator("#facts").get_by_text("boat.mkv: 64 x 48").wait_for()


def test_what_is_no_film_is_told_below_it(new_page, address, tmp_path):
    text, sound = tmp_path / "text.mp4", tmp_path / "sound.mp4"
    text.write_text("no film")
    write_sound(sound)
    page = new_page(address).page
    fault = page.locator("#facts [role=alert]:not(.note)")
    for path, said in (
        (text, "Film 'text.mp4' cannot be read"),
        (sound, "'sound.mp4' is not a film"),
    ):
        page.locator("#clip input[type=file]").set_input_files(path)
        fault.get_by_text(said).wait_for()
        assert page.locator("#paint-film").count() == 0
        page.locator("#clip").get_by_label("Clear").click()
        fault.wait_for(state="detached")
