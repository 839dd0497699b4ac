"""A stream read page by page: nothing stays open in between, however slowly it is consumed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

_FIRST, _LARGEST = 64, 2_000  # events
_AMPLE = 4_000_000  # characters of payload and metadata; a page aims below that

Fetch = Callable[[int, int, int], list[Any]]


def forwards(fetch: Fetch, low: int, high: int, key: int, end: Callable[[], int]) -> Iterator[Any]:
    """The rows from ``low`` to ``high``, which count in column ``key``; ``fetch(low, high, size)`` gets some.

    The first page is fetched at once, and where it is full, ``end()`` says up to where there is anything now:
    what is appended later is not among the rows.
    """
    page = fetch(low, high, _FIRST) if low <= high else []
    if len(page) == _FIRST:
        high = min(high, end())
    return _on(page, fetch, high, key)


def backwards(fetch: Fetch, low: int, high: int, key: int) -> Iterator[Any]:
    """The same rows from the last to the first."""
    page = fetch(low, high, _FIRST) if low <= high else []
    return _back(page, fetch, low, key)


def _on(page: list[Any], fetch: Fetch, high: int, key: int) -> Iterator[Any]:
    size = _FIRST
    while page:
        yield from page
        low = page[-1][key] + 1
        if len(page) < size or low > high:
            return
        size = _size(page)
        page = fetch(low, high, size)


def _back(page: list[Any], fetch: Fetch, low: int, key: int) -> Iterator[Any]:
    size = _FIRST
    while page:
        yield from page
        high = page[-1][key] - 1
        if len(page) < size or high < low:
            return
        size = _size(page)
        page = fetch(low, high, size)


def _size(page: list[Any]) -> int:
    """How many events the next page may have, given how wide these are; at most four times as many."""
    width = sum([len(row[-1]) + len(row[-2]) for row in page]) // len(page) + 1
    return max(1, min(_LARGEST, 4 * len(page), _AMPLE // width))
