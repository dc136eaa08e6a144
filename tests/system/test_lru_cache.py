"""What is kept of things that took time to make."""

from tfstyle.system.lru_cache import LRUCache


def test_get_makes_once_and_forgets_what_was_asked_for_longest_ago():
    made = []

    def get(key):
        return recent.get(key, lambda: made.append(key) or key * 2)

    recent = LRUCache(2)
    assert [get("a"), get("b"), get("a"), get("c")] == ["aa", "bb", "aa", "cc"]
    assert made == ["a", "b", "c"]
    assert (get("a"), get("b")) == ("aa", "bb")
    assert made == ["a", "b", "c", "b"]
    assert len(recent) == 2


def test_get_keeps_nothing_of_what_cannot_be_made():
    recent = LRUCache(1)
    recent.get("a", list)
    for _ in range(2):
        try:
            recent.get("b", lambda: 1 / 0)
        except ZeroDivisionError:
            assert len(recent) == 0
    assert recent.get("b", dict) == {}
