"""Thread-safe cache that evicts the least recently used value."""

import collections
import threading
from collections.abc import Callable
from collections.abc import Hashable
from typing import Any


class LRUCache:
    """Cache of the most recently used values.

    Args:
        longest: maximum number of values.
    """

    def __init__(self, longest: int):
        self._longest = longest
        self._kept = collections.OrderedDict()
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Returns the value of a key; makes it if it is missing.

        Evicts before inserting, so the cache never exceeds its size.
        """
        with self._lock:
            if key not in self._kept:
                while len(self._kept) >= self._longest:
                    self._kept.popitem(last=False)
                self._kept[key] = make()
            self._kept.move_to_end(key)
            return self._kept[key]
