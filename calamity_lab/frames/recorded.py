"""Recorded events as a DataFrame: what is known about each, and its fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from calamity_lab.frames.columns import Piece, column, labels, text
from calamity_lab.frames.flat import Group, flat
from calamity_lab.frames.kinds import kind_of
from calamity_lab.kernel.recorded import RecordedEvent

_TOLD = ("command", "process_manager")
"""What the kernel notes in an event's metadata; the rest was put there by whoever submitted the command."""


def recorded_frame(recorded: Sequence[RecordedEvent]) -> Any:
    """One row an event. `History.to_pandas` tells the rules."""
    length = len(recorded)
    types = _each(recorded, "event_type")
    metadata = _each(recorded, "metadata")
    known = {
        "position": _integers(recorded, "position"),
        "stream_id": text(_each(recorded, "stream_id")),
        "stream_version": _integers(recorded, "stream_version"),
        "event_type": labels(types),
        "event_id": text(_each(recorded, "event_id")),
        "correlation_id": text(_each(recorded, "correlation_id")),
        "causation_id": text(_each(recorded, "causation_id")),
        "recorded_at": _times(recorded),
        "command": labels([entries.get("command") for entries in metadata]),
        "process_manager": text([entries.get("process_manager") for entries in metadata]),
    }
    known |= _rest(metadata, length)
    return flat(known, _groups(types, _each(recorded, "event")), length)


def _each(recorded: Sequence[RecordedEvent], name: str) -> list[Any]:
    return list(map(attrgetter(name), recorded))


def _integers(recorded: Sequence[RecordedEvent], name: str) -> Any:
    return np.fromiter(map(attrgetter(name), recorded), dtype=np.int64, count=len(recorded))


def _times(recorded: Sequence[RecordedEvent]) -> Any:
    return pd.DatetimeIndex(_each(recorded, "recorded_at"), dtype="datetime64[us, UTC]")


def _rest(metadata: Sequence[Mapping[str, Any]], length: int) -> dict[str, Any]:
    """Columns for further metadata, as in ``metadata.user``."""
    names = sorted({*chain.from_iterable(metadata)} - {*_TOLD}, key=str)
    lists = {name: [entries.get(name) for entries in metadata] for name in names}
    return {
        f"metadata.{name}": column(kind_of(values), [Piece(slice(None), values)], length)
        for name, values in lists.items()
    }


def _groups(names: Sequence[str], events: Sequence[Any]) -> Iterator[Group]:
    """The events by type name and class, in order of appearance."""
    classes = list(map(type, events))
    by_name, by_class = _codes(names), _codes(classes)
    pairs = by_name * (int(by_class.max(initial=0)) + 1) + by_class
    _, first, codes = np.unique(pairs, return_index=True, return_inverse=True)
    if len(first) == 1:
        yield Group(names[0], slice(None), events)
        return
    every = np.fromiter(events, dtype=object, count=len(events))
    order = np.argsort(codes, kind="stable")
    places = np.split(order, np.cumsum(np.bincount(codes))[:-1]) if len(first) else []
    for rows in sorted(places, key=lambda rows: rows[0]):
        yield Group(names[rows[0]], rows, every[rows].tolist())


def _codes(values: Sequence[Any]) -> Any:
    code = {value: n for n, value in enumerate(dict.fromkeys(values))}
    return np.fromiter(map(code.__getitem__, values), dtype=np.int64, count=len(values))
