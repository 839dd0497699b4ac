"""Which part of a long row is in sight: it follows what is looked at, and moves seldom."""

from __future__ import annotations


def followed(now: int, total: int, width: int) -> int:
    """How many items are left of a window that holds the item ``now``, with room before and after it.

    Windows begin at multiples of half their width, so that stepping moves them seldom.
    """
    stride = max(width // 2, 1)
    before = max(stride // 2, 1)
    first = max(0, (now - before) // stride) * stride
    furthest = -(-max(total - width, 0) // stride) * stride
    return min(first, furthest)


def bounded(first: int | None, now: int, total: int, width: int) -> int:
    """The window's beginning: the one asked for, as far as there is something, else the one that follows."""
    if first is None:
        return followed(now, total, width)
    return max(0, min(first, total - 1))
