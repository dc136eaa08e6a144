"""Selection of some frames of a film."""

import itertools
import re
from collections.abc import Iterable
from collections.abc import Iterator
from typing import NamedTuple
from typing import TypeVar

from tfstyle.errors import ConfigError

Item = TypeVar("Item")


class Selection(NamedTuple):
    """Every n-th frame of a range.

    Attributes:
        first: number of the first frame, from 1.
        last: number of the last frame, inclusive; None for the film's last.
        step: n, the distance between two frames.
    """

    first: int = 1
    last: int | None = None
    step: int = 1

    @classmethod
    def parse(cls, text: str | None) -> "Selection":
        """Reads the option `frames`, such as 100-200, 100-, 7 or 1-200/5.

        Raises:
            ConfigError: if it is none of these.
        """
        if text is None:
            return cls()
        found = re.fullmatch(r"(\d+)(-(\d*))?(/(\d+))?", text)
        if found:
            first, is_range, last, _, step = found.groups()
            end = int(last) if last else (None if is_range else int(first))
            selection = cls(int(first), end, int(step or 1))
            is_right = selection.first >= 1 and selection.step >= 1
            if is_right and (end is None or end >= selection.first):
                return selection
        raise ConfigError(
            "`frames` must be a range of frame numbers, such as 100-200, 100-"
            " or, for every tenth, 1-500/10. Received:"
            f" frames={text!r:.40}."
        )

    def choose(
        self, frames: Iterable[Item], start: int = 1
    ) -> Iterator[tuple[int, Item]]:
        """Yields the number of each selected frame, and the frame.

        Args:
            frames: the frames of a film, from `start` on.
            start: number of the first of them, at most `first`.
        """
        last = None if self.last is None else self.last - start + 1
        numbered = enumerate(frames, start=start)
        yield from itertools.islice(
            numbered, self.first - start, last, self.step
        )

    def numbers(self) -> Iterator[int]:
        """Yields the numbers of the selected frames, endlessly if open."""
        for number in itertools.count(self.first, self.step):
            if self.last is not None and number > self.last:
                return
            yield number


ALL = Selection()
"""Every frame of a film."""
