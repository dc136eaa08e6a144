"""HTML fragments that show a film: its progress, newest frame and strip."""

import base64
import functools
import html
import io
import itertools
import os
import statistics

from PIL import Image

from tfstyle.image_files.reading import read_image
from tfstyle.images.resize import fit_size
from tfstyle.images.resize import resize
from tfstyle.images.transparency import lay_on_white
from tfstyle.studio.runs import Run
from tfstyle.studio.widgets import address_of
from tfstyle.studio.widgets import image_of
from tfstyle.system.loop_progress import describe_time

MOST_THUMBNAILS = 12
THUMBNAIL_SIZE = 128
"""Long edge of a frame in the strip, pixels."""
RECENT = 20
"""Number of frames whose time predicts that of the others."""


def describe_film_progress(run: Run, is_busy: bool) -> str:
    """Renders a progress bar and the numbers of a film as HTML."""
    painted, total = len(run.frames), run.num_frames
    if not total:
        return ""
    facts = [f"{painted} of {total} frames"]
    if painted >= total:
        facts = [f"{painted} frames"]
    elif is_busy:
        facts = [f"frame {painted + 1} of {total}"]
    if seconds := seconds_per_frame(run.frames):
        facts.append(f"{seconds:.2g} s a frame")
        if is_busy and painted < total:
            left = describe_time(seconds * (total - painted))
            facts.append(f"about {left} left")
    text = f"<p>{', '.join(facts)}</p>"
    if not is_busy:
        return text
    return (
        f'<progress aria-label="Progress" max="{total}" value="{painted}">'
        f"</progress>{text}"
    )


def seconds_per_frame(frames: list[str]) -> float | None:
    """Estimates the time that a frame takes, by the times of the files.

    The median, as the first frame of a shot takes longer, and a film may have
    been interrupted. None if there are too few frames.
    """
    times = [os.stat(path).st_mtime for path in frames[-RECENT - 1 :]]
    spans = [after - before for before, after in itertools.pairwise(times)]
    return statistics.median(spans) if spans else None


def show_film(run: Run, is_busy: bool) -> str:
    """Renders the film if it is written, or else its newest frame, as HTML.

    Below it is a strip of frames.
    """
    if not run.frames:
        return ""
    newest = run.frames[-1]
    if run.film is None or is_busy:
        shown = image_of(newest, f"Frame {_number_of(newest)}, painted")
    else:
        shown = (
            '<video controls loop aria-label="The film"'
            f' src="{html.escape(address_of(run.film))}"'
            f' poster="{html.escape(address_of(newest))}"></video>'
        )
    strip = "".join(map(_thumbnail_of, choose_frames(run.frames)))
    return f'{shown}<div class="film-strip">{strip}</div>'


def choose_frames(frames: list[str]) -> list[str]:
    """Returns at most MOST_THUMBNAILS frames, evenly spaced.

    The space doubles, so that the chosen ones mostly stay the same.
    """
    step = 1
    while len(frames[::step]) > MOST_THUMBNAILS:
        step *= 2
    return frames[::step]


def _number_of(path: str) -> int:
    return int(os.path.splitext(os.path.basename(path))[0])


def _thumbnail_of(path: str) -> str:
    data = _make_thumbnail(path, os.stat(path).st_mtime_ns)
    return (
        f'<img alt="Frame {_number_of(path)}" src="data:image/jpeg;base64,'
        f'{data}">'
    )


@functools.lru_cache(1024)
def _make_thumbnail(path: str, time: int) -> str:
    """Makes a small JPEG of a frame, in base64; `time` is the file's."""
    picture = read_image(path)
    pixels = lay_on_white(picture.pixels, picture.alpha)
    size = fit_size(*pixels.shape[:2], THUMBNAIL_SIZE)
    file = io.BytesIO()
    Image.fromarray(resize(pixels, *size)).save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()
