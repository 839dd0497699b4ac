"""Where a query was found, remembered, so that a search looks only at what is new.

The texts of a growing row are kept, so another query costs no more than reading them; a query that begins
with an earlier one reads only what that one found. Only the lanes that changed since are searched again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from calamity_lab.kernel.memo import Memo, Slot
from calamity_lab.trace.trace import Trace

BETWEEN = "\x1f"
"""The separator between the texts of one thing: a character that nobody types."""

_MOST_SEARCHES = 8


class Searchable(NamedTuple):
    """Things in order that can be searched: more may come, and another branch may continue differently.

    ``item`` is the thing at a place, ``since`` gives those from a place on, ``text`` what is found in one.
    """

    kind: str
    length: int
    item: Callable[[int], Any]
    since: Callable[[int], Iterator[Any]]
    text: Callable[[Any], str]


class _Search(NamedTuple):
    """The indices below ``upto`` of the things that contain the query."""

    upto: int
    places: list[int]


class _Read(NamedTuple):
    """The things that were read, the text of each, and the searches in these texts."""

    items: list[Any]
    texts: list[str]
    searches: OrderedDict[str, _Search]


_ROWS = Slot[_Read](most=6)


def places(memo: Memo, row: Searchable, wanted: str) -> list[int]:
    """The indices of the things that contain the query, which must be in lower case, in order."""
    if not row.length:
        return []
    read = _read(memo, row)
    known = read.searches.get(wanted)
    if known is None or known.upto < row.length:
        found = _found(read, wanted, known or _nearest(read, wanted))
        known = read.searches[wanted] = _Search(row.length, found)
        if len(read.searches) > _MOST_SEARCHES:
            read.searches.popitem(last=False)
    read.searches.move_to_end(wanted)
    return known.places


def small(*texts: str) -> str:
    """The texts as one text in lower case, so that the case of a query does not matter."""
    return BETWEEN.join(texts).casefold()


def _read(memo: Memo, row: Searchable) -> _Read:
    """All things of this branch with their texts; what only another branch has is forgotten."""
    first = row.item(0)
    read = memo.recall(_ROWS, first, key=row.kind) or _Read([], [], OrderedDict())
    shared = _shared(read.items, row)
    if shared < len(read.items) or shared < row.length:
        fresh = list(row.since(shared))
        # New lists, because another thread may hold the old ones.
        read = _Read(
            read.items[:shared] + fresh,
            read.texts[:shared] + [row.text(item) for item in fresh],
            OrderedDict((wanted, _upto(search, shared)) for wanted, search in read.searches.items()),
        )
    return memo.keep(_ROWS, read, first, key=row.kind)


def _shared(items: list[Any], row: Searchable) -> int:
    """How many things from the first on are shared: branches that share one share all before it."""
    most = min(len(items), row.length)
    if most and items[most - 1] is row.item(most - 1):
        return most
    return bisect_left(range(most), True, key=lambda place: items[place] is not row.item(place))


def _upto(search: _Search, shared: int) -> _Search:
    if search.upto <= shared:
        return search
    return _Search(shared, search.places[: bisect_left(search.places, shared)])


def _nearest(read: _Read, wanted: str) -> _Search:
    """The earlier search that leaves the fewest texts to read, of those whose query this one contains."""
    wider = [search for query, search in read.searches.items() if query in wanted]
    return min(wider, key=lambda search: len(search.places) - search.upto, default=_Search(0, []))


def _found(read: _Read, wanted: str, known: _Search) -> list[int]:
    texts = read.texts
    found = [place for place in known.places if wanted in texts[place]]
    return found + [place for place in range(known.upto, len(texts)) if wanted in texts[place]]


_FAR = 512
_BLOCK = 64


class _LaneSearch(NamedTuple):
    """Which lanes matched at a moment, a bit for each; ``token`` is what only that moment's past has."""

    cursor: int
    token: Any
    bits: int


_LANE_SEARCHES = Slot[_LaneSearch](most=8)


def matching(trace: Trace, cursor: int, wanted: str, living: int, matches: Callable[[int], bool]) -> int:
    """The living lanes that match at the cursor, one bit each; ``matches`` takes the number of a lane."""
    last = trace.memo.recall(_LANE_SEARCHES, key=wanted)
    bits, lanes = 0, None
    if last is not None and last.cursor <= trace.last and _identity_token(trace, last.cursor) is last.token:
        bits, lanes = last.bits, _lanes_between(trace, last.cursor, cursor)
    for lane in members(living, 0, living.bit_count()) if lanes is None else lanes:
        bits = bits | 1 << lane if matches(lane) else bits & ~(1 << lane)
    trace.memo.keep(_LANE_SEARCHES, _LaneSearch(cursor, _identity_token(trace, cursor), bits), key=wanted)
    return bits & living


def members(bits: int, skip: int, limit: int) -> Iterator[int]:
    """The numbers of the set bits, ``limit`` of them after the first ``skip``; blocks are counted first."""
    raw = bits.to_bytes(bits.bit_length() // 8 + 1, "little")
    for start in range(0, len(raw), _BLOCK):
        if limit <= 0:
            return
        block = int.from_bytes(raw[start : start + _BLOCK], "little")
        count = block.bit_count()
        if skip >= count:
            skip -= count
            continue
        while block and limit > 0:
            lowest = block & -block
            block ^= lowest
            if skip:
                skip -= 1
            else:
                limit -= 1
                yield 8 * start + lowest.bit_length() - 1


def _identity_token(trace: Trace, moment: int) -> Any:
    """An object that only this moment has, on any branch; inputs do not change it."""
    step = trace[moment].step
    return trace[moment].stack.aggregates if step is None else step


def _lanes_between(trace: Trace, here: int, there: int) -> list[int] | None:
    """The lanes that may differ between two moments; None if there are too many moments between them."""
    start, stop = sorted((here, there))
    if stop - start > _FAR:
        return None
    places = trace.index.lane_numbers
    found = set()
    for moment in trace.branch.moments.iterate(start + 1, stop + 1):
        step = moment.step
        place = None if step is None or step.stream_id is None else places.get(step.stream_id)
        if place is not None:
            found.add(place)
    return sorted(found)
