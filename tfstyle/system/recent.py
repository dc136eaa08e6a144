"""A few things that took time to make, kept for when they are asked for."""

import collections
from collections.abc import Callable
from collections.abc import Hashable
from typing import Any


class Recent:
    """Keeps what was asked for last, and lets go of the rest.

    Args:
        longest: how many are kept at most.
    """

    def __init__(self, longest: int):
        self._longest = longest
        self._kept = collections.OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Returns what was made for a key, or makes it.

        Room is made first, so that there are never more than the most.
        """
        if key not in self._kept:
            while len(self._kept) >= self._longest:
                self._kept.popitem(last=False)
            self._kept[key] = make()
        self._kept.move_to_end(key)
        return self._kept[key]
