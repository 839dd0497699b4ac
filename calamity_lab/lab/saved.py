"""Saved traces: what was put into a run, and what became of it, as JSON Lines that a person can read.

A file has a header, the system that the run began with, and the branches. A branch has its inputs, and for
each command what it led to. The moments themselves are not saved: loading decides everything again, and
compares. So a trace that was saved with other classes opens too, and says where they answer differently.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from calamity_lab.errors import (
    CalamityError,
    InvalidFields,
    InvalidValue,
    Rejected,
    SerializationError,
    repr_of,
    text_of,
)
from calamity_lab.kernel import faults
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.arguments import a_path, has, is_a, words_of
from calamity_lab.kernel.clocks_and_ids import RecordedIds, RecordedTimes, SeededIds, TickingClock
from calamity_lab.kernel.deadlines import waiting_and_due
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.faults import Fault
from calamity_lab.kernel.folding import identity_in
from calamity_lab.kernel.identity import Identity, by_name, stored_name
from calamity_lab.kernel.outbox import Outcome, rejection
from calamity_lab.kernel.persistent import PersistentMap
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import KeptRejection, Metadata, RecordedEvent
from calamity_lab.kernel.run import Run, Wait
from calamity_lab.kernel.schema import field_names, fields_in
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.kernel.steps import Elapsed, Executed, Injected, Refused, Step
from calamity_lab.model import Model
from calamity_lab.stores.serializer.names import UnknownEvent, unknown
from calamity_lab.stores.serializer.serializer import Serializer
from calamity_lab.trace import inputs as kinds
from calamity_lab.trace.inputs import AfterStep, Armed, Entry, IdsApart, Submitted, Unplayed, Waited, own_id
from calamity_lab.trace.renewal import Renewed
from calamity_lab.trace.replay import CommandNumbers, CommandOutcome, Course, Replayed, decided_again
from calamity_lab.trace.selection import Note, Selection
from calamity_lab.trace.stepper import Stepper
from calamity_lab.trace.trace import Branch, Moment, Trace, is_same_moment, shared_length

FORMAT = 1
_FIRST = "calamity_lab"
_LONGEST_HEADER = 1_000_000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = (type(None), bool, int, str)
_PARTS = ("aggregates", "commands", "events", "process_managers")

# What a line has under the names of its fields, just as it is.
_OF_EVENT = ("event_id", "stream_id", "stream_version", "position", "correlation_id", "causation_id")
_OF_PENDING = ("command_id", "correlation_id", "depth", "once", "deadline")
_OF_REJECTION = ("stream_id", "position", "number", "command_id")
_NUMBERS_OF_STACK = ("aggregate_versions", "process_manager_versions", "process_managers_begin")
_LIMITS = ("cascade_limit", "conflict_limit")

Line = dict[str, Any]


# Writing.


def save(stepper: Stepper, path: Any, serializer: Serializer) -> Path:
    """Write the trace to a file; one that is there is replaced once everything is written."""
    target = Path(a_path("save(path)", path, "save('run.jsonl')"))
    trace, cursor = stepper.trace, stepper.cursor
    lines = [*_Writer(trace, serializer).lines(), *map(_note, stepper.notes)]
    branch = trace.branch
    header = {
        _FIRST: "trace",
        "format": FORMAT,
        "lines": len(lines) + 1,
        "branch": branch.name,
        "cursor": cursor,
        "model": {part: [stored_name(cls) for cls in getattr(branch.model, part)] for part in _PARTS},
    }
    text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in [header, *lines])
    try:
        _replace_file(target, text.encode(errors="surrogatepass"))
    except OSError as error:
        raise InvalidValue(
            f"save({str(target)!r}) could not write: {error.strerror or error}. Give a file in a folder that "
            "exists and can be written to"
        ) from error
    return target


def _replace_file(target: Path, content: bytes) -> None:
    """Write beside the file first, so that an earlier one stays whole whatever happens."""
    if target.is_dir():
        raise IsADirectoryError(0, "that is a folder")
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}-", delete=False) as beside:
        try:
            beside.write(content)
            beside.close()
            mode = target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask()
            Path(beside.name).chmod(mode)
            Path(beside.name).replace(target)
        except BaseException:
            Path(beside.name).unlink()
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _note(note: Note) -> Line:
    selection = [*note.selection]
    return {"note": note.text, "branch_of": note.branch, "moment": note.moment.index, "selection": selection}


class _Writer:
    def __init__(self, trace: Trace, serializer: Serializer) -> None:
        self._serializer, self._now = serializer, trace.branch.model
        self._model, self._renew = self._now, Renewed(self._now, self._now).value
        self._branches = list(trace.branches.values())
        self._start = self._branches[0].start
        stack = self._start.stack
        if type(stack.event_store) is not InMemoryEventStore:
            raise InvalidValue(
                f"save(): this lab is over {stack.event_store!r}, which keeps its events itself. Save the "
                "events with lab.history, as in lab.history.to_parquet(path), or open the store with "
                "Lab.attach(store, model)"
            )
        if self._start.progress is not None or self._start.failed or self._start.faults:
            raise InvalidValue(
                "save(): a command was in progress or set aside, or a fault was armed, when this lab began, "
                "and cannot be put in again. Begin the lab with a run in which no command is in progress"
            )
        self._has_times = type(stack.clock) is not TickingClock

    def lines(self) -> Iterator[Line]:
        """All lines behind the header."""
        self._begin(self._branches[0])
        yield from self._start_lines()
        for number, branch in enumerate(self._branches):
            self._begin(branch)
            try:
                yield from self._branch_lines(branch, self._branches[:number])
            except SerializationError as error:
                if branch.model is not self._now:
                    error.add_note(
                        f"The branch {branch.name!r} has earlier classes. To save the lab without it, "
                        f"call lab.remove({branch.name!r})"
                    )
                raise

    def _begin(self, branch: Branch) -> None:
        """Write what follows in the classes of the branch that is looked at, as `load` reads it."""
        self._model, self._renew = branch.model, Renewed(branch.model, self._now).value

    def _start_lines(self) -> Iterator[Line]:
        stack = self._start.stack
        yield {
            "stack": {
                "clock": _clock(stack.clock),
                "ids": _ids(stack.ids),
                **{name: dict(getattr(stack, name)) for name in _NUMBERS_OF_STACK},
                **{name: getattr(stack, name) for name in _LIMITS},
                "process_manager_types": [stored_name(cls) for cls in stack.process_manager_types],
                "delivered_upto": list(stack.delivered_upto),
                "outcomes": {
                    command_id: [outcome.verdict, outcome.reason, self._metadata(outcome.details)]
                    for command_id, outcome in stack.outcomes.items()
                },
                "rejections": [
                    self._rejection(kept) for of_instance in stack.rejections.values() for kept in of_instance
                ],
            }
        }
        yield from map(self._event, stack.event_store.stream(ALL))
        for kind, store in (("aggregate", stack.aggregates), ("process_manager", stack.process_managers)):
            for stream_id, state in store.items():
                yield {kind: stream_id, "state": self._message(state)}
        entries = [(each, False) for each in self._start.agenda.entries()]
        for pending, waits in (*entries, *[(each, True) for each in stack.deadlines]):
            yield {
                "pending": self._message(pending.command),
                **{name: getattr(pending, name) for name in _OF_PENDING},
                "cause": None if pending.cause is None else pending.cause.position,
                "sender": None if pending.sender is None else pending.sender.stream_id,
                "metadata": self._metadata(pending.metadata),
                "due_at": None if pending.due_at is None else pending.due_at.isoformat(),
                "waits": waits,
            }

    def _rejection(self, kept: KeptRejection) -> Line:
        """A rejection that changed an instance before the run began."""
        outcome, command = rejection(kept.rejected), kept.rejected.command
        return {
            "rejection": type(kept.rejected).__name__,
            **{name: getattr(kept, name) for name in _OF_REJECTION},
            "reason": outcome.reason,
            "details": self._metadata(outcome.details),
            "command": None if command is None else self._message(command),
            "cause": None if kept.cause is None else kept.cause.position,
        }

    def _branch_lines(self, branch: Branch, earlier: Sequence[Branch]) -> Iterator[Line]:
        shares = [
            (
                max(shared_length(branch.moments, other.moments, is_same=is_same_moment) - 1, 0),
                shared_length(branch.inputs, other.inputs),
                other.name,
            )
            for other in earlier
        ]
        upto, first, partner = max(shares, default=(0, 0, ""), key=lambda share: share[:2])
        yield {
            "branch": branch.name,
            "parent": branch.parent,
            "forked_at": branch.forked_at,
            "edits": branch.edits,
            "shares": partner,
            "upto": upto,
            "shared_inputs": first,
        }
        given = [(entry.at + 0.5, self._input(entry)) for entry in branch.inputs.iterate(first)]
        done = [
            (line["at"], line)
            for line in self._commands(branch)
            if line["last"] > upto or (line["last"] == upto and not line["ended"])
        ]
        yield from (line for _, line in sorted([*given, *done], key=lambda each: each[0]))

    def _input(self, entry: Entry) -> Line:
        put: Any = entry.input
        if isinstance(put, Unplayed):  # whoever loads the file decides it again
            entry = entry._replace(input=put.input, after=put.after)
            put = put.input
        line: Line = {"input": type(put).__name__, "at": entry.at, "after": entry.after and list(entry.after)}
        if isinstance(put, Submitted):
            line["commands"] = [self._message(command) for command in put.commands]
            line["command_ids"] = list(put.command_ids)
            line["metadata"] = self._metadata(put.metadata)
        else:
            line["fields"] = self._fields(put)
        return line

    def _commands(self, branch: Branch) -> list[Line]:
        found: dict[str, Line] = {}
        for moment in branch.moments.iterate(1):
            step = moment.step
            if step is None:
                continue
            command_id = step.pending.command_id
            new: Line = {"command": command_id, "at": step.index, "last": 0, "steps": 0, "ended": False}
            self._note(found.setdefault(command_id, new), step)
        return list(found.values())

    def _note(self, known: Line, step: Step) -> None:
        """Note what a step did for its command."""
        known["steps"] += 1
        known["last"], known["ended"] = step.index, step.ends
        if step.rejected is not None and step.decides:
            known |= {"decided": step.index, "rejected": text_of(step.rejected)}
        elif step.decides:
            decided = [self._message(event) for event in getattr(step, "events", ())]
            known |= {"decided": step.index, "events": decided}
        if step.recorded:
            drawn: Line = {"at": step.index, "ids": [recorded.event_id for recorded in step.recorded]}
            if self._has_times:
                drawn["time"] = step.recorded[0].recorded_at.isoformat()
            if isinstance(step, Injected):
                drawn["events"] = [self._message(recorded.event) for recorded in step.recorded]
            known.setdefault("recorded", []).append(drawn)
        if isinstance(step, Injected):
            known.setdefault("injected", []).append([step.fault_id, step.index])
        sent = (*step.commands, *step.deadlines) if not isinstance(step, Elapsed) else ()
        if sent:
            known.setdefault("sent", []).extend(
                [str(each.sender), each.command_id, self._message(each.command)] for each in sent
            )

    def _message(self, message: Any) -> list[Any]:
        try:
            name, version, text = self._serializer.encode(self._renew(message))
        except InvalidFields:  # as its own class wrote it; `load` says that it does not fit
            name, version, text = Serializer(self._model).encode(message)
        return [name, version, json.loads(text)]

    def _event(self, recorded: RecordedEvent) -> Line:
        return {
            "event": self._message(recorded.event),
            **{name: getattr(recorded, name) for name in _OF_EVENT},
            "recorded_at": recorded.recorded_at.isoformat(),
            "metadata": self._metadata(recorded.metadata),
        }

    def _fields(self, value: Any) -> Line:
        return {each.name: self._plain(getattr(value, each.name)) for each in fields(value)}

    def _plain(self, value: Any) -> Any:
        """A field of an input: what JSON has as it is, all else with what it is."""
        if type(value) in _PLAIN:
            return value
        if isinstance(value, type):
            return {"class": stored_name(value)}
        if type(value) is tuple:
            return {"several": [self._plain(each) for each in value]}
        if is_a(value, RecordedEvent):
            return {"recorded": self._event(value)}
        if is_a(value, Fault):
            return {type(value).__name__: self._fields(value)}
        if field_names(type(value)) is not None:
            return {"message": self._message(value)}
        return {"value": self._metadata({"value": value})}

    def _metadata(self, known: Mapping[str, Any]) -> Any:
        return json.loads(self._serializer.encode_metadata(known))


def _clock(clock: Any) -> Line:
    if type(clock) is TickingClock:
        return {"ticking": clock.now.isoformat(), "microseconds": clock.tick // timedelta(microseconds=1)}
    return {"recorded": True}


def _ids(ids: Any) -> Line:
    return {"seeded": ids.seed, "drawn": ids.drawn} if type(ids) is SeededIds else {"recorded": True}


# Reading.


@dataclass(slots=True)
class SavedBranch:
    """A branch as the file has it: its own inputs and commands, and what it shares with an earlier one."""

    line: Line
    inputs: list[Line] = field(default_factory=list)
    commands: list[Line] = field(default_factory=list)


class SavedTrace:
    """A file that was read. `start` is the run that it began with, and `decide` makes the trace again."""

    def __init__(self, path: Any, model: Model, serializer: Serializer, clock: Any, ids: Any) -> None:
        self.path = a_path("Lab.load(path)", path, "Lab.load('run.jsonl', bank)")
        self.problems: list[str] = []
        self._model, self._serializer, self._clock, self._ids = model, serializer, clock, ids
        self._branches: list[SavedBranch] = []
        self._notes: list[Line] = []
        self._names: dict[type, set[str]] = {}
        with self._reading():
            self._header, lines = self._read()
            self.start = self._started(self._sorted(lines))

    def _sorted(self, lines: Sequence[Line]) -> list[Line]:
        """The lines of the start, after those of the branches were put aside."""
        start: list[Line] = []
        for line in lines:
            if "note" in line:
                self._notes.append(line)
            elif "branch" in line:
                self._branches.append(SavedBranch(line))
            elif not self._branches:
                start.append(line)
            else:
                (self._branches[-1].inputs if "input" in line else self._branches[-1].commands).append(line)
        if not self._branches:
            raise InvalidValue(f"{self._call} ends before its first branch, so there is nothing to open")
        return start

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Raise for a line that has not what it should have, as after a change by hand."""
        try:
            yield
        except CalamityError:
            raise
        except (KeyError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise InvalidValue(
                f"{self._call} has a line that lab.save did not write ({words_of(error)}). Give the file as "
                "it was saved"
            ) from error

    @property
    def _call(self) -> str:
        return f"Lab.load({repr_of(self.path)}): the file"

    def _read(self) -> tuple[Line, list[Line]]:
        try:
            with Path(self.path).open("rb") as file:
                header = self._checked_header(file.readline(_LONGEST_HEADER))
                lines: list[Line] = []
                for number, text in enumerate(file, 2):
                    line = _parsed(text)
                    if line is None:
                        self.problems.append(
                            f"Line {number:,} of the file cannot be read; it and what follows are left out"
                        )
                        break
                    lines.append(line)
        except OSError as error:
            raise InvalidValue(
                f"Lab.load({repr_of(self.path)}) could not read the file: {error.strerror or error}. Give a "
                "file that lab.save(path) wrote"
            ) from error
        if not self.problems and len(lines) + 1 < header["lines"]:
            self.problems.append(
                f"The file was cut off: it ends at line {len(lines) + 1:,} of {header['lines']:,}. What "
                "follows is left out"
            )
        return header, lines

    def _checked_header(self, text: bytes) -> Line:
        header = _parsed(text)
        if header is None or header.get(_FIRST) != "trace":
            raise InvalidValue(f"{self._call} is not a saved trace. Give a file that lab.save(path) wrote")
        if header.get("format") != FORMAT:
            raise InvalidValue(
                f"{self._call} has format {repr_of(header.get('format'))}, and this calamity_lab reads "
                f"format {FORMAT}. Load it with the version of calamity_lab that saved it, or a later one"
            )
        saved = header.get("model")
        known = saved.get("aggregates") if isinstance(saved, dict) else None
        if not isinstance(known, list) or type(header.get("lines")) is not int:
            raise InvalidValue(f"{self._call} has a damaged header. Give a file that lab.save(path) wrote")
        here = by_name(self._model.aggregates)
        if known and not set(map(str, known)) & set(here):
            raise InvalidValue(
                f"{self._call} was saved with another model: its aggregates are "
                f"{', '.join(map(str, known))}, and this model has {', '.join(here)}. Give the model that it "
                "was saved with"
            )
        return header

    # the start

    def _started(self, lines: Sequence[Line]) -> Run:
        given: Line = lines[0]["stack"] if lines and "stack" in lines[0] else {}
        events: list[RecordedEvent] = []
        states: dict[str, dict[str, Any]] = {"aggregate": {}, "process_manager": {}}
        pending: list[Line] = []
        for line in lines[1:]:
            if "event" in line:
                events.append(self._recorded(line))
            elif "pending" in line:
                pending.append(line)
            else:
                kind = next(iter(line))
                state = self._decoded(line["state"], f"{line[kind]} is left out of the start")
                states[kind] |= {} if state is None else {line[kind]: state}
        clock, ids = self._sources(given)
        stack = Stack(
            aggregates=states["aggregate"],
            process_managers=states["process_manager"],
            event_store=events,
            clock=clock,
            ids=ids,
            **_held(given, (*_NUMBERS_OF_STACK, *_LIMITS)),
        )
        past = {recorded.position: recorded for recorded in events}
        agenda = Agenda(self._pending([line for line in pending if not line.get("waits")], past))
        waiting = self._pending([line for line in pending if line.get("waits")], past)
        stack = changed(
            stack,
            deadlines=waiting_and_due(waiting, agenda),
            rejections=self._rejections(given.get("rejections", []), past),
        )
        return self._with_managers(stack, given, agenda)

    def _with_managers(self, stack: Stack, given: Line, agenda: Agenda) -> Run:
        """The run with the process managers in their order, and what is known of their past."""
        here, saved = by_name(self._model.process_managers), given.get("process_manager_types", [])
        upto = dict(zip(saved, given.get("delivered_upto", []), strict=False))
        types = [here[name] for name in saved if name in here]
        types += [cls for cls in self._model.process_managers if cls not in types]
        stack = replace(
            stack,
            process_manager_types=tuple(types),
            delivered_types=tuple(types),
            delivered_upto=tuple(upto.get(stored_name(cls), 0) for cls in types),
        )
        outcomes = {
            command_id: Outcome(verdict, reason, self._metadata(details))
            for command_id, (verdict, reason, details) in given.get("outcomes", {}).items()
        }
        return Run(changed(stack, outcomes=PersistentMap(outcomes)), agenda)

    def _sources(self, given: Line) -> tuple[Any, Any]:
        clock, ids = given.get("clock", {}), given.get("ids", {})
        if self._clock is not None or "ticking" not in clock:
            clock = RecordedTimes() if self._clock is None else self._clock
        else:
            tick = timedelta(microseconds=clock["microseconds"])
            clock = TickingClock(datetime.fromisoformat(clock["ticking"]), tick)
        if self._ids is not None or "seeded" not in ids:
            ids = RecordedIds() if self._ids is None else self._ids
        else:
            ids = SeededIds(ids["seeded"], ids["drawn"])
        return clock, ids

    def _recorded(self, line: Line) -> RecordedEvent:
        event = self._event(line["event"])
        return RecordedEvent(
            event=event,
            event_type=stored_name(type(event)),
            **{name: line[name] for name in _OF_EVENT},
            recorded_at=datetime.fromisoformat(line["recorded_at"]),
            metadata=self._metadata(line["metadata"]),
        )

    def _pending(self, lines: Sequence[Line], events: Mapping[int, RecordedEvent]) -> list[Pending]:
        pending = []
        for line in lines:
            command = self._command(line["pending"], "a command that was pending at the start")
            if command is None:
                continue
            sender, due_at = line["sender"], line.get("due_at")
            pending.append(
                Pending(
                    command,
                    cause=_cause(line, events),
                    sender=None if sender is None else self._identity(sender),
                    metadata=self._metadata(line["metadata"]),
                    due_at=None if due_at is None else datetime.fromisoformat(due_at),
                    **_held(line, _OF_PENDING),
                )
            )
        return pending

    def _rejections(
        self, lines: Sequence[Line], events: Mapping[int, RecordedEvent]
    ) -> PersistentMap[tuple[KeptRejection, ...]]:
        """The rejections that changed instances before the run began, by stream id."""
        found: dict[str, tuple[KeptRejection, ...]] = {}
        for line in lines:
            kept = KeptRejection(
                **_held(line, _OF_REJECTION), rejected=self._rejected(line), cause=_cause(line, events)
            )
            found[kept.stream_id] = (*found.get(kept.stream_id, ()), kept)
        return PersistentMap(found)

    def _rejected(self, line: Line) -> Rejected:
        """A rejection of its class, which is looked for in the modules of the model; else a plain one."""
        name, which = line["rejection"], f"a rejection that changed {line['stream_id']}"
        modules = {cls.__module__ for cls in (*self._model.aggregates, *self._model.process_managers)}
        kinds = {Rejected.__name__: Rejected}
        for module in sorted(modules):
            for value in list(vars(sys.modules.get(module, object)).values()):
                if isinstance(value, type) and issubclass(value, Rejected):
                    kinds.setdefault(value.__name__, value)
        if name not in kinds:
            self.problems.append(f"{which} is a plain Rejected now: no module of the model has {name}")
        cls = kinds.get(name, Rejected)
        rejected = cls.__new__(cls)
        Rejected.__init__(rejected, line["reason"], **self._metadata(line["details"]))
        if line["command"] is not None:
            rejected.command = self._command(line["command"], f"the command of {which}")
        return rejected

    def _identity(self, stream_id: str) -> Identity:
        cls = by_name(self._model.process_managers).get(stream_id.partition("-")[0])
        return Identity.parse(stream_id) if cls is None else identity_in(cls, stream_id)

    # messages

    def _event(self, saved: list[Any]) -> Any:
        """The event as an object of its class; as one of an unknown class where that cannot be."""
        name, version, held = saved
        text = json.dumps(held)
        try:
            return self._serializer.decode(name, version, text)
        except SerializationError:
            return unknown(name, version, held, text)

    def _command(self, saved: list[Any], which: str) -> Any:
        """The command, or None where the model has no such command any more; then `problems` says so."""
        name, version, held = saved
        command = self._decoded(saved, f"{which} is left out", "command ")
        if command is None:
            return None
        cls = type(command)
        if cls not in self._names:  # worked out once, since it takes as long as deciding a command
            self._names[cls] = {each.stored or each.name for each in fields_in(cls)}
        gone = set(held) - self._names[cls]
        if gone and stored_name(cls) == name and version == self._serializer.version_of(cls):
            named = ", ".join(sorted(gone))
            self.problems.append(f"{which}: {name} has no field {named} any more, which is left out")
        return command

    def _decoded(self, saved: list[Any], left_out: str, kind: str = "") -> Any:
        """An object of its class, or None where the model has none; then `problems` says what is left out."""
        name, version, held = saved
        try:
            made = self._serializer.decode(name, version, json.dumps(held))
        except SerializationError as error:
            self.problems.append(f"{left_out}: {error}")
            return None
        if isinstance(made, UnknownEvent):
            self.problems.append(f"{left_out}: the model has no {kind}{name}")
            return None
        return made

    def _metadata(self, saved: Any) -> Metadata:
        return self._serializer.decode_metadata(json.dumps(saved))

    # the branches

    def decide(self, trace: Trace) -> tuple[Trace, int, dict[str, Replayed]]:
        """The trace with all branches decided again, the cursor, and what became of each branch."""
        with self._reading():
            return self._decided(trace)

    def _decided(self, trace: Trace) -> tuple[Trace, int, dict[str, Replayed]]:
        blank, found = trace.branch, dict[str, Replayed]()
        records: dict[str, list[Line]] = {}
        entries: dict[str, list[tuple[Line, Entry]]] = {}
        made: Trace | None = None
        for saved in self._branches:
            line = saved.line
            name, partner, upto = str(line["branch"]), line["shares"], line["upto"]
            own = self._entries(saved, name)
            entries[name] = [*entries.get(partner, [])[: line["shared_inputs"]], *own]
            mine = {each["command"] for each in saved.commands}
            shared = [
                each
                for each in records.get(partner, [])
                if each["last"] <= upto and each["command"] not in mine
            ]
            records[name] = [*shared, *saved.commands]
            base = None
            if (
                made is not None
                and partner in found
                and _is_as_saved(made.branches[partner], found[partner], records[partner], upto)
            ):
                base = made.branches[partner].upto(upto, line["shared_inputs"])
            given, since = (entries[name], -1) if base is None else (own, upto)
            base = replace(
                blank if base is None else base,
                name=name,
                parent=line["parent"],
                forked_at=line["forked_at"],
                edits=line["edits"],
            )
            base = _with_sources(base, [each for each, _ in given], records[name], since)
            made = Trace(base, None, trace.memo) if made is None else made
            old = self._course(records[name], [entry for _, entry in entries[name]])
            found[name] = decided_again(made, base, old, [entry for _, entry in given])
            made = found[name].trace
        assert made is not None  # a file without branches raised an error
        return self._at_cursor(made, found)

    def notes(self, trace: Trace) -> tuple[Note, ...]:
        """The notes; one whose moment is not there any more stays with the last moment of its branch."""
        with self._reading():
            found = [(line, trace.branches.get(line["branch_of"])) for line in self._notes]
            return tuple(
                Note(
                    line["note"],
                    branch.name,
                    branch.moments[min(line["moment"], len(branch.moments) - 1)],
                    Selection(*line["selection"]),
                )
                for line, branch in found
                if branch is not None
            )

    def _entries(self, saved: SavedBranch, name: str) -> list[tuple[Line, Entry]]:
        """The inputs of a branch's own, without what the model does not know any more."""
        found = []
        for line in saved.inputs:
            put = self._input(line, name)
            if put is not None:
                after = None if line["after"] is None else AfterStep(*line["after"])
                found.append((line, Entry(put, line["at"], after, self.start)))
        return found

    def _input(self, line: Line, branch: str) -> Any:
        if line["input"] != Submitted.__name__:
            kind: Any = getattr(kinds, str(line["input"]), None)
            if not (is_a(kind, type) and has(kind, "put")):
                self.problems.append(f"An input {line['input']} of {branch!r} is not known, and is left out")
                return None
            return self._made(kind, line["fields"])
        commands = [self._command(each, f"A command of {branch!r}") for each in line["commands"]]
        known = [n for n, command in enumerate(commands) if command is not None]
        if not known:
            return None
        ids = tuple(line["command_ids"][n] for n in known)
        return Submitted(tuple(commands[n] for n in known), self._metadata(line["metadata"]), ids)

    def _made(self, kind: type, saved: Line) -> Any:
        """An input, a fault or a recorded event with these fields."""
        made: Any = object.__new__(kind)
        for name, value in saved.items():
            object.__setattr__(made, name, self._value(value))
        return made

    def _value(self, saved: Any) -> Any:
        """A field of an input."""
        if not isinstance(saved, dict):
            return saved
        ((what, value),) = saved.items()
        if what == "several":
            return tuple(self._value(each) for each in value)
        if what == "message":
            return self._event(value)
        if what == "class":
            return self._serializer.class_of(value)
        if what == "value":
            return self._metadata(value)["value"]
        return self._recorded(value) if what == "recorded" else self._made(getattr(faults, what), value)

    def _course(self, records: Sequence[Line], entries: Sequence[Entry]) -> Course:
        """What became of the commands of a branch when it was saved."""
        course, pending = Course(CommandNumbers()), dict[str, Pending]()
        course.put(entries)
        for entry in entries:
            put = entry.input
            if isinstance(put, Submitted):
                for command, command_id in zip(put.commands, put.command_ids, strict=True):
                    pending[command_id] = Pending(command, command_id, command_id)
            elif (put_id := own_id(put)) is not None:
                what = put.fault if isinstance(put, Armed) else Wait(None, put_id)
                pending[put_id] = Pending(what, put_id, put_id)
        for line in records:
            command_id = line["command"]
            mine = course.known(command_id)
            me = pending.setdefault(command_id, Pending(None, command_id, command_id))
            drawn = {each["at"]: each for each in line.get("recorded", ())}
            for fault_id, at in line.get("injected", ()):
                there = drawn.pop(at, {"events": (), "ids": ()})
                course.happened[course.numbers.get(fault_id, -1)] = _records(
                    map(self._event, there["events"]), there["ids"]
                )
            ids = [event_id for each in drawn.values() for event_id in each["ids"]]
            events = [self._event(each) for each in line.get("events", ())]
            course.decided[mine] = CommandOutcome(
                me,
                _decision(line, me, events),
                line.get("decided"),
                _records(events, ids),
                line["steps"],
                line["ended"],
            )
            for sender, sent_id, command in line.get("sent", ()):
                sent = Pending(
                    self._event(command),
                    sent_id,
                    me.correlation_id,
                    me.depth + 1,
                    None,
                    Identity.parse(sender),
                )
                pending[sent_id] = sent
                course.send(mine, sent)
        return course

    def _at_cursor(self, made: Trace, found: dict[str, Replayed]) -> tuple[Trace, int, dict[str, Replayed]]:
        current: Any = self._header.get("branch")
        if current not in made.branches:
            self.problems.append(f"The branch {current!r} is not in the file; another one is looked at")
            return made, made.last, found
        made = made.switch(current)
        cursor = self._header.get("cursor")
        return made, min(cursor if type(cursor) is int else made.last, made.last), found


def _records(events: Iterable[Any], ids: Sequence[str]) -> tuple[RecordedEvent, ...]:
    """Events that were recorded, as far as a comparison needs it."""
    return tuple(
        RecordedEvent(event, stored_name(type(event)), event_id, "", 0, 0, "", None, _LONG_AGO)
        for event, event_id in zip(events, ids, strict=False)
    )


def _decision(line: Line, pending: Pending, events: Sequence[Any]) -> Executed | Refused | None:
    nobody = Identity("Saved", pending.command_id)
    if "rejected" in line:
        return Refused(line["decided"], pending, nobody, Rejected(line["rejected"]))
    if "events" not in line:
        return None
    return Executed(line["decided"], pending, nobody, tuple(events), (), None)


def _is_as_saved(branch: Branch, replayed: Replayed, records: Sequence[Line], upto: int) -> bool:
    """Whether a branch that was decided again is, up to a moment, what it was when it was saved."""
    moments = branch.moments
    if replayed.unplayed or len(moments) <= upto:
        return False
    if any(row.outcome != "same" for row in replayed.rows if row.moment is None or row.moment <= upto):
        return False
    ends = [(line["command"], line[at]) for line in records for at in ("at", "last") if line[at] <= upto]
    steps = [(command_id, moments[at].step) for command_id, at in ends]
    return all(step is not None and step.pending.command_id == command_id for command_id, step in steps)


def _with_sources(branch: Branch, inputs: Sequence[Line], records: Sequence[Line], since: int) -> Branch:
    """The branch whose times and ids from now on are those that were recorded, where no seed gives them."""
    last = branch.moments[-1]
    stack = last.run.stack
    recorded = [each for line in records for each in line.get("recorded", ()) if each["at"] > since]
    if type(stack.clock) is RecordedTimes:
        times = [datetime.fromisoformat(each["time"]) for each in recorded]
        stack = changed(stack, clock=stack.clock._replace(times=tuple(times), given=0))
    if type(stack.ids) is RecordedIds:
        drawn = [*[(line["at"] + 0.5, line) for line in inputs], *[(each["at"], each) for each in recorded]]
        drawn.sort(key=lambda each: each[0])
        stack = changed(stack, ids=_series([line for _, line in drawn]))
    if stack is last.run.stack:
        return branch
    moment = Moment(last.step, replace(last.run, stack=stack), last.decision)
    return replace(branch, moments=branch.moments.take(len(branch.moments) - 1).append(moment))


def _series(lines: Sequence[Line]) -> RecordedIds:
    """The ids that these inputs and commands drew, in order."""
    series: dict[str, list[str]] = {"": []}
    name = ""
    for line in lines:
        if line.get("input") == IdsApart.__name__:
            name = line["fields"]["name"]
        drawn = line.get("ids") or line.get("command_ids", ())
        fields = line.get("fields", {}) if line.get("input") in (Armed.__name__, Waited.__name__) else {}
        mine = fields.get("fault_id") or fields.get("wait_id")
        series.setdefault(name, []).extend(drawn if mine is None else [mine])
    return RecordedIds(tuple(series[""]), tuple((key, tuple(ids)) for key, ids in series.items()))


def _parsed(text: bytes) -> Line | None:
    """A line of the file; None where it is not one that `save` wrote."""
    if not text.endswith(b"\n"):
        return None
    try:
        found = json.loads(text.decode())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _held(line: Line, names: Iterable[str]) -> Line:
    """What a line has under these names; a file of an earlier version has not all of them."""
    return {name: line[name] for name in names if name in line}


def _cause(line: Line, events: Mapping[int, RecordedEvent]) -> RecordedEvent | None:
    """The event of the start that caused what a line has."""
    return None if line["cause"] is None else events[line["cause"]]
