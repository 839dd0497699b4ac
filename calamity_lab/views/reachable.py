"""States that can be reached, nearest first, as far as a bound allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Any

from calamity_lab.text import format_value

_LENGTH = 2_000


def explore(
    first: Iterable[tuple[int, Any]], following: Callable[[Any], Iterable[tuple[int, Any]]], most: int
) -> None:
    """Call ``following`` with at most ``most`` different states: it tells which follow, and how far they are.

    None stands for no state. States are the same when they look the same.
    """
    waiting: list[tuple[int, int, Any]] = []
    seen: set[str] = set()
    count = 0

    def put(distance: int, state: Any) -> None:
        nonlocal count
        if state is None or len(seen) >= 4 * most:
            return
        looks = format_value(state, _LENGTH)
        if looks not in seen:
            seen.add(looks)
            count += 1
            heappush(waiting, (distance, count, state))

    for distance, state in first:
        put(distance, state)
    for _ in range(most):
        if not waiting:
            return
        distance, _, state = heappop(waiting)
        for further, after in following(state):
            put(distance + further, after)
