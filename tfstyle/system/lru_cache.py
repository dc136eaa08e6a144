"""A least recently used cache, which threads may share."""

import collections
import threading
from collections.abc import Callable
from collections.abc import Hashable
from typing import Any


class LRUCache:
    """Keeps the values that were used last.

    Args:
        longest: how many are kept at most.
    """

    def __init__(self, longest: int):
        self._longest = longest
        self._kept = collections.OrderedDict()
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Returns the value of a key, and makes it if it is not there.

        Room is made first, so that there are never more than the most.
        """
        with self._lock:
            if key not in self._kept:
                while len(self._kept) >= self._longest:
                    self._kept.popitem(last=False)
                self._kept[key] = make()
            self._kept.move_to_end(key)
            return self._kept[key]
