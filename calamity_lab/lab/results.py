"""The results that a lab returns: states, steps, commands, branches, replays and commits, as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import groupby, islice
from operator import attrgetter
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, overload

from calamity_lab import frames
from calamity_lab.errors import InvalidValue, UnknownKey, repr_of, text_of
from calamity_lab.frames.files import Exports
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.arguments import a_whole_number, an_index, are_equal, is_a, span
from calamity_lab.kernel.clocks_and_ids import read
from calamity_lab.kernel.deadlines import Deadlines
from calamity_lab.kernel.faults import ArmedFault, Fault
from calamity_lab.kernel.identity import stored_name, stream_id_of
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.steps import Step
from calamity_lab.text import (
    format_fields,
    format_value,
    how_far_off,
    html_table,
    plain_sentence,
    plural,
    point_in_time,
)
from calamity_lab.trace.compare import Compared, ComparedRow
from calamity_lab.trace.projections import BrokenProjection
from calamity_lab.trace.replay import Replayed, ReplayRow, SubmittedCommand, differing
from calamity_lab.trace.selection import Note
from calamity_lab.trace.sentences import fact, origin, sent_by, sentence
from calamity_lab.trace.stops import Breakpoint, Stops
from calamity_lab.trace.trace import Branch, Trace
from calamity_lab.trace.watches import Value, Watch
from calamity_lab.views.process_graph import NotSent, Sender
from calamity_lab.views.search import FoundText
from calamity_lab.views.why import ChainOfCauses, FieldChange, WhyLink

if TYPE_CHECKING:
    from pandas import DataFrame

    from calamity_lab.views.details import Details

_ROWS = 20
_ROWS_OF_PART = 10
_NAMED = 8
_COMPARED = 1_000
_LENGTH = 200
_COMMITTED_LENGTH = 160
_HEADINGS = ("position", "stream_id", "stream_version", "event_type", "event")


class States(Mapping[str, Any], Exports):
    """States by stream id, as in ``lab.aggregates["BankAccount-1"]``.

    An export, such as `to_pandas`, has every state up to the cursor, not only the current ones.
    """

    def __init__(self, noun: str, states: Mapping[str, Any], table: Callable[[], Exports]) -> None:
        self._noun = noun
        self._states = states
        self._table = table

    def __getitem__(self, key: Any) -> Any:
        stream_id = stream_id_of(key)
        state = self._states.get(stream_id) if is_a(stream_id, str) else None
        if state is None:
            missing = f"there is no {self._noun} {repr_of(stream_id)} at this moment"
            raise UnknownKey(f"{missing}; {self._meant(stream_id)}")
        return state

    def get(self, key: Any, default: Any = None) -> Any:
        """The state with that stream id or `Identity`, or the default."""
        return self._states.get(stream_id_of(key), default)

    def __contains__(self, key: object) -> bool:
        return stream_id_of(key) in self._states

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def to_pandas(self) -> DataFrame:
        """One row per event that made a state, up to the cursor, with the fields of that state."""
        return self._table().to_pandas()

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`, with the fields of the state under ``state``."""
        return self._table().rows()

    def __repr__(self) -> str:
        lines = [f"{format_value(stream_id)}  {_fields(state)}" for stream_id, state in self._first()]
        return "\n".join([self._caption(), *lines])

    def _repr_html_(self) -> str:
        rows = [(format_value(stream_id), _fields(state)) for stream_id, state in self._first()]
        return html_table((self._noun, "state"), rows, self._caption())

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _first(self) -> list[tuple[str, Any]]:
        return list(self._states.items())[:_ROWS]

    def _meant(self, key: Any) -> str:
        """The nearest stream ids, else those that there are; of very many only the first are compared."""
        names = list(islice(self._states, _COMPARED))
        ids = [name for name in names if name.partition("-")[2] == text_of(key)]
        near = ids or get_close_matches(text_of(key), names)
        if near:
            return f"did you mean {' or '.join(repr(name) for name in near[:_NAMED])}?"
        return f"{self._known()}. Move the cursor to a later moment, or name another one"

    def _known(self) -> str:
        names = list(self._states)[:_NAMED]
        if not names:
            return f"there is no {self._noun} yet"
        return f"known: {', '.join(names)}" + (", ..." if len(self) > _NAMED else "")

    def _caption(self) -> str:
        return _caption(len(self), self._noun)


class Steps(Sequence[Step], Exports):
    """The steps up to the cursor, or some of them; `to_pandas` gives them as a table."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | Sequence[Step]:
        if type(index) is slice:
            span(index, len(self))
            return Steps(self._steps[index])
        return self._steps[an_index("steps[index]", index, len(self), "step")]

    def __len__(self) -> int:
        return len(self._steps)

    def to_pandas(self) -> DataFrame:
        """One row per step."""
        return self._table().to_pandas()

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`."""
        return self._table().rows()

    def _table(self) -> Exports:
        return frames.step_table(self._steps)

    def __repr__(self) -> str:
        return "\n".join([self._caption(), *(sentence(step) for step in self._last())])

    def _repr_html_(self) -> str:
        rows = [(f"{step.index:,}", step.kind, fact(step)) for step in self._last()]
        return html_table(("step", "kind", "fact"), rows, self._caption())

    def _last(self) -> Sequence[Step]:
        return self._steps[max(len(self) - _ROWS, 0) :]

    def _caption(self) -> str:
        return _caption(len(self), "step", "last")


class PendingCommands(Sequence[Any], Exports):
    """The commands on the agenda, in order; ``pending`` also has their ids and causes."""

    def __init__(self, agenda: Agenda) -> None:
        self._agenda = agenda

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The entries of the agenda: each command with its id and its cause."""
        return self._agenda.pending

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        return self._agenda[index]

    def __len__(self) -> int:
        return len(self._agenda)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._agenda)

    def __eq__(self, other: Any) -> bool:
        return are_equal(self._agenda, other._agenda if is_a(other, PendingCommands) else other)

    def __hash__(self) -> int:
        return hash(self._agenda)

    def to_pandas(self) -> DataFrame:
        """One row per pending command, with its fields; the command of a deadline has ``due_at``."""
        return self._table().to_pandas()

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`, with the fields of the command under ``command``."""
        return self._table().rows()

    def _table(self) -> Exports:
        return frames.pending_table(self._agenda.entries())

    def __repr__(self) -> str:
        return "\n".join(
            [
                self._caption(),
                *(f"{n}  {format_value(p.command, _LENGTH)}, {origin(p)}" for n, p in self._first()),
            ]
        )

    def _repr_html_(self) -> str:
        rows = [(str(n), format_value(p.command, _LENGTH), origin(p)) for n, p in self._first()]
        return html_table(("index", "command", "caused by"), rows, self._caption())

    def _first(self) -> list[tuple[int, Pending]]:
        return [(n, p) for n, p in zip(range(_ROWS), self._agenda.entries(), strict=False)]

    def _caption(self) -> str:
        return _caption(len(self), "pending command")


class SetDeadlines(Sequence[Pending], Exports):
    """The deadlines that are set, in order of when they are due; ``now`` is the time of the clock.

    Each is a pending command with ``due_at``, its name ``deadline``, and its ``sender``, which set it.
    """

    def __init__(self, deadlines: Deadlines, run: Run) -> None:
        self._deadlines = deadlines
        self.now = read(run.stack.clock)[0]

    @overload
    def __getitem__(self, index: int) -> Pending: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Pending]: ...
    def __getitem__(self, index: int | slice) -> Pending | Sequence[Pending]:
        return self._deadlines[index]

    def __len__(self) -> int:
        return len(self._deadlines)

    def of(self, instance: str) -> tuple[Pending, ...]:
        """The deadlines of one process manager instance, as in ``lab.deadlines.of("Transfer-t1")``."""
        return self._deadlines.of(instance)

    def to_pandas(self) -> DataFrame:
        """One row per deadline: its command with its fields, who set it, its name, and when it is due."""
        return self._table().to_pandas()

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`, with the fields of the command under ``command``."""
        return self._table().rows()

    def _table(self) -> Exports:
        return frames.pending_table(self._deadlines)

    def __repr__(self) -> str:
        lines = [f"{n}  {', '.join(row)}" for n, row in enumerate(self._shown())]
        return "\n".join([self._caption(), *lines])

    def _repr_html_(self) -> str:
        rows = [(str(n), *row) for n, row in enumerate(self._shown())]
        return html_table(("index", "due", "deadline", "command", "set by"), rows, self._caption())

    def _shown(self) -> list[tuple[str, str, str, str]]:
        return [
            (
                f"{point_in_time(each.due_at)} ({how_far_off(each.due_at, self.now)})",
                plain_sentence(str(each.deadline), _LENGTH),
                format_value(each.command, _LENGTH),
                sent_by(each),
            )
            for each in islice(self._deadlines, _ROWS)
            if each.due_at is not None
        ]

    def _caption(self) -> str:
        return _caption(len(self), "deadline")


class ArmedFaults(Sequence[Fault]):
    """The faults that wait for the moment where they fit, in order; ``armed`` also has their ids."""

    def __init__(self, armed: tuple[ArmedFault, ...]) -> None:
        self.armed = armed

    @overload
    def __getitem__(self, index: int) -> Fault: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Fault]: ...
    def __getitem__(self, index: int | slice) -> Fault | Sequence[Fault]:
        if type(index) is slice:
            span(index, len(self))
            return tuple([each.fault for each in self.armed[index]])
        return self.armed[an_index("faults[index]", index, len(self), "armed fault")].fault

    def __len__(self) -> int:
        return len(self.armed)

    def __repr__(self) -> str:
        rows = [f"{n}  {fault}, waits for {waits_for}" for n, fault, waits_for in self._rows()]
        return "\n".join([self._caption(), *rows])

    def _repr_html_(self) -> str:
        return html_table(("index", "fault", "waits for"), list(self._rows()), self._caption())

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        for n, (fault, _) in enumerate(self.armed[:_ROWS]):
            yield str(n), plain_sentence(repr_of(fault), _LENGTH), plain_sentence(fault.waits_for, _LENGTH)

    def _caption(self) -> str:
        return _caption(len(self), "armed fault")


class Branches(Mapping[str, Branch]):
    """The branches by name, as in ``lab.branches["main"]``; the first one is the oldest."""

    def __init__(self, trace: Trace) -> None:
        self._branches, self._current = trace.branches, trace.branch.name

    def __getitem__(self, name: str) -> Branch:
        try:
            return self._branches[name]
        except (KeyError, TypeError):
            raise UnknownKey(
                f"there is no branch {repr_of(name)}; there are: {', '.join(self._branches)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._branches)

    def __len__(self) -> int:
        return len(self._branches)

    def __repr__(self) -> str:
        caption = plural(len(self), "branch", "branches")
        rows = [f"{name}  {moments}{came}{here}" for name, moments, came, here in self._rows()]
        return "\n".join([caption, *rows])

    def _repr_html_(self) -> str:
        rows = [
            (name, moments, came.removeprefix(", "), here.strip())
            for name, moments, came, here in self._rows()
        ]
        return html_table(("branch", "length", "began", ""), rows, plural(len(self), "branch", "branches"))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        for name, branch in self._branches.items():
            came = f", left {branch.parent} at step {branch.forked_at:,}" if branch.parent else ""
            here = "  (looked at)" if name == self._current else ""
            yield name, plural(len(branch.moments) - 1, "step"), came, here


class SubmittedCommands(Sequence[SubmittedCommand]):
    """The submitted commands of the current branch, numbered from 0; edits of a replay name these numbers."""

    def __init__(self, commands: Sequence[SubmittedCommand]) -> None:
        self._commands = commands

    @overload
    def __getitem__(self, index: int) -> SubmittedCommand: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[SubmittedCommand]: ...
    def __getitem__(self, index: int | slice) -> SubmittedCommand | Sequence[SubmittedCommand]:
        if type(index) is slice:
            span(index, len(self))
            return SubmittedCommands(self._commands[index])
        return self._commands[an_index("submitted[index]", index, len(self), "submitted command")]

    def __len__(self) -> int:
        return len(self._commands)

    def number(self, call: str, which: Any) -> int:
        """The number of a submitted command that is given by its number, or as the command itself."""
        if is_a(which, int) and not is_a(which, bool):
            return a_whole_number(call, which, low=0)
        found = [each.number for each in self._commands if each.command is which]
        found = found or [each.number for each in self._commands if are_equal(each.command, which)]
        if len(found) == 1:
            return found[0]
        numbers = f"submitted as numbers {', '.join(map(str, found))}" if found else "not submitted"
        raise InvalidValue(f"{call}: {repr_of(which)} was {numbers}; give its number, as in lab.submitted")

    def __repr__(self) -> str:
        rows = [
            f"{each.number}  {format_value(each.command, _COMMITTED_LENGTH)}"
            for each in self._commands[:_ROWS]
        ]
        return "\n".join([self._caption(), *rows])

    def _repr_html_(self) -> str:
        rows = [
            (
                str(each.number),
                stored_name(type(each.command)),
                format_fields(each.command, _LENGTH),
                f"{each.moment:,}",
            )
            for each in self._commands[:_ROWS]
        ]
        return html_table(("number", "command", "fields", "sent at step"), rows, self._caption())

    def _caption(self) -> str:
        return _caption(len(self), "submitted command")


class Replay(Sequence[ReplayRow], Exports):
    """What became of each command in a replay: one row per submitted command and per command that it caused.

    ``outcome`` is ``same``, ``changed``, ``rejected`` (it was accepted), ``accepted`` (it was rejected),
    ``new`` or ``gone``. `branch` is the new branch, `sentence` says in short what came of it, and
    `first_difference` is the first step on it at which a command had a different outcome. `unplayed` says
    which inputs could not be put in again, and why. `error` is what stopped the replay, if a callback of
    the model failed. After `Lab.reload`, `states` says which states differ at the end.
    """

    def __init__(self, replayed: Replayed) -> None:
        self._rows = replayed.rows
        self.branch, self._last = replayed.trace.branch, replayed.trace.last
        self.first_difference = replayed.first_difference
        self.unplayed, self.states = replayed.unplayed, replayed.states
        self.error = replayed.error
        self.sentence = replayed.sentence

    @overload
    def __getitem__(self, index: int) -> ReplayRow: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ReplayRow]: ...
    def __getitem__(self, index: int | slice) -> ReplayRow | Sequence[ReplayRow]:
        if type(index) is slice:
            span(index, len(self))
            return self._rows[index]
        return self._rows[an_index("replay[index]", index, len(self), "command")]

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def differences(self) -> tuple[ReplayRow, ...]:
        """The rows of the commands whose outcome is not the same."""
        return differing(self._rows)

    def to_pandas(self) -> DataFrame:
        """One row per command, in the order of the new branch."""
        import pandas as pd

        columns = ("number", "command", "depth", "outcome", "before", "after", "differs", "moment")
        frame = pd.DataFrame([tuple(row.values()) for row in self.rows()], columns=columns)
        return frame.astype({"number": "Int64", "moment": "Int64"})

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`."""
        return [{**row._asdict(), "command": stored_name(type(row.command))} for row in self._rows]

    def __repr__(self) -> str:
        lines = [self.sentence, *self.notes]
        lines += [
            f"{self._named(row)}  {row.outcome}: {self._in_words(row)}" for row in self.differences[:_ROWS]
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (
                "" if row.moment is None else f"{row.moment:,}",
                self._named(row),
                row.outcome,
                row.before,
                row.after,
            )
            for row in self.differences[:_ROWS]
        ]
        caption = ". ".join([self.sentence, *self.notes])
        return html_table(("step", "command", "outcome", "before", "after"), rows, caption)

    @property
    def notes(self) -> list[str]:
        """What was not replayed, and what stopped the replay, as sentences."""
        stopped = [] if self.error is None else [f"Stopped at step {self._last:,}: {self.error}"]
        more = len(self.unplayed) - _NAMED
        rest = [f"Not replayed: {plural(more, 'other input')} (see unplayed)"] if more > 0 else []
        return [*(f"Not replayed: {each}" for each in self.unplayed[:_NAMED]), *rest, *stopped]

    @staticmethod
    def _named(row: ReplayRow) -> str:
        number = "inserted" if row.number is None else f"{row.number}"
        return f"{number} {'› ' * row.depth}{stored_name(type(row.command))}"

    @staticmethod
    def _in_words(row: ReplayRow) -> str:
        return row.differs or f"{row.before or 'was not there'} → {row.after or 'is not there'}"


class Comparison(Exports):
    """What differs between two branches, `a` and `b`; it is false where nothing differs.

    `diverged_at` is the last moment up to which the same happened on both branches; it is None if they never
    part. `events` and `commands` are those after the moments that both share, in order. Each has a ``status``
    ("same", "changed", "only in a" or "only in b"), its moment on each branch, and what ``differs``. Ids,
    times and positions do not count. `state` has the fields in which the states differ, as of the end of each
    branch or as of the given moment: ``stream_id``, ``field``, ``a`` and ``b``. A stream that only one branch
    has is one row without a field. `pending` are the pending commands that differ.
    """

    def __init__(self, compared: Compared) -> None:
        self.a, self.b, self.at = compared.a, compared.b, compared.at
        self.diverged_at = compared.diverged_at
        self.events, self.commands = compared.events, compared.commands
        self.state, self.pending = compared.state, compared.pending
        self.shared_events = compared.shared_events
        self._compared = compared

    def __bool__(self) -> bool:
        return bool(self._compared)

    def to_pandas(self) -> DataFrame:
        """One row per difference: of the events, of the states, of the commands, of what is pending."""
        import pandas as pd

        frame = pd.DataFrame([tuple(row) for row in self._compared.rows()], columns=ComparedRow._fields)
        return frame.astype({"moment_a": "Int64", "moment_b": "Int64"})

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`; ``a`` and ``b`` are the events, commands or values themselves."""
        return [row._asdict() for row in self._compared.rows()]

    def __repr__(self) -> str:
        lines = [self._caption()]
        for *named, a, b in self._first():
            sides = [f"{branch.name}: {text}" for branch, text in ((self.a, a), (self.b, b)) if text]
            lines.append("  ".join(filter(None, [*named, *sides])))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        headings = "difference", "stream", "name", self.a.name, self.b.name
        return html_table(headings, self._first(), self._caption())

    def _first(self) -> list[tuple[str, ...]]:
        """The first rows of each part, as texts."""
        return [
            (f"{part} {row.status_between(self.a, self.b)}", row.stream_id or "", row.name, *row.sides())
            for part, rows in groupby(self._compared.rows(), key=attrgetter("part"))
            for row in islice(rows, _ROWS_OF_PART)
        ]

    def _caption(self) -> str:
        return plain_sentence(self._compared.sentence())


class Breakpoints(Sequence[Breakpoint], Exports):
    """The breakpoints of a lab; `clear` removes them all."""

    def __init__(self, stops: Stops) -> None:
        self._stops, self._points = stops, stops.breakpoints

    def clear(self) -> None:
        """Remove all breakpoints."""
        self._stops.remove(*self._stops.breakpoints)

    @overload
    def __getitem__(self, index: int) -> Breakpoint: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Breakpoint]: ...
    def __getitem__(self, index: int | slice) -> Breakpoint | Sequence[Breakpoint]:
        if type(index) is slice:
            span(index, len(self))
            return self._points[index]
        return self._points[an_index("breakpoints[index]", index, len(self), "breakpoint")]

    def __len__(self) -> int:
        return len(self._points)

    def to_pandas(self) -> DataFrame:
        """One row per breakpoint."""
        import pandas as pd

        return pd.DataFrame(self.rows(), columns=["number", "on", "hits", "is_on", "stopped", "problem"])

    def rows(self) -> list[dict[str, Any]]:
        """One dict per row of `to_pandas`."""
        return [
            {
                "number": each.number,
                "on": str(each.target),
                "hits": each.hits,
                "is_on": each.is_on,
                "stopped": each.stopped,
                "problem": each.problem,
            }
            for each in self._points
        ]

    def __repr__(self) -> str:
        return "\n".join([self._caption(), *map(repr, self._points)])

    def _repr_html_(self) -> str:
        rows = [(str(each), each.status) for each in self._points]
        return html_table(("breakpoint", ""), rows, self._caption())

    def _caption(self) -> str:
        return plural(len(self), "breakpoint") + ("" if self._points else "; lab.break_on(...) sets one")


class Watches(Mapping[str, Any], Exports):
    """The values of watches and invariants at the cursor, by name, as in ``lab.watches["total"]``.

    A value that could not be worked out is a `calamity_lab.trace.watches.Value` with its ``problem``. The
    `entries` are the watches themselves. An export has every moment up to the cursor.
    """

    def __init__(self, stops: Stops, trace: Trace, cursor: int) -> None:
        self._stops, self._trace, self._cursor = stops, trace, cursor
        self._watches = dict(stops.watches)

    @property
    def entries(self) -> tuple[Watch, ...]:
        """The watches and invariants, in the order in which they were made."""
        return tuple(self._watches.values())

    def remove(self, name: str) -> None:
        """Remove the watch or invariant of that name."""
        self._stops.unwatch(self._entry(name))

    def clear(self) -> None:
        """Remove all watches and invariants."""
        self._stops.unwatch(*self._stops.watches.values())

    def __getitem__(self, name: str) -> Any:
        return _plain_value(self._entry(name).at(self._trace, self._cursor))

    def __iter__(self) -> Iterator[str]:
        return iter(self._watches)

    def __len__(self) -> int:
        return len(self._watches)

    def to_pandas(self) -> DataFrame:
        """One row per moment up to the cursor, with a column per watch; a broken value is missing."""
        import pandas as pd

        columns = {name: self.values_of(name) for name in self}
        return pd.DataFrame({"moment": range(self._cursor + 1), **columns})

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`."""
        columns = {"moment": range(self._cursor + 1), **{name: self.values_of(name) for name in self}}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def values_of(self, name: str) -> list[Any]:
        """The values of one watch from moment 0 up to the cursor; None where it is broken."""
        watch = self._entry(name)
        found = [watch.at(self._trace, index) for index in range(self._cursor + 1)]
        return [None if each.problem else each.value for each in found]

    def _entry(self, name: Any) -> Watch:
        found = self._watches.get(name) if is_a(name, str) else None
        if found is None:
            known = f"there are: {', '.join(self)}" if self else "lab.watch(name, fn) makes one"
            raise UnknownKey(f"there is no watch {repr_of(name)}; {known}")
        return found

    def __repr__(self) -> str:
        return "\n".join([self._caption(), *(f"{name}  {text}" for name, _, text in self._texts())])

    def _repr_html_(self) -> str:
        return html_table(("name", "kind", f"at step {self._cursor:,}"), self._texts(), self._caption())

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _texts(self) -> list[tuple[str, str, str]]:
        return [
            (
                name,
                watch.kind,
                format_value(str(watch.at(self._trace, self._cursor)), _LENGTH)
                if watch.is_on
                else "switched off",
            )
            for name, watch in self._watches.items()
        ]

    def _caption(self) -> str:
        return plural(len(self), "watch", "watches") + ("" if self else "; lab.watch(name, fn) makes one")


def _plain_value(found: Value) -> Any:
    return found if found.problem else found.value


class Loaded(Mapping[str, Replay]):
    """What became of a saved trace when it was decided again: a `Replay` for each branch, by its name.

    ``problems`` are sentences about what could not be read, or is not known to the model any more.
    """

    def __init__(self, replays: Mapping[str, Replay], problems: Sequence[str]) -> None:
        self._replays, self.problems = replays, tuple(problems)

    @property
    def is_same(self) -> bool:
        """Whether everything was read, and today's model answers as it did."""
        return not self.problems and not any(
            each.differences or each.unplayed or each.error for each in self.values()
        )

    def __getitem__(self, name: str) -> Replay:
        return self._replays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._replays)

    def __len__(self) -> int:
        return len(self._replays)

    @property
    def sentence(self) -> str:
        """Whether today's model answers as it did, and where it first does not."""
        if self.is_same:
            commands = sum(len(each) for each in self.values())
            return f"{plural(commands, 'command')} decided again; nothing is different"
        first = [each.sentence for each in self.values() if each.differences or each.unplayed or each.error]
        return ". ".join([*first[:1], *self.problems[:1]])

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("", problem) for problem in self.problems]
        for name, replay in self.items():
            rows += [(name, each.sentence) for each in [replay] if replay.differences or replay.error]
            rows += [(name, f"not put in again: {each}") for each in replay.unplayed]
            rows += [(name, str(replay.error))] if replay.error else []
        return rows

    def __repr__(self) -> str:
        return "\n".join([self.sentence, *(f"{name}  {text}".strip() for name, text in self._rows())])

    def _repr_html_(self) -> str:
        return html_table(("branch", "difference"), self._rows(), self.sentence)


@dataclass(frozen=True, slots=True, repr=False)
class Committed(Sequence[RecordedEvent]):
    """The events that a commit wrote, with the positions that they have in the store.

    It is empty, and therefore false, if there was nothing to write.
    """

    events: tuple[RecordedEvent, ...] = ()

    @property
    def positions(self) -> tuple[int, ...]:
        """The position of each event in the store."""
        return tuple(event.position for event in self.events)

    @property
    def streams(self) -> Mapping[str, tuple[int, int]]:
        """The version of each stream before and after the commit, by stream id."""
        before: dict[str, int] = {}
        for event in self.events:
            before.setdefault(event.stream_id, event.stream_version - 1)
        after = {event.stream_id: event.stream_version for event in self.events}
        return {stream_id: (version, after[stream_id]) for stream_id, version in before.items()}

    @overload
    def __getitem__(self, index: int) -> RecordedEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[RecordedEvent]: ...
    def __getitem__(self, index: int | slice) -> RecordedEvent | Sequence[RecordedEvent]:
        if type(index) is slice:
            span(index, len(self))
            return self.events[index]
        return self.events[an_index("committed[index]", index, len(self), "event")]

    def __len__(self) -> int:
        return len(self.events)

    def __repr__(self) -> str:
        streams = [
            f"{format_value(name)}  version {old} → {new}" for name, (old, new) in self._first_streams()
        ]
        return "\n".join([self._caption(), *streams])

    def _repr_html_(self) -> str:
        rows = [
            (
                f"{event.position:,}",
                format_value(event.stream_id, 60),
                f"{event.stream_version:,}",
                event.event_type,
                format_fields(event.event, _COMMITTED_LENGTH),
            )
            for event in self.events[:_ROWS]
        ]
        more = f", the first {_ROWS} shown" if len(self) > _ROWS else ""
        return html_table(_HEADINGS, rows, self._caption() + more)

    def _first_streams(self) -> list[tuple[str, tuple[int, int]]]:
        return list(self.streams.items())[:_ROWS]

    def _caption(self) -> str:
        if not self.events:
            return "nothing to commit: the store already has every event up to this moment"
        first, last = self.positions[0], self.positions[-1]
        where = f"position {first:,}" if first == last else f"positions {first:,} to {last:,}"
        return f"{plural(len(self), 'event')} committed to {plural(len(self.streams), 'stream')}, at {where}"


def _caption(count: int, noun: str, which: str = "first") -> str:
    return plural(count, noun) + (f", the {which} {_ROWS} shown" if count > _ROWS else "")


def _fields(state: Any) -> str:
    if is_a(state, BrokenProjection):
        return str(state)
    return format_fields(state, _LENGTH) or format_value(state, _LENGTH)


class SelectedEvents(frames.History):
    """The selected events, as a history. A single message is shown whole, also one that recorded no event."""

    __slots__ = ("details",)

    details: Details

    def __init__(self, recorded_events: Iterable[RecordedEvent], details: Details) -> None:
        super().__init__(recorded_events)
        self.details = details

    def __repr__(self) -> str:
        if self.details.events or not self.details.key:
            return super().__repr__()
        rows = [f"{name}  {value}" for name, value in self.details.rows()]
        return "\n".join([f"{self.details.title}: {self.details.sentence}", *rows])

    def _repr_html_(self) -> str:
        if self.details.events or not self.details.key:
            return super()._repr_html_()
        return html_table(
            ("", ""), list(self.details.rows()), f"{self.details.title}: {self.details.sentence}"
        )


# why and finding

_Row = TypeVar("_Row", bound=Any)


_DTYPES: Mapping[str, Any] = {
    **dict.fromkeys(("number", "moment", "position"), "Int64"),
    **dict.fromkeys(("value", "before", "after"), "object"),
}


class Listing(Sequence[_Row], Exports, Generic[_Row]):
    """Rows that show themselves as a table below a caption: in a cell, as a text, and as a DataFrame."""

    headings: ClassVar[tuple[str, ...]]
    titles: ClassVar[tuple[str, ...]] = ()

    def __init__(self, caption: str, rows: Sequence[_Row]) -> None:
        self.caption, self._rows = caption, rows

    @overload
    def __getitem__(self, index: int) -> _Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Row]: ...
    def __getitem__(self, index: int | slice) -> _Row | Sequence[_Row]:
        if type(index) is slice:
            span(index, len(self))
            return self._rows[index]
        return self._rows[an_index("[index]", index, len(self), "row")]

    def __len__(self) -> int:
        return len(self._rows)

    def _cells(self, row: _Row) -> Iterable[Any]:
        """The values of a row, one per heading; a moment is None where there is none."""
        return row

    def to_pandas(self) -> DataFrame:
        """One row per row."""
        import pandas as pd

        columns = list(zip(*map(self._cells, self._rows), strict=True)) or [()] * len(self.headings)
        named = zip(self.headings, columns, strict=True)
        return pd.DataFrame({name: pd.Series(cells, dtype=_DTYPES.get(name, "str")) for name, cells in named})

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`."""
        return [dict(zip(self.headings, self._cells(row), strict=True)) for row in self._rows]

    def __repr__(self) -> str:
        return "\n".join([self._head(), *("  ".join(filter(None, cells)) for cells in self._texts())])

    def _repr_html_(self) -> str:
        return html_table(self.titles or self.headings, self._texts(), self._head())

    def _head(self) -> str:
        return self.caption + (f" (the first {_ROWS} of {len(self):,} shown)" if len(self) > _ROWS else "")

    def _texts(self) -> list[list[str]]:
        return [list(map(_cell, self._cells(row))) for row in self._rows[:_ROWS]]


def _cell(value: Any) -> str:
    if value is None or value == "":
        return ""
    return f"{value:,}" if type(value) is int else format_value(value, _LENGTH)


class Why(Listing[WhyLink]):
    """Why something is as it is: the chain of causes, up to what was put in, each link with its moment."""

    headings = ("moment", "kind", "what", "why", "field", "value", "origin")
    titles = ("step", "what", "why", "value")

    def __init__(self, chain: ChainOfCauses) -> None:
        super().__init__(chain.title, chain.links)

    def _cells(self, row: WhyLink) -> Iterable[Any]:
        value = row.value if row.field else None
        return row.moment, row.kind, row.label, row.sentence, row.field, value, row.origin

    def _texts(self) -> list[list[str]]:
        # The last link says what was put in, so it is shown also of a chain that is cut.
        shown = self._rows if len(self) <= _ROWS else (*self._rows[: _ROWS - 1], self._rows[-1])
        return [[_cell(row.moment), row.label, row.sentence, row.followed] for row in shown]


class FieldChanges(Listing[FieldChange]):
    """Every moment at which a field changed, in order."""

    headings = ("moment", "before", "after", "event", "position")


class Found(Listing[FoundText]):
    """Every moment at which a text appears, in order."""

    headings = ("moment", "kind", "label", "detail")


class WhyNot(Listing[Sender]):
    """Which process managers could send a command, and what stopped each; it was sent ``sent`` times."""

    headings = ("manager", "instance", "sends on", "why", "moment")

    def __init__(self, found: NotSent) -> None:
        super().__init__(f"{found.sentence}; see {found.see}" if found.see else found.sentence, found.senders)
        self.command, self.sent = found.command, found.sent

    def _cells(self, row: Sender) -> Iterable[Any]:
        return row.manager, row.instance, " or ".join(row.events), row.sentence, row.moment


class Notes(Listing[Note]):
    """The notes of a lab, the oldest first; ``lab.goto(lab.notes[0])`` goes to the moment of one."""

    headings = ("number", "branch", "moment", "note")

    def __init__(self, notes: Sequence[Note]) -> None:
        super().__init__(_caption(len(notes), "note"), notes)

    def _cells(self, row: Note) -> Iterable[Any]:
        return self._rows.index(row), row.branch, row.moment.index, row.text
