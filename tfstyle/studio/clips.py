"""The part of the form with the film: a clip, its facts, and a still of it."""

import contextlib
import html
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import gradio as gr

from tfstyle.errors import ConfigError
from tfstyle.errors import TfstyleError
from tfstyle.image_files.writing import write_image
from tfstyle.studio import inputs
from tfstyle.studio.widgets import DIRECT
from tfstyle.studio.widgets import NoStub
from tfstyle.studio.widgets import escape_error
from tfstyle.system.loop_progress import describe_time
from tfstyle.video_files.containers import VideoError
from tfstyle.video_files.opening import open_film
from tfstyle.video_files.selection import Selection

if TYPE_CHECKING:
    from tfstyle.video_files.film import Film

FAR = 500
"""Number of a frame from which it is looked for by its time."""


class ClipUpload(gr.File, metaclass=NoStub):
    """A file component whose value is the path of the uploaded file."""

    is_template = True  # browsers show it as a gr.File

    def preprocess(self, payload):
        """Returns the path of the uploaded file, or None."""
        return payload and payload.path


class Clips:
    """The part of the form with the film.

    A frame of it becomes the content image, so that it can be painted first.

    Args:
        root: the folder of runs.
        content: component of the content image.

    Attributes:
        clip: component of the film.
        frames: component with the frames to paint.
    """

    def __init__(self, root: str, content: gr.Image):
        self._root = root
        self._content = content
        self.clip = ClipUpload(
            file_types=["video", ".mkv", ".mxf", ".gif"],
            label="Film: a clip, to paint all its frames",
            height=110,
            elem_id="clip",
        )
        self._facts = gr.HTML("", elem_classes="fault", elem_id="facts")
        self._part = gr.Column(visible=False)
        with self._part:
            self._number = gr.Slider(
                *(1, 2, 1),
                step=1,
                label="Frame to try",
                info="becomes the content; Paint shows it with these dials",
                elem_id="frame",
            )
            self.frames = gr.Textbox(
                label="Frames to paint",
                placeholder="all",
                info="such as 100-200; 1-500/10: every tenth",
                elem_id="frames",
            )

    def connect(self, paint: gr.Button) -> None:
        """Connects the events.

        Args:
            paint: button that paints the film; visible if it can be read.
        """
        self._paint = paint
        shown = [self._facts, self._part, self._number, self._content, paint]
        self.clip.change(self._show, self.clip, shown, **DIRECT)
        self._number.release(
            self._show,
            [self.clip, self._number],
            shown,
            **DIRECT,
            trigger_mode="always_last",
        )

    def flags(self, values: Mapping[Any, Any]) -> list[str]:
        """Returns the flags of the film, which is copied.

        Args:
            values: values of all components.

        Raises:
            TfstyleError: if there is no film, or it cannot be read or copied.
        """
        if not values[self.clip]:
            raise ConfigError(
                "There is no film. Drop a clip below the content."
            )
        flags = [f"--content_video={keep_clip(self._root, values[self.clip])}"]
        if frames := (values[self.frames] or "").strip():
            Selection.parse(frames)
            flags.append(f"--frames={frames}")
        return flags

    def show(self, path: str | None, frames: str | None) -> dict:
        """Returns updates that fill in the film of a run, if it has one.

        Otherwise it stays, as the run may have tried a frame of it.
        """
        with contextlib.suppress(TfstyleError, OSError):
            if path is not None:
                kept = keep_clip(self._root, path)
                return {self.clip: kept, self.frames: frames}
        return {}

    def _show(self, path: str | None, number: int | None = None) -> dict:
        """Returns updates with the facts and one frame of a clip.

        Args:
            path: path of the clip, or None.
            number: number of the frame; None: the middle one.
        """
        film, updates = None, {self._facts: ""}
        try:
            if path:
                film = open_clip(path)
                updates[self._facts] = describe_clip(film)
                if number is None:
                    most = max(2, film.facts.num_frames)
                    number = most // 2
                    updates[self._number] = gr.Slider(1, most, number)
                updates[self._content] = keep_still(
                    self._root, film, int(number)
                )
        except (TfstyleError, OSError) as error:
            updates[self._facts] = escape_error(error)
        can_paint = gr.update(visible=film is not None)
        return updates | {self._part: can_paint, self._paint: can_paint}


def open_clip(path: str) -> "Film":
    """Opens a film.

    Raises:
        SetupError: if PyAV is not installed.
        VideoError: if it cannot be read; the message has the film's name only.
    """
    try:
        return open_film(path, inputs.MAX_PIXELS)
    except VideoError as error:
        raise VideoError(inputs.without_folder(error, path)) from error


def keep_clip(root: str, path: str) -> str:
    """Copies a film to the folder of runs, see `inputs.store`.

    Raises:
        TfstyleError: if it cannot be read or copied.
    """
    open_clip(path)
    return inputs.store(root, path)


def keep_still(root: str, film: "Film", number: int) -> str:
    """Stores a frame of a film as a picture; returns its path.

    Of a long film, whose rate varies, it is a frame near that number.

    Raises:
        VideoError: if the film has no such frame.
    """
    facts, stem = film.facts, inputs.stem_of(film.path)
    place = f"{stem}-{os.stat(film.path).st_mtime_ns}"
    name = f"{stem}-frame-{number}.png"
    still = os.path.join(root, inputs.UPLOADS, place, name)
    if not os.path.exists(still):
        time = None
        if number >= FAR:
            time = int((number - 1) / (facts.rate * facts.time_base))
        found = next(film.frames(Selection(number, number), time), None)
        if found is None:
            raise VideoError(
                f"Film {os.path.basename(film.path)!r} has no frame {number}."
                " Choose an earlier one."
            )
        write_image(still, found.picture.pixels, found.picture.alpha)
    return still


def describe_clip(film: "Film") -> str:
    """Renders size, frames and duration of a film, and doubts, as HTML."""
    facts, name = film.facts, os.path.basename(film.path)
    height, width = facts.size
    parts = [f"{width} x {height} pixels"]
    if facts.num_frames:
        seconds = float(facts.num_frames / facts.rate)
        parts.append(f"{facts.num_frames} frames")
        parts.append(describe_time(seconds))
    lines = [f"{name}: {', '.join(parts)}."]
    lines += [f"It {text}" for text in facts.warnings]
    text = html.escape(" ".join(lines))
    return f'<p role="alert" class="note">{text}</p>'
