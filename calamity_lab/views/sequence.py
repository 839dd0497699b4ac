"""The sequence diagram of a cascade: who told whom what, in order, and which moment each was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.identity import Identity
from calamity_lab.text import format_value
from calamity_lab.trace.trace import Trace
from calamity_lab.views.cascade import Cascade, Correlation, cascade_of
from calamity_lab.views.told import Role, Told, of_command, of_pending
from calamity_lab.views.window import bounded

Tense = Literal["past", "now", "future"]

_GROUPS = ("user", "aggregate", "event store", "process manager")
_NAME = 200


@dataclass(frozen=True, slots=True)
class Participant:
    """Who takes part: the one who submits, an aggregate, the event store or a process manager."""

    name: str
    category: str
    kind: Role


@dataclass(frozen=True, slots=True)
class Message:
    """Something told from one participant to another, by their places; or by one to itself.

    ``kind`` is what it is about (see `Told`), ``detail`` the fact as a sentence. ``moment`` is the one to go
    to; None where nothing has happened yet. ``note`` is why: the reason of a refusal, the versions of a
    conflict.
    """

    key: str
    kind: str
    source: int
    target: int
    label: str
    detail: str
    note: str
    moment: int | None
    tense: Tense


@dataclass(frozen=True, slots=True)
class SequenceView:
    """A window on a cascade: of its ``total`` commands those from ``first`` on, and what each led to.

    ``title`` is the command that was submitted; ``correlation`` the id that all share.
    """

    title: str
    correlation: str
    total: int
    first: int
    commands: int
    participants: tuple[Participant, ...]
    messages: tuple[Message, ...]


def sequence(
    trace: Trace,
    cursor: int,
    *,
    correlation: Correlation = None,
    first: int | None = None,
    limit: int = 16,
) -> SequenceView:
    """The cascade of the moment at the cursor, around it or from ``first`` on; ``limit`` counts commands."""
    cascade, limit = cascade_of(trace, cursor, correlation), max(1, limit)
    total = len(cascade)
    first = bounded(first, cascade.place(cursor) + 1, total, limit) if total else 0
    last = min(first + limit, total)
    cast = _Cast()
    told = [each for place in range(first, last) for each in _told(trace, cursor, cascade, place)]
    now = _now(trace, cursor, told)
    for each in told:
        cast.enter(each)
    places = cast.places()
    return SequenceView(
        title=_title(trace, cascade),
        correlation=format_value(cascade.correlation, _NAME),
        total=total,
        first=first,
        commands=last - first,
        participants=tuple(places),
        messages=tuple(_message(each, places, cast, cursor, now) for each in told),
    )


@dataclass
class _Cast:
    """Who takes part, in order of appearance."""

    seen: dict[tuple[Role, str], Participant] = field(default_factory=dict)

    def enter(self, told: Told) -> None:
        for role, who in (told.source, told.target):
            if (role, who) not in self.seen:
                category = Identity.parse(who).category if role in ("aggregate", "process manager") else role
                self.seen[role, who] = Participant(
                    format_value(who, _NAME), format_value(category, _NAME), role
                )

    def places(self) -> dict[Participant, int]:
        """Each one's place: who submits on the left, then aggregates, the event store, process managers."""
        ordered = sorted(self.seen.values(), key=lambda each: _GROUPS.index(each.kind))
        return {each: place for place, each in enumerate(ordered)}


def _told(trace: Trace, cursor: int, cascade: Cascade, place: int) -> Iterator[Told]:
    if place < cascade.happened:
        return of_command(trace, cascade.start(place), cursor)
    return of_pending(cascade.pending[place - cascade.happened])


def _now(trace: Trace, cursor: int, told: list[Told]) -> tuple[int, int] | None:
    """What is being told at the cursor: the latest of the command that it stands in."""
    block = trace.index.command_start(cursor)
    there = [each.since for each in told if each.block == block and each.since is not None]
    begun = [since for since in there if since <= cursor]
    return (block, max(begun)) if begun else None


def _message(
    told: Told,
    places: dict[Participant, int],
    cast: _Cast,
    cursor: int,
    now: tuple[int, int] | None,
) -> Message:
    if told.since is None or told.since > cursor:
        tense: Tense = "future"
    else:
        tense = "now" if (told.block, told.since) == now else "past"
    return Message(
        key=told.key,
        kind=told.kind,
        source=places[cast.seen[told.source]],
        target=places[cast.seen[told.target]],
        label=told.label,
        detail=told.detail,
        note=told.note,
        moment=told.moment,
        tense=tense,
    )


def _title(trace: Trace, cascade: Cascade) -> str:
    """The submitted command; of a run, how many there are."""
    if not len(cascade):
        return ""
    if not cascade.correlation:
        return f"The whole run: {len(cascade):,} commands" if len(cascade) > 1 else "The whole run: 1 command"
    if not cascade.happened:
        return _root(cascade.pending[0])
    step, progress = trace[cascade.start(0)].step, trace[0].run.progress
    if step is not None:
        return _root(step.pending)
    return _root(progress.pending) if progress is not None else ""


def _root(pending: Pending) -> str:
    *_, root = pending.chain()
    return format_value(root.command_type, _NAME)
