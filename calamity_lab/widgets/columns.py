"""A chart as the front end takes it: what is new of its columns, packed where that is much."""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from calamity_lab.views.chart import Chart
from calamity_lab.widgets.patches import plain

MANY = 400
"""From so many new items on they are packed."""


def told(chart: Chart, earlier: Chart | None) -> dict[str, Any]:
    """What the front end needs that knows an earlier chart; nothing where it knows all.

    ``kept`` tells how much holds of what it knows (events, steps, lanes, names), the others what comes behind
    it: ``columns`` are the new items of each column, the events' first. Many are packed, as bytes; ``count``
    then tells how many there are of the events and of the steps.
    """
    shared, sizes = chart.shared(earlier), chart.sizes
    if earlier is not None and shared == earlier.sizes == sizes:
        return {}
    columns = [column[shared.events : sizes.events] for column in chart.columns.events]
    columns += [column[shared.steps : sizes.steps] for column in chart.columns.steps]
    count = [sizes.events - shared.events, sizes.steps - shared.steps]
    lanes = [plain(lane) for lane in chart.columns.lanes[shared.lanes : sizes.lanes]]
    return {
        "kept": list(shared),
        "names": chart.columns.names[shared.names : sizes.names],
        "lanes": lanes if len(lanes) < MANY else zlib.compress(json.dumps(lanes).encode(), 1),
        "count": count,
        "columns": [list(column) for column in columns] if sum(count) < MANY else packed(columns),
    }


def packed(columns: Iterable[Iterable[int]]) -> bytes:
    """Columns of whole numbers, small for what they tell.

    Of each column the differences from item to item, doubled, and one less where they are negative, as 8
    bytes each, the lowest first; of all of these the first bytes, then the second ones, and so on; deflated.
    """
    return zlib.compress(b"".join(_planes(column) for column in columns), 1)


def _planes(column: Iterable[int]) -> bytes:
    numbers = array("Q", _differences(column))
    if sys.byteorder == "big":
        numbers.byteswap()
    whole = numbers.tobytes()
    return b"".join(whole[place::8] for place in range(8))


def _differences(column: Iterable[int]) -> Iterator[int]:
    before = 0
    for number in column:
        difference, before = number - before, number
        yield 2 * difference if difference >= 0 else -2 * difference - 1
