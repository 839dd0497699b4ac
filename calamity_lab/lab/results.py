"""The results that a lab returns: states, steps, commands, branches, replays and commits, as tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
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
from calamity_lab.trace.sentences import fact, origin, sent_by
from calamity_lab.trace.stops import Breakpoint, Stops
from calamity_lab.trace.trace import Branch, Trace
from calamity_lab.trace.watches import Watch
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


_Row = TypeVar("_Row", bound=Any)


class Shown:
    """Something that shows itself as a table below a caption: in a cell, and as a text.

    ``titles`` are the headings of the table. ``line`` is a row of the text, with a pair of braces per cell;
    without it, the cells are parted by blanks.
    """

    titles: tuple[str, ...] = ()
    line: ClassVar[str] = ""

    def _caption(self) -> str:
        raise NotImplementedError

    def _texts(self) -> Sequence[Sequence[str]]:
        """The first rows, each as the texts of its cells."""
        raise NotImplementedError

    def _lines(self) -> Iterable[str]:
        """The first rows as lines of a text."""
        if self.line:
            return [self.line.format(*cells) for cells in self._texts()]
        return ["  ".join(filter(None, cells)) for cells in self._texts()]

    def __repr__(self) -> str:
        return "\n".join([self._caption(), *self._lines()])

    def _repr_html_(self) -> str:
        return html_table(self.titles, self._texts(), self._caption())


class Listing(Shown, Sequence[_Row], Generic[_Row]):
    """Rows that show themselves. ``noun`` is what a row is, ``call`` the name of the whole in errors."""

    noun: ClassVar[str] = "row"
    call: ClassVar[str] = ""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self._rows = rows

    @overload
    def __getitem__(self, index: int) -> _Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[_Row]: ...
    def __getitem__(self, index: int | slice) -> _Row | Sequence[_Row]:
        if type(index) is slice:
            span(index, len(self))
            return self._some(self._rows[index])
        return self._rows[an_index(f"{self.call}[index]", index, len(self), self.noun)]

    def _some(self, rows: Sequence[_Row]) -> Sequence[_Row]:
        """Some of the rows, as a slice gives them."""
        return rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[_Row]:
        return iter(self._rows)

    def _caption(self) -> str:
        return _caption(len(self), self.noun)


class ShownMapping(Shown, Mapping[str, _Row], Generic[_Row]):
    """What has a name each, and shows itself; a notebook completes the names."""

    def __init__(self, held: Mapping[str, _Row]) -> None:
        self._held = held

    def __getitem__(self, name: str) -> _Row:
        return self._held[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)


class ExportedTable(Exports, ABC):
    """What leaves the lab as another table, which is made when it is asked for."""

    @abstractmethod
    def _table(self) -> Exports: ...

    def to_pandas(self) -> DataFrame:
        """The table as a DataFrame; the class says what a row is."""
        return self._table().to_pandas()

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`, with the fields of a state or a command under one name."""
        return self._table().rows()


class States(ShownMapping[Any], ExportedTable):
    """States by stream id, as in ``lab.aggregates["BankAccount-1"]``.

    An export, such as `to_pandas`, has every state up to the cursor, not only the current ones: one row per
    event that made a state, with the fields of that state.
    """

    def __init__(self, noun: str, states: Mapping[str, Any], table: Callable[[], Exports]) -> None:
        super().__init__(states)
        self._noun, self._made = noun, table
        self.titles = (noun, "state")

    def __getitem__(self, key: Any) -> Any:
        stream_id = stream_id_of(key)
        state = self._held.get(stream_id) if is_a(stream_id, str) else None
        if state is None:
            missing = f"there is no {self._noun} {repr_of(stream_id)} at this moment"
            raise UnknownKey(f"{missing}; {self._meant(stream_id)}")
        return state

    def get(self, key: Any, default: Any = None) -> Any:
        """The state with that stream id or `Identity`, or the default."""
        return self._held.get(stream_id_of(key), default)

    def __contains__(self, key: object) -> bool:
        return stream_id_of(key) in self._held

    def _table(self) -> Exports:
        return self._made()

    def _texts(self) -> Sequence[Sequence[str]]:
        return [(format_value(name), _fields(state)) for name, state in islice(self._held.items(), _ROWS)]

    def _meant(self, key: Any) -> str:
        """The nearest stream ids, else those that there are; of very many only the first are compared."""
        names = list(islice(self._held, _COMPARED))
        ids = [name for name in names if name.partition("-")[2] == text_of(key)]
        near = ids or get_close_matches(text_of(key), names)
        if near:
            return f"did you mean {' or '.join(repr(name) for name in near[:_NAMED])}?"
        if not names:
            return f"there is no {self._noun} yet. Move the cursor to a later moment, or name another one"
        known = ", ".join(names[:_NAMED]) + (", ..." if len(self) > _NAMED else "")
        return f"known: {known}. Move the cursor to a later moment, or name another one"

    def _caption(self) -> str:
        return _caption(len(self), self._noun)


class Steps(Listing[Step], ExportedTable):
    """The steps up to the cursor, or some of them; an export, such as `to_pandas`, has one row per step."""

    noun, call = "step", "steps"
    titles = ("step", "kind", "fact")
    line = "Step {0}: {2}"

    def _some(self, rows: Sequence[Step]) -> Steps:
        return Steps(rows)

    def _table(self) -> Exports:
        return frames.step_table(self._rows)

    def _texts(self) -> Sequence[Sequence[str]]:
        last = self._rows[max(len(self) - _ROWS, 0) :]
        return [(f"{step.index:,}", step.kind, fact(step)) for step in last]

    def _caption(self) -> str:
        return _caption(len(self), "step", "last")


class PendingCommands(Listing[Any], ExportedTable):
    """The commands on the agenda, in order; ``pending`` also has their ids and causes.

    An export has one row per pending command, with its fields; the command of a deadline has ``due_at``.
    """

    noun = "pending command"
    titles = ("index", "command", "caused by")
    line = "{}  {}, {}"

    def __init__(self, agenda: Agenda) -> None:
        super().__init__(agenda)
        self._agenda = agenda

    @property
    def pending(self) -> tuple[Pending, ...]:
        """The entries of the agenda: each command with its id and its cause."""
        return self._agenda.pending

    def __getitem__(self, index: Any) -> Any:
        return self._agenda[index]

    def __eq__(self, other: Any) -> bool:
        return are_equal(self._agenda, other._agenda if is_a(other, PendingCommands) else other)

    def __hash__(self) -> int:
        return hash(self._agenda)

    def _table(self) -> Exports:
        return frames.pending_table(self._agenda.entries())

    def _texts(self) -> Sequence[Sequence[str]]:
        first = enumerate(islice(self._agenda.entries(), _ROWS))
        return [(str(n), format_value(each.command, _LENGTH), origin(each)) for n, each in first]


class SetDeadlines(Listing[Pending], ExportedTable):
    """The deadlines that are set, in order of when they are due; ``now`` is the time of the clock.

    Each is a pending command with ``due_at``, its name ``deadline``, and its ``sender``, which set it. An
    export has one row per deadline: its command with its fields, who set it, its name, and when it is due.
    """

    noun = "deadline"
    titles = ("index", "due", "deadline", "command", "set by")
    line = "{}  {}, {}, {}, {}"

    def __init__(self, deadlines: Deadlines, run: Run) -> None:
        super().__init__(deadlines)
        self._deadlines = deadlines
        self.now = read(run.stack.clock)[0]

    def __getitem__(self, index: Any) -> Any:
        return self._deadlines[index]

    def of(self, instance: str) -> tuple[Pending, ...]:
        """The deadlines of one process manager instance, as in ``lab.deadlines.of("Transfer-t1")``."""
        return self._deadlines.of(instance)

    def _table(self) -> Exports:
        return frames.pending_table(self._deadlines)

    def _texts(self) -> Sequence[Sequence[str]]:
        return [
            (
                str(n),
                f"{point_in_time(each.due_at)} ({how_far_off(each.due_at, self.now)})",
                plain_sentence(str(each.deadline), _LENGTH),
                format_value(each.command, _LENGTH),
                sent_by(each),
            )
            for n, each in enumerate(islice(self._deadlines, _ROWS))
            if each.due_at is not None
        ]


class ArmedFaults(Listing[Fault]):
    """The faults that wait for the moment where they fit, in order; ``armed`` also has their ids."""

    noun, call = "armed fault", "faults"
    titles = ("index", "fault", "waits for")
    line = "{}  {}, waits for {}"

    def __init__(self, armed: tuple[ArmedFault, ...]) -> None:
        super().__init__(tuple([each.fault for each in armed]))
        self.armed = armed

    def _texts(self) -> Sequence[Sequence[str]]:
        return [
            (str(n), plain_sentence(repr_of(fault), _LENGTH), plain_sentence(fault.waits_for, _LENGTH))
            for n, fault in enumerate(self._rows[:_ROWS])
        ]


class Branches(ShownMapping[Branch]):
    """The branches by name, as in ``lab.branches["main"]``; the first one is the oldest."""

    titles = ("branch", "length", "began", "")

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.branches)
        self._current = trace.branch.name

    def __getitem__(self, name: str) -> Branch:
        try:
            return super().__getitem__(name)
        except (KeyError, TypeError):
            raise UnknownKey(f"there is no branch {repr_of(name)}; there are: {', '.join(self)}") from None

    def _caption(self) -> str:
        return plural(len(self), "branch", "branches")

    def _lines(self) -> Iterable[str]:
        for name, moments, came, here in self._texts():
            yield "  ".join(filter(None, [name, ", ".join(filter(None, [moments, came])), here]))

    def _texts(self) -> Sequence[Sequence[str]]:
        return [
            (
                name,
                plural(len(branch.moments) - 1, "step"),
                f"left {branch.parent} at step {branch.forked_at:,}" if branch.parent else "",
                "(looked at)" if name == self._current else "",
            )
            for name, branch in self.items()
        ]


class SubmittedCommands(Listing[SubmittedCommand]):
    """The submitted commands of the current branch, numbered from 0; edits of a replay name these numbers."""

    noun, call = "submitted command", "submitted"
    titles = ("number", "command", "fields", "sent at step")

    def _some(self, rows: Sequence[SubmittedCommand]) -> SubmittedCommands:
        return SubmittedCommands(rows)

    def number(self, call: str, which: Any) -> int:
        """The number of a submitted command that is given by its number, or as the command itself."""
        if is_a(which, int) and not is_a(which, bool):
            return a_whole_number(call, which, low=0)
        found = [each.number for each in self._rows if each.command is which]
        found = found or [each.number for each in self._rows if are_equal(each.command, which)]
        if len(found) == 1:
            return found[0]
        numbers = f"submitted as numbers {', '.join(map(str, found))}" if found else "not submitted"
        raise InvalidValue(f"{call}: {repr_of(which)} was {numbers}; give its number, as in lab.submitted")

    def _lines(self) -> Iterable[str]:
        for each in self._rows[:_ROWS]:
            yield f"{each.number}  {format_value(each.command, _COMMITTED_LENGTH)}"

    def _texts(self) -> Sequence[Sequence[str]]:
        return [
            (
                str(each.number),
                stored_name(type(each.command)),
                format_fields(each.command, _LENGTH),
                f"{each.moment:,}",
            )
            for each in self._rows[:_ROWS]
        ]


_DTYPES: Mapping[str, Any] = {
    **dict.fromkeys(("number", "moment", "position"), "Int64"),
    "depth": "int64",
    "value": "object",
}


class ExportedListing(Listing[_Row], Exports):
    """Rows that leave the lab as they are shown: one row per row, with a column per heading.

    A column has texts where ``dtypes`` says nothing else.
    """

    headings: ClassVar[tuple[str, ...]]
    dtypes: ClassVar[Mapping[str, Any]] = _DTYPES

    def _cells(self, row: _Row) -> Iterable[Any]:
        """The values of a row, one per heading; a moment is None where there is none."""
        return row

    def to_pandas(self) -> DataFrame:
        """One row per row."""
        import pandas as pd

        columns = list(zip(*map(self._cells, self._rows), strict=True)) or [()] * len(self.headings)
        named = zip(self.headings, columns, strict=True)
        return pd.DataFrame(
            {name: pd.Series(cells, dtype=self.dtypes.get(name, "str")) for name, cells in named}
        )

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`."""
        return [dict(zip(self.headings, self._cells(row), strict=True)) for row in self._rows]

    def _repr_html_(self) -> str:
        return html_table(self.titles or self.headings, self._texts(), self._caption())

    def _texts(self) -> Sequence[Sequence[str]]:
        return [list(map(_cell, self._cells(row))) for row in self._rows[:_ROWS]]


def _cell(value: Any) -> str:
    if value is None or value == "":
        return ""
    return f"{value:,}" if type(value) is int else format_value(value, _LENGTH)


class Replay(ExportedListing[ReplayRow]):
    """What became of each command in a replay: one row per submitted command and per command that it caused.

    ``outcome`` is ``same``, ``changed``, ``rejected`` (it was accepted), ``accepted`` (it was rejected),
    ``new`` or ``gone``. `branch` is the new branch, `sentence` says in short what came of it, and
    `first_difference` is the first step on it at which a command had a different outcome. `unplayed` says
    which inputs could not be put in again, and why. `error` is what stopped the replay, if a callback of
    the model failed. After `Lab.reload`, `states` says which states differ at the end. An export has the
    commands in the order of the new branch.
    """

    noun, call = "command", "replay"
    headings = ReplayRow._fields
    titles = ("step", "command", "outcome", "before", "after")

    def __init__(self, replayed: Replayed) -> None:
        super().__init__(replayed.rows)
        self.branch, self._last = replayed.trace.branch, replayed.trace.last
        self.first_difference = replayed.first_difference
        self.unplayed, self.states = replayed.unplayed, replayed.states
        self.error = replayed.error
        self.sentence = replayed.sentence

    @property
    def differences(self) -> tuple[ReplayRow, ...]:
        """The rows of the commands whose outcome is not the same."""
        return differing(self._rows)

    def _cells(self, row: ReplayRow) -> Iterable[Any]:
        return row._replace(command=stored_name(type(row.command)))

    def __repr__(self) -> str:
        return "\n".join([self.sentence, *self.notes, *self._lines()])

    def _lines(self) -> Iterable[str]:
        for row in self.differences[:_ROWS]:
            words = row.differs or f"{row.before or 'was not there'} → {row.after or 'is not there'}"
            yield f"{self._named(row)}  {row.outcome}: {words}"

    def _texts(self) -> Sequence[Sequence[str]]:
        return [
            (_cell(row.moment), self._named(row), row.outcome, row.before, row.after)
            for row in self.differences[:_ROWS]
        ]

    def _caption(self) -> str:
        return ". ".join([self.sentence, *self.notes])

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


class Comparison(Shown, Exports):
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
        self.titles = ("difference", "stream", "name", self.a.name, self.b.name)

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

    def _lines(self) -> Iterable[str]:
        for *named, a, b in self._texts():
            sides = [f"{branch.name}: {text}" for branch, text in ((self.a, a), (self.b, b)) if text]
            yield "  ".join(filter(None, [*named, *sides]))

    def _texts(self) -> Sequence[Sequence[str]]:
        """The first rows of each part, as texts."""
        return [
            (f"{part} {row.status_between(self.a, self.b)}", row.stream_id or "", row.name, *row.sides())
            for part, rows in groupby(self._compared.rows(), key=attrgetter("part"))
            for row in islice(rows, _ROWS_OF_PART)
        ]

    def _caption(self) -> str:
        return plain_sentence(self._compared.sentence())


class Breakpoints(ExportedListing[Breakpoint]):
    """The breakpoints of a lab; `clear` removes them all. An export has one row per breakpoint."""

    noun, call = "breakpoint", "breakpoints"
    headings = ("number", "on", "hits", "is_on", "stopped", "problem")
    dtypes: ClassVar = {**dict.fromkeys(("number", "hits", "stopped"), "int64"), "is_on": "bool"}
    titles = ("breakpoint", "")
    line = "{}: {}"

    def __init__(self, stops: Stops) -> None:
        super().__init__(stops.breakpoints)
        self._stops = stops

    def clear(self) -> None:
        """Remove all breakpoints."""
        self._stops.remove(*self._stops.breakpoints)

    def _cells(self, row: Breakpoint) -> Iterable[Any]:
        return row.number, str(row.target), row.hits, row.is_on, row.stopped, row.problem

    def _texts(self) -> Sequence[Sequence[str]]:
        return [(str(each), each.status) for each in self._rows]

    def _caption(self) -> str:
        return plural(len(self), "breakpoint") + ("" if self._rows else "; lab.break_on(...) sets one")


class Watches(ShownMapping[Any], Exports):
    """The values of watches and invariants at the cursor, by name, as in ``lab.watches["total"]``.

    A value that could not be worked out is a `calamity_lab.trace.watches.Value` with its ``problem``. The
    `entries` are the watches themselves. An export has every moment up to the cursor.
    """

    line = "{0}  {2}"

    def __init__(self, stops: Stops, trace: Trace, cursor: int) -> None:
        super().__init__(dict(stops.watches))
        self._stops, self._trace, self._cursor = stops, trace, cursor
        self.titles = ("name", "kind", f"at step {cursor:,}")

    @property
    def entries(self) -> tuple[Watch, ...]:
        """The watches and invariants, in the order in which they were made."""
        return tuple(self._held.values())

    def remove(self, name: str) -> None:
        """Remove the watch or invariant of that name."""
        self._stops.unwatch(self._entry(name))

    def clear(self) -> None:
        """Remove all watches and invariants."""
        self._stops.unwatch(*self._stops.watches.values())

    def __getitem__(self, name: str) -> Any:
        found = self._entry(name).at(self._trace, self._cursor)
        return found if found.problem else found.value

    def _columns(self) -> dict[str, Sequence[Any]]:
        return {"moment": range(self._cursor + 1), **{name: self.values_of(name) for name in self}}

    def to_pandas(self) -> DataFrame:
        """One row per moment up to the cursor, with a column per watch; a broken value is missing."""
        import pandas as pd

        return pd.DataFrame(self._columns())

    def rows(self) -> Iterable[Mapping[str, Any]]:
        """One dict per row of `to_pandas`."""
        columns = self._columns()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def values_of(self, name: str) -> list[Any]:
        """The values of one watch from moment 0 up to the cursor; None where it is broken."""
        watch = self._entry(name)
        found = [watch.at(self._trace, index) for index in range(self._cursor + 1)]
        return [None if each.problem else each.value for each in found]

    def _entry(self, name: Any) -> Watch:
        found: Watch | None = self._held.get(name) if is_a(name, str) else None
        if found is None:
            known = f"there are: {', '.join(self)}" if self else "lab.watch(name, fn) makes one"
            raise UnknownKey(f"there is no watch {repr_of(name)}; {known}")
        return found

    def _texts(self) -> Sequence[Sequence[str]]:
        return [
            (
                name,
                watch.kind,
                format_value(str(watch.at(self._trace, self._cursor)), _LENGTH)
                if watch.is_on
                else "switched off",
            )
            for name, watch in self._held.items()
        ]

    def _caption(self) -> str:
        return plural(len(self), "watch", "watches") + ("" if self else "; lab.watch(name, fn) makes one")


class Loaded(ShownMapping[Replay]):
    """What became of a saved trace when it was decided again: a `Replay` for each branch, by its name.

    ``problems`` are sentences about what could not be read, or is not known to the model any more.
    """

    titles = ("branch", "difference")

    def __init__(self, replays: Mapping[str, Replay], problems: Sequence[str]) -> None:
        super().__init__(replays)
        self.problems = tuple(problems)

    @property
    def is_same(self) -> bool:
        """Whether everything was read, and today's model answers as it did."""
        return not self.problems and not any(
            each.differences or each.unplayed or each.error for each in self.values()
        )

    @property
    def sentence(self) -> str:
        """Whether today's model answers as it did, and where it first does not."""
        if self.is_same:
            commands = sum(len(each) for each in self.values())
            return f"{plural(commands, 'command')} decided again; nothing is different"
        first = [each.sentence for each in self.values() if each.differences or each.unplayed or each.error]
        return ". ".join([*first[:1], *self.problems[:1]])

    def _texts(self) -> Sequence[Sequence[str]]:
        rows = [("", problem) for problem in self.problems]
        for name, replay in self.items():
            rows += [(name, each.sentence) for each in [replay] if replay.differences or replay.error]
            rows += [(name, f"not put in again: {each}") for each in replay.unplayed]
            rows += [(name, str(replay.error))] if replay.error else []
        return rows

    def _caption(self) -> str:
        return self.sentence


@dataclass(frozen=True, repr=False)
class Committed(Listing[RecordedEvent]):
    """The events that a commit wrote, with the positions that they have in the store.

    It is empty, and therefore false, if there was nothing to write.
    """

    noun, call = "event", "committed"
    titles = ("position", "stream_id", "stream_version", "event_type", "event")

    events: tuple[RecordedEvent, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", self.events)

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

    def __repr__(self) -> str:
        return "\n".join([self._sentence(), *self._lines()])

    def _lines(self) -> Iterable[str]:
        for name, (old, new) in islice(self.streams.items(), _ROWS):
            yield f"{format_value(name)}  version {old} → {new}"

    def _texts(self) -> Sequence[Sequence[str]]:
        return [
            (
                f"{event.position:,}",
                format_value(event.stream_id, 60),
                f"{event.stream_version:,}",
                event.event_type,
                format_fields(event.event, _COMMITTED_LENGTH),
            )
            for event in self.events[:_ROWS]
        ]

    def _caption(self) -> str:
        return self._sentence() + (f", the first {_ROWS} shown" if len(self) > _ROWS else "")

    def _sentence(self) -> str:
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


class _Answer(ExportedListing[_Row]):
    """The rows that answer a question, with a caption of their own."""

    def __init__(self, caption: str, rows: Sequence[_Row]) -> None:
        super().__init__(rows)
        self.caption = caption

    def _caption(self) -> str:
        return self.caption + (f" (the first {_ROWS} of {len(self):,} shown)" if len(self) > _ROWS else "")


class Why(_Answer[WhyLink]):
    """Why something is as it is: the chain of causes, up to what was put in, each link with its moment."""

    headings = ("moment", "kind", "what", "why", "field", "value", "origin")
    titles = ("step", "what", "why", "value")

    def __init__(self, chain: ChainOfCauses) -> None:
        super().__init__(chain.title, chain.links)

    def _cells(self, row: WhyLink) -> Iterable[Any]:
        value = row.value if row.field else None
        return row.moment, row.kind, row.label, row.sentence, row.field, value, row.origin

    def _texts(self) -> Sequence[Sequence[str]]:
        # The last link says what was put in, so it is shown also of a chain that is cut.
        shown = self._rows if len(self) <= _ROWS else (*self._rows[: _ROWS - 1], self._rows[-1])
        return [[_cell(row.moment), row.label, row.sentence, row.followed] for row in shown]


class FieldChanges(_Answer[FieldChange]):
    """Every moment at which a field changed, in order."""

    headings = ("moment", "before", "after", "event", "position")
    dtypes: ClassVar = {**_DTYPES, "before": "object", "after": "object"}


class Found(_Answer[FoundText]):
    """Every moment at which a text appears, in order."""

    headings = ("moment", "kind", "label", "detail")


class WhyNot(_Answer[Sender]):
    """Which process managers could send a command, and what stopped each; it was sent ``sent`` times."""

    headings = ("manager", "instance", "sends on", "why", "moment")

    def __init__(self, found: NotSent) -> None:
        super().__init__(f"{found.sentence}; see {found.see}" if found.see else found.sentence, found.senders)
        self.command, self.sent = found.command, found.sent

    def _cells(self, row: Sender) -> Iterable[Any]:
        return row.manager, row.instance, " or ".join(row.events), row.sentence, row.moment


class Notes(ExportedListing[Note]):
    """The notes of a lab, the oldest first; ``lab.goto(lab.notes[0])`` goes to the moment of one."""

    noun = "note"
    headings = ("number", "branch", "moment", "note")

    def _cells(self, row: Note) -> Iterable[Any]:
        return self._rows.index(row), row.branch, row.moment.index, row.text
