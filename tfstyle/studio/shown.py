"""What the tabs show of a run, and what can be kept of it."""

import html
import os
import shlex
import tempfile

from tfstyle.errors import one_line
from tfstyle.experiment.report import make_charts
from tfstyle.images import records
from tfstyle.images.files import read_image
from tfstyle.images.saving import write_image
from tfstyle.studio import runs
from tfstyle.studio.jobs import ASKED
from tfstyle.studio.jobs import Job

BEFORE = '<p role="status">Stopped before the first step.</p>'
EMPTY = "<p>Choose a picture and a style, then press Paint.</p>"
MAX_PIXELS = 100_000_000
"""Of a picture that is brought to the page."""

FLAGFILES = (ASKED, "flags.cfg")
FORMS = {
    "PNG, 16 bits": None,
    "PNG, 8 bits": ".png",
    "JPEG": ".jpg",
}
"""What a picture may be kept as, and the ending that it is converted to."""


def convert_picture(picture: str, form: str) -> str | None:
    """Returns the path of a picture in a format, with its text."""
    ending = FORMS[form]
    if ending is None:
        return picture
    made = os.stat(picture).st_mtime_ns
    name = os.path.basename(os.path.dirname(picture))
    folder = os.path.join(tempfile.gettempdir(), "tfstyle-studio", str(made))
    path = os.path.join(folder, f"{name}{ending}")
    if not os.path.exists(path):
        file = read_image(picture)
        text = records.read_text(picture) or ""
        write_image(path, file.pixels, file.alpha, text)
    return path


def escape_error(error: Exception) -> str:
    """Returns an error as a part of the page."""
    return f'<p role="alert">{html.escape(one_line(str(error), 1000))}</p>'


def describe_run(run: runs.Run, job: Job | None, is_busy: bool) -> str:
    """Says how a run stands, with a bar."""
    share, left = runs.progress_of(run)
    metrics = run.metrics
    if job is not None and job.state == "failed":
        return f'<p role="alert">{html.escape(job.error)}</p>'
    if job is not None and job.state == "waiting":
        return '<p role="status">Waits for its turn.</p>'
    if not metrics and is_busy:
        return '<p role="status">Begins.</p>'
    if not metrics:
        return "" if job is None else BEFORE
    last = metrics[-1]
    facts = [
        f"{last['width']} x {last['height']} pixels",
        f"step {last['step']}",
        f"loss {last['total']:.4g}",
        f"{last['seconds']:.0f} s",
    ]
    if not is_busy:
        end = "Stopped" if job is not None and job.is_stopping else "Done"
        return f'<p role="status">{end}: {", ".join(facts)}</p>'
    if job is not None and job.is_stopping:
        facts.append("stops after this step")
    elif left is not None:
        facts.append(f"about {left:.0f} s left")
    return (
        f'<progress aria-label="made so far" max="1" value="{share:.3f}">'
        f'</progress><p role="status">{", ".join(facts)}</p>'
    )


def image_of(run: runs.Run, text: str) -> str | None:
    """Returns the picture as it is, as a part of the page, if there is one."""
    path = run.preview or run.picture
    if path is None:
        return None
    changed = os.stat(path).st_mtime_ns
    return (
        f'<img alt="{html.escape(text)}"'
        f' src="/preview/{html.escape(run.name)}?{changed}">'
    )


def charts_of(run: runs.Run) -> str:
    """Returns the curves of a run's losses, as a part of the page."""
    metrics = run.metrics
    if len(metrics) < 2:
        return ""
    page = html.escape(make_charts(metrics))
    return f'<iframe title="the curves of the losses" srcdoc="{page}"></iframe>'


def command_of(workdir: str) -> str:
    """Returns the command that paints a run again, larger."""
    place = os.path.relpath(workdir)
    asked = os.path.join(place, ASKED)
    if not os.path.exists(asked):
        return ""
    return (
        f"python -m tfstyle.main --flagfile={shlex.quote(asked)}"
        f" --image_size=4096 --workdir={shlex.quote(f'{place}-4096')}"
    )
