"""Reading ahead in a thread."""

import collections
from collections.abc import Iterable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from typing import TypeVar

Item = TypeVar("Item")
_END: Any = object()


def prefetch(items: Iterable[Item], size: int) -> Iterator[Item]:
    """Yields items that a thread makes ahead; raises its errors in their place.

    Args:
        items: the items; only the thread uses this iterable.
        size: number of items made ahead.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1) as thread:
        pending = collections.deque(
            thread.submit(next, iterator, _END) for _ in range(size)
        )
        try:
            while (item := pending.popleft().result()) is not _END:
                pending.append(thread.submit(next, iterator, _END))
                yield item
        finally:
            for future in pending:
                future.cancel()
