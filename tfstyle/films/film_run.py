"""The loop over the frames of a film."""

import collections
import statistics
import time
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from absl import logging

from tfstyle.experiment import provenance
from tfstyle.films.frame_files import FrameFiles
from tfstyle.films.frames_to_paint import FrameToPaint
from tfstyle.films.painter import FramePainter
from tfstyle.reports.metric_writers import JsonLinesWriter
from tfstyle.system.signals import StopSignals
from tfstyle.training.callbacks import Result

SECONDS_BETWEEN_LINES = 10.0
"""Minimum time between two lines of progress."""
RECENT = 20
"""Number of frames whose time predicts that of the others."""


class FilmRun:
    """Paints frames one after another; writes and logs each of them.

    Args:
        painter: painter of the frames.
        files: painted frames of the workdir.
        metrics: writer of one line per frame.
        facts: facts by name, written into the metadata of each frame.
        num_frames: number of frames of the film.
    """

    def __init__(
        self,
        painter: FramePainter,
        files: FrameFiles,
        metrics: JsonLinesWriter,
        facts: dict[str, str],
        num_frames: int,
    ):
        self._config: Any = painter.plan.config  # a RunConfig
        self._painter = painter
        self._files = files
        weights = provenance.describe_weights(painter.extractor)
        self._facts = facts | weights
        self._metrics = metrics
        self._num_frames = num_frames
        self._seconds = collections.deque(maxlen=RECENT)
        self._next_line = -np.inf

    def paint(
        self,
        frames: Iterable[FrameToPaint],
        painted: list[int],
        signals: StopSignals,
    ) -> None:
        """Paints frames until the last or a signal.

        Args:
            frames: the frames to paint.
            painted: numbers of the frames painted before; extended.
            signals: stop signals.
        """
        previous = None
        if painted:
            previous = self._files.read(painted[-1]).pixels
        with ThreadPoolExecutor(1) as thread:
            writing: Future[None] | None = None
            for frame in frames:
                start = time.monotonic()
                result = self._painter.paint(frame, previous, signals)
                if not result.is_complete:
                    break  # stopped by a signal
                if writing is not None:
                    writing.result()  # raises its errors
                previous = result.pixels
                writing = thread.submit(self._write, frame, result, start)
                painted.append(frame.number)
                self._log(len(painted), frame, result, time.monotonic() - start)
            if writing is not None:
                writing.result()

    def _write(self, frame: FrameToPaint, result: Result, start: float) -> None:
        """Writes a painted frame and its line of metrics."""
        facts = self._facts | provenance.describe_result(result)
        text = provenance.make_text(self._config, facts)
        bits = self._config.output_bits
        self._files.write(
            frame.number, result.to_pixels(bits), frame.picture.alpha, text
        )
        self._metrics.write(
            {
                "frame": frame.number,
                "begins_shot": frame.motion is None,
                "steps": result.step,
                "seconds": round(time.monotonic() - start, 3),
                **result.losses,
            }
        )

    def _log(
        self, count: int, frame: FrameToPaint, result: Result, seconds: float
    ) -> None:
        """Logs the progress, at most every ten seconds."""
        if frame.motion is not None or not self._seconds:
            self._seconds.append(seconds)
        now = time.monotonic()
        if now < self._next_line and count < self._num_frames:
            return
        self._next_line = now + SECONDS_BETWEEN_LINES
        left = statistics.median(self._seconds) * (self._num_frames - count)
        logging.info(
            "Frame %d of %d: %d steps, %.1f s, loss %.4g%s",
            count,
            self._num_frames,
            result.step,
            seconds,
            result.losses["total"],
            f"; about {describe_time(left)} left" if left else "",
        )


def describe_time(seconds: float) -> str:
    """Formats a duration, such as `25 min`."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
