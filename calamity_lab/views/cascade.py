"""A cascade: a submitted command and all that it caused, wherever in the trace that happened."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.constants import AllStreams
from calamity_lab.trace.trace import Trace

Correlation = str | AllStreams | None
"""Which cascade: that of the moment (None), that with a correlation id, or the whole run (ALL)."""

_MOST_PENDING = 64


class Cascade(NamedTuple):
    """The commands of a cascade: when each was dispatched, and those that wait at the end of the trace.

    ``correlation`` is the id that they share, ``""`` for those of a whole run. ``begun`` tells that the
    first was in progress already when the trace began: it was dispatched before.
    """

    correlation: str
    dispatched: Sequence[int]
    pending: tuple[Pending, ...]
    begun: bool

    def __len__(self) -> int:
        return self.begun + len(self.dispatched) + len(self.pending)

    @property
    def happened(self) -> int:
        """How many of its commands were dispatched."""
        return self.begun + len(self.dispatched)

    def start(self, place: int) -> int:
        """The moment at which the command at a place was dispatched; 0 for one that was in progress."""
        return 0 if place < self.begun else self.dispatched[place - self.begun]

    def place(self, moment: int) -> int:
        """The place of the latest command that was dispatched at a moment or before."""
        return max(self.begun + bisect_right(self.dispatched, moment) - 1, 0)


def cascade_of(trace: Trace, cursor: int, correlation: Correlation) -> Cascade:
    """The cascade asked for."""
    progress = trace[0].run.progress
    first = None if progress is None else progress.pending
    frontier = trace[trace.last].agenda
    if isinstance(correlation, AllStreams):
        pending = tuple(islice(frontier.entries(), _MOST_PENDING))
        return Cascade("", trace.index.dispatched, pending, first is not None)
    wanted = _correlation_at(trace, cursor) if correlation is None else correlation
    begun = first is not None and first.correlation_id == wanted
    # What a command caused lies in front of the others, so it need not be looked for behind them.
    waiting = islice(frontier.entries(), _MOST_PENDING)
    pending = tuple([entry for entry in waiting if entry.correlation_id == wanted])
    found = Cascade(wanted, trace.index.cascades.get(wanted, ()), pending, begun)
    if correlation is not None and not len(found):
        raise InvalidValue(
            f"no command of this trace has the correlation id {correlation!r}; an event's is its "
            "correlation_id, as in lab.events[0].correlation_id, and None is the one of the moment"
        )
    return found


def last_moment(trace: Trace, start: int) -> int:
    """The last moment of the command that was dispatched at a moment."""
    dispatched = trace.index.dispatched
    place = bisect_right(dispatched, start)
    return dispatched[place] - 1 if place < len(dispatched) else trace.last


def _correlation_at(trace: Trace, cursor: int) -> str:
    """The correlation id of the moment's command; before the first, of the one that comes next."""
    moment = trace[cursor]
    if moment.step is not None:
        return moment.step.pending.correlation_id
    if moment.run.progress is not None:
        return moment.run.progress.pending.correlation_id
    following = trace[1].step if trace.last else None
    if following is not None:
        return following.pending.correlation_id
    waiting = next(moment.agenda.entries(), None)
    return "" if waiting is None else waiting.correlation_id
