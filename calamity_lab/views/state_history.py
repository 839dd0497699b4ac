"""What a field of a state was after each event: numbers for a sparkline, others as a list of changes."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, Literal, NamedTuple

from calamity_lab.text import format_value
from calamity_lab.trace.differences import ABSENT, differences
from calamity_lab.views.inner import state_at
from calamity_lab.views.revisions import Revisions

POINTS = 128
"""Of a longer history every second version is looked at, or every fourth, and so on."""
CHANGES = 12
"""So many values of a list of changes are told."""

_LENGTH = 80
_LATER = 4
_MOST_REMEMBERED = 64
_MOST_TOLD = 8


@dataclass(frozen=True, slots=True)
class FieldHistory:
    """The values of a field by version; ``past`` of them are not later than the cursor.

    ``moments`` tells when each came to be, None where that is older than the trace. ``heights`` are between
    0 (``least``) and 1 (``most``), None where there is no number; changes have none. ``every`` is 1 where
    all versions were looked at. ``earlier`` is how many changes before the first were left out.
    """

    kind: Literal["numbers", "changes"]
    versions: tuple[int, ...]
    moments: tuple[int | None, ...]
    values: tuple[str, ...]
    heights: tuple[float | None, ...]
    past: int
    least: str
    most: str
    every: int
    earlier: int


class _Point(NamedTuple):
    version: int
    moment: int | None
    value: Any


class _Looked(NamedTuple):
    """What was found when a history was looked through, and how it was told, by the version at the cursor.

    It holds its ``seal``, so that no other object gets that one's id while it is remembered.
    """

    seal: Any
    every: int
    points: list[_Point]
    told: dict[int, FieldHistory]


def field_history(revisions: Revisions, path: str, cursor: int) -> FieldHistory:
    """The history of what a path leads to, up to the end of the branch."""
    looked, now = _look(revisions, path), revisions.upto(cursor)
    if now not in looked.told:
        if len(looked.told) >= _MOST_TOLD:
            looked.told.clear()
        looked.told[now] = _drawn(looked, now)
    return looked.told[now]


def _drawn(looked: _Looked, now: int) -> FieldHistory:
    points = looked.points
    numbers = [_number(point.value) for point in points]
    if any(number is not None for number in numbers) and all(
        number is not None or point.value is None or point.value is ABSENT
        for number, point in zip(numbers, points, strict=True)
    ):
        return _sparkline(points, numbers, now, looked.every)
    return _changes(points, now, looked.every)


def _sparkline(
    points: Sequence[_Point], numbers: Sequence[float | None], now: int, every: int
) -> FieldHistory:
    there = [
        (number, point.value) for number, point in zip(numbers, points, strict=True) if number is not None
    ]
    (least, lowest), (most, highest) = min(there, key=_first), max(there, key=_first)
    span = most / 2 - least / 2  # halves, since the whole may be beyond a float
    heights = [
        None if number is None else round((number / 2 - least / 2) / span, 4) if span else 0.5
        for number in numbers
    ]
    past = sum(point.version <= now for point in points)
    return _told(
        "numbers",
        points,
        heights,
        past,
        format_value(lowest, _LENGTH),
        format_value(highest, _LENGTH),
        every,
        0,
    )


def _changes(points: Sequence[_Point], now: int, every: int) -> FieldHistory:
    changes = [*points[:1], *(point for before, point in pairwise(points) if _differ(before, point))]
    past = sum(point.version <= now for point in changes)
    last = min(len(changes), max(past + _LATER, CHANGES))
    first = max(0, last - CHANGES)
    return _told("changes", changes[first:last], (), past - first, "", "", every, first)


def _told(
    kind: Literal["numbers", "changes"],
    points: Sequence[_Point],
    heights: Sequence[float | None],
    past: int,
    least: str,
    most: str,
    every: int,
    earlier: int,
) -> FieldHistory:
    return FieldHistory(
        kind,
        tuple(point.version for point in points),
        tuple(point.moment for point in points),
        tuple(_text(point.value) for point in points),
        tuple(heights),
        past,
        least,
        most,
        every,
        earlier,
    )


def _look(revisions: Revisions, path: str) -> _Looked:
    """The values by version; looked through once, as long as no further version comes."""
    seal, last = revisions.seal, revisions.last
    key = (id(seal), revisions.stream_id, revisions.given, path, last)
    found = _remembered.get(key)
    if found is None:
        every = 1
        while last // every > POINTS:
            every *= 2
        looked_at = dict.fromkeys([*range(every, last + 1, every), last]) if last else {}
        points = [_point(revisions, version, path) for version in looked_at]
        known = [point for point in points if point is not None]
        found = _remembered[key] = _Looked(seal, every, known, {})
        if len(_remembered) > _MOST_REMEMBERED:
            _remembered.popitem(last=False)
    return found


def _point(revisions: Revisions, version: int, path: str) -> _Point | None:
    """The value at a version; None where the state cannot be known."""
    revision = revisions.at(version)
    if revision.state is None:
        return None
    return _Point(version, revision.moment, state_at(revision.state, path))


def _differ(before: _Point, after: _Point) -> bool:
    return next(differences(before.value, after.value), None) is not None


def _number(value: Any) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):  # beyond a float, or a signalling NaN: told as a text
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    return "not there" if value is ABSENT else format_value(value, _LENGTH)


def _first(pair: tuple[float, Any]) -> float:
    return pair[0]


_remembered: OrderedDict[tuple[int, str, type | None, str, int], _Looked] = OrderedDict()
