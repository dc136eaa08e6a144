"""The loop over the frames of a film."""

import collections
import contextlib
import statistics
import time
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from absl import logging

from tfstyle.experiment import provenance
from tfstyle.films.chunks import Chunk
from tfstyle.films.frame_files import FrameFiles
from tfstyle.films.frames_to_paint import AHEAD
from tfstyle.films.frames_to_paint import EARLIER
from tfstyle.films.frames_to_paint import FrameToPaint
from tfstyle.films.frames_to_paint import forget_oldest
from tfstyle.films.frames_to_paint import frames_to_paint
from tfstyle.films.painter import FramePainter
from tfstyle.films.region_masks import RegionMasks
from tfstyle.films.shot_claims import ShotClaims
from tfstyle.reports import progress
from tfstyle.system.loop_progress import SECONDS_BETWEEN_LINES
from tfstyle.system.loop_progress import describe_time
from tfstyle.system.prefetch import prefetch
from tfstyle.system.signals import StopSignals
from tfstyle.training.callbacks import Action
from tfstyle.training.callbacks import Result
from tfstyle.video_files.film import Film
from tfstyle.video_files.selection import Selection

RECENT = 20
"""Number of frames whose time predicts that of the others."""


class FilmRun:
    """Paints chunks; writes and logs each frame.

    Args:
        film: the film.
        times: times of its selected frames.
        masks: masks of its regions.
        painter: painter of the frames.
        folder: the workdir.
        num_left: number of frames to paint.
        facts: facts by name, written into the metadata of each frame.
    """

    def __init__(
        self,
        film: Film,
        times: Mapping[int, int],
        masks: RegionMasks,
        painter: FramePainter,
        folder: str,
        num_left: int,
        facts: dict[str, str],
    ):
        self._config: Any = painter.plan.config  # a RunConfig
        self._film = film
        self._times = times
        self._masks = masks
        self._painter = painter
        self._folder = folder
        weights = provenance.describe_weights(painter.extractor)
        self._facts = facts | weights
        self._num_left = num_left
        self._seconds: collections.deque[float] = collections.deque(
            maxlen=RECENT
        )
        self._next_line = 0.0

    def paint(
        self, chunks: Iterable[Chunk], claims: ShotClaims, signals: StopSignals
    ) -> int:
        """Paints the chunks that no other process paints.

        Args:
            chunks: the chunks of the film.
            claims: claims of this and other processes.
            signals: stop signals, which end the painting at the next step.

        Returns:
            The number of painted frames.
        """
        num_painted = 0
        for chunk in chunks:
            with claims.claimed(f"{chunk.numbers[0]:06d}") as is_ours:
                if is_ours and not signals.number:
                    num_painted += self._paint_chunk(chunk, signals)
        return num_painted

    def _paint_chunk(self, chunk: Chunk, signals: StopSignals) -> int:
        """Paints the frames of a chunk that are missing; returns their number.

        A thread reads ahead, another writes behind.
        """
        files = FrameFiles(self._folder, chunk.shared)
        numbers = chunk.numbers
        painted = files.find_painted(numbers)
        if len(painted) == len(numbers):
            return 0
        num_painted = 0
        files.remove_partial(numbers[len(painted)])
        recent = {n: files.read(n).pixels for n in painted[-EARLIER[-1] :]}
        frames = frames_to_paint(
            self._film.frames(_select(numbers), self._times[numbers[0]]),
            self._masks,
            painted[-1] if painted else 0,
            has_cuts=False,
        )
        with ThreadPoolExecutor(1) as thread:
            writing: Future[None] | None = None
            for frame in prefetch(frames, AHEAD):
                start = time.monotonic()
                with self._showing_progress(frame) as actions:
                    result = self._painter.paint(
                        frame, recent, signals, actions
                    )
                if signals.number:
                    break
                if writing is not None:
                    writing.result()  # raises its errors
                writing = thread.submit(self._write, files, frame, result)
                num_painted += 1
                recent[frame.number] = result.pixels
                if self._config.output_bits != 8:
                    # As it is read when a film goes on.
                    writing.result()
                    recent[frame.number] = files.read(frame.number).pixels
                forget_oldest(recent)
                self._log(frame, result, time.monotonic() - start)
            if writing is not None:
                writing.result()
        return num_painted

    @contextlib.contextmanager
    def _showing_progress(
        self, frame: FrameToPaint
    ) -> Iterator[Sequence[Action]]:
        """Yields the action that shows the steps of a shot's first frame."""
        if frame.motions:
            yield ()
            return
        bar = progress.make_progress()
        try:
            yield [bar]
        finally:
            bar.stop()

    def _write(
        self, files: FrameFiles, frame: FrameToPaint, result: Result
    ) -> None:
        """Writes a painted frame with its flags and losses."""
        facts = self._facts | provenance.describe_result(result)
        # Without names a film could not be recognised when it goes on.
        metadata = "full" if self._config.metadata == "full" else "names"
        text, _ = provenance.make_published_texts(self._config, facts, metadata)
        pixels = result.to_pixels(self._config.output_bits)
        files.write(frame.number, pixels, frame.picture.alpha, text)

    def _log(self, frame: FrameToPaint, result: Result, seconds: float) -> None:
        """Logs the progress, at most every ten seconds."""
        self._num_left -= 1
        if frame.motions or not self._seconds:
            self._seconds.append(seconds)
        now = time.monotonic()
        if now < self._next_line and self._num_left:
            return
        self._next_line = now + SECONDS_BETWEEN_LINES
        left = statistics.median(self._seconds) * self._num_left
        logging.info(
            "Frame %d: %d steps, %.1f s, loss %.4g; %d frames left%s",
            frame.number,
            result.step,
            seconds,
            result.losses["total"],
            self._num_left,
            f", about {describe_time(left)}" if left else "",
        )


def _select(numbers: Sequence[int]) -> Selection:
    step = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    return Selection(numbers[0], numbers[-1], step)
