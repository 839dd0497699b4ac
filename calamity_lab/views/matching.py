"""Which lanes a query is found in, remembered, so that a step looks only at the lanes that it changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from calamity_lab.kernel.steps import AtAggregate, AtProcessManager
from calamity_lab.trace.trace import Trace

_FAR = 512
_MOST_SEARCHES = 8
_BLOCK = 64


class _Search(NamedTuple):
    """Which lanes matched at a moment, a bit for each; ``seal`` is what only that moment's past has."""

    cursor: int
    seal: Any
    bits: int


_searches: OrderedDict[str, _Search] = OrderedDict()


def matching(trace: Trace, cursor: int, wanted: str, living: int, matches: Callable[[int], bool]) -> int:
    """Those of the living lanes, a bit for each, that match at the cursor; ``matches`` is asked by number."""
    last = _searches.get(wanted)
    bits, lanes = 0, None
    if last is not None and last.cursor <= trace.last and _seal(trace, last.cursor) is last.seal:
        bits, lanes = last.bits, _lanes_between(trace, last.cursor, cursor)
    for lane in members(living, 0, living.bit_count()) if lanes is None else lanes:
        bits = bits | 1 << lane if matches(lane) else bits & ~(1 << lane)
    _searches[wanted] = _Search(cursor, _seal(trace, cursor), bits)
    _searches.move_to_end(wanted)
    if len(_searches) > _MOST_SEARCHES:
        _searches.popitem(last=False)
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


def _seal(trace: Trace, moment: int) -> Any:
    """An object that only this moment, on whatever branch, has; inputs do not change it."""
    step = trace[moment].step
    return trace[moment].stack.aggregates if step is None else step


def _lanes_between(trace: Trace, here: int, there: int) -> list[int] | None:
    """The lanes that may differ between two moments; None where that is too far to walk."""
    start, stop = sorted((here, there))
    if stop - start > _FAR:
        return None
    places = trace.index.places
    found = set()
    for moment in trace.branch.moments.iterate(start + 1, stop + 1):
        step = moment.step
        if isinstance(step, (AtAggregate, AtProcessManager)) and step.identity.stream_id in places:
            found.add(places[step.identity.stream_id])
    return sorted(found)
