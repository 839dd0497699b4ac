"""The marks and the outbox of an event store, as values on one side and as rows on the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self

from calamity_lab.errors import (
    AlreadySettled,
    InvalidValue,
    Rejected,
    SerializationError,
    UnknownName,
    repr_of,
)
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.deadlines import TakenOff
from calamity_lab.kernel.folding import Verb
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.outbox import (
    ACCEPTED,
    Delivery,
    DurableEventStore,
    KeptRejections,
    OutboxChanges,
    Outcome,
    depth_first,
)
from calamity_lab.kernel.recorded import KeptRejection, RecordedEvent
from calamity_lab.stores.sql.database import Database
from calamity_lab.stores.sql.rows import (
    COLUMNS,
    OUTBOX,
    AlongRows,
    HandOn,
    OutboxRow,
    RejectionRow,
    RowCodec,
    SettledRow,
    as_utc,
    listed,
    mistyped,
    written,
)
from calamity_lab.text import format_value

_FEW = 512  # values in one statement


class OutboxEntry(NamedTuple):
    """A command of the outbox as it is stored; ``outcome`` is None until it is settled.

    ``command`` is its fields as JSON, None where only the id is kept. ``cause`` is the position of the event
    that it answers. A deadline has the time at which it is due, and its name, ``deadline``.
    """

    command_id: str
    command_type: str
    command: str | None
    sender: str | None
    cause: int | None
    correlation_id: str
    depth: int
    due_at: datetime | None
    deadline: str | None
    outcome: str | None
    reason: str | None


class SQLOutbox(DurableEventStore):
    """What an SQL store keeps beside the events."""

    def __init__(self, database: Database, codec: RowCodec) -> None:
        self._database, self._statements, self._codec = database, database.statements, codec

    @property
    def _is_there(self) -> bool:
        """Whether the tables are there: a read-only database may be of an older version."""
        return self._database.version > 1

    def marks(self) -> tuple[dict[str, int], int]:
        if not self._is_there:
            return {}, self._database.number(self._statements.position)
        (_, head), *marks = self._database.rows(self._statements.marks)
        for name, position in marks:
            if type(name) is not str or type(position) is not int:
                raise SerializationError(
                    f"{self._database.name!r} has a mark that cannot be read: process manager "
                    f"{repr_of(name, 60)}, position {repr_of(position, 60)}. Correct the row in the table "
                    "process_managers, or restore it from a backup"
                )
        return dict(marks), self._database.checked_number(head)

    def _hand_on(
        self,
        name: str,
        since: int | None,
        upto: int,
        deliveries: Sequence[Delivery],
        sent: Sequence[Pending],
        taken_off: Sequence[TakenOff],
        rejections: int | None,
    ) -> Self | None:
        rows = [self._row(pending) for pending in sent]
        handed = HandOn(name, since, upto, *_noted(name, deliveries), rows, taken_off, rejections)
        return self if self._database.hand_on(handed) else None

    def _along(self, along: OutboxChanges) -> AlongRows:
        """What is written along with events, as rows."""
        settled = [self._settling(pending, outcome) for pending, outcome in along.settled]
        sent = []
        for pending, cause, outcome in along.sent:
            row = self._row(pending)._replace(cause=cause)
            sent.append(row if outcome is None else row._replace(**self._columns(outcome)))
        handed = [
            HandOn(
                move.name,
                move.since,
                move.upto,
                *_noted(move.name, move.deliveries),
                (),
                rejections=move.known,
                kept=[_kept_row(each) for each in move.kept],
            )
            for move in along.moves
        ]
        return AlongRows(list(zip(along.moves, handed, strict=True)), settled, sent, along.taken_off)

    def _settle(
        self,
        pending: Pending,
        outcome: Outcome,
        sent: Sequence[Pending],
        taken_off: Sequence[TakenOff],
        kept: KeptRejection | None,
    ) -> Self | None:
        row = self._settling(pending, outcome)
        rows = [self._row(each) for each in sent]
        done = self._database.settle(
            SettledRow(row, rows, taken_off, None if kept is None else _kept_row(kept))
        )
        if isinstance(done, bool):
            return self if done else None
        raise AlreadySettled(pending.command_id, self._outcome(done))

    def _as_kept(self, rejected: Rejected) -> Rejected:
        details = self._codec.serializer.decode_metadata(self._details(rejected.details))
        return _rejected(str(rejected.reason), details, rejected.command)

    def _rejections(self, find: Callable[[str], type | None], name: str, after: int) -> KeptRejections:
        if not self._database.keeps_rejections:
            return KeptRejections(0)
        values = {"name": name, "after": after}
        rows = self._database.rows(self._statements.rejections, values)
        found = [(*each[1:4], OutboxRow(*each[4:])) for each in rows if each[1] is not None]
        pendings = self._pendings([self._checked(row) for *_, row in found], find)
        return KeptRejections(
            rows[0][0] if rows else 0,
            tuple([
                KeptRejection(
                    stream_id, position, number, row.command_id,
                    _rejected(*self._outcome(row[-3:])[1:], pending.command), pending.cause,
                )
                for (stream_id, position, number, row), pending in zip(found, pendings, strict=True)
            ]),
        )  # fmt: skip

    def _settling(self, pending: Pending, outcome: Outcome = ACCEPTED) -> OutboxRow:
        """The row that settles a command: without the command itself, which the outbox has."""
        sender = None if pending.sender is None else pending.sender.stream_id
        return OutboxRow(
            pending.command_id, pending.command_type, 0, None, sender, None, pending.correlation_id,
            pending.depth, "{}", **self._columns(outcome),
        )  # fmt: skip

    def _columns(self, outcome: Outcome) -> dict[str, Any]:
        """The columns of an outcome."""
        details = self._details(outcome.details) if outcome.details else None
        return {"outcome": outcome.verdict, "reason": outcome.reason, "details": details}

    def _outcome(self, row: Sequence[Any]) -> Outcome:
        """The outcome in the columns outcome, reason and details; of an unsettled command it says so."""
        verdict, reason, details = row
        known = {} if details is None else dict(self._codec.serializer.decode_metadata(details))
        return Outcome(verdict or "outstanding", reason or "", known)

    def _outcome_of(self, command_id: str) -> Outcome | None:
        rows = self._entry(command_id)
        return None if rows is None or rows.outcome is None else self._outcome(rows[-3:])

    def _outstanding(
        self,
        find: Callable[[str], type | None],
        senders: Sequence[str],
    ) -> tuple[Pending, ...]:
        if not self._is_there:
            return ()
        found = [self._checked(OutboxRow(*row)) for row in self._database.rows(self._statements.outstanding)]
        rows = [row for row in found if row.sender is None or row.sender.partition("-")[0] in senders]
        return depth_first(self._pendings(rows, find))

    def _deadlines_due(
        self, find: Callable[[str], type | None], senders: Sequence[str], now: datetime
    ) -> tuple[Pending, ...]:
        rows = self._of_senders(self._statements.deadlines_due, {"now": now}, senders, "due_at, number")
        return tuple(self._pendings([self._checked(OutboxRow(*row)) for row in rows], find))

    def _next_due(self, senders: Sequence[str], after: datetime) -> datetime | None:
        rows = self._of_senders(self._statements.next_due, {"after": after}, senders, "due_at LIMIT 1")
        return as_utc(rows[0][0]) if rows else None

    def _of_senders(
        self, statement: str, times: Mapping[str, datetime], senders: Sequence[str], order: str
    ) -> list[Any]:
        """The rows of deadlines of these process managers."""
        if not self._is_there or not senders:
            return []
        among = []
        values: dict[str, Any] = {name: written(time) for name, time in times.items()}
        for n, sender in enumerate(senders):
            prefix = f"{sender}-"
            values |= {f"prefix_{n}": prefix, f"length_{n}": len(prefix)}
            among.append(f"substr(sender, 1, :length_{n}) = :prefix_{n}")
        meant = self._statements.with_values(" OR ".join(among))
        whole = f"{statement} AND ({meant}) ORDER BY {order}"
        return self._database.rows(whole, values)

    def _deliveries(self, name: str, after: int) -> list[Delivery]:
        if not self._is_there:
            return []
        values = {"name": name, "after": after}
        rows = self._database.rows(self._statements.running, values)
        if after:
            rows += self._database.rows(self._statements.ended, values)
        return sorted([Delivery(*row) for row in rows], key=lambda each: each.position)

    def _events_at(self, positions: Iterable[int]) -> Iterator[RecordedEvent]:
        statement = f"SELECT {listed(COLUMNS)} FROM events WHERE position IN ({{}}) ORDER BY position"
        return map(self._codec.recorded, self._rows_among(statement, sorted(set(positions))))

    def _depths(self, command_ids: Sequence[str]) -> dict[str, int]:
        statement = "SELECT command_id, depth FROM outbox WHERE command_id IN ({})"
        return dict(self._rows_among(statement, list(dict.fromkeys(command_ids)) if self._is_there else []))

    def _rows_among(self, statement: str, wanted: Sequence[Any]) -> Iterator[Any]:
        """The rows for these values; repeats fill up to a power of 2, so that few statements differ."""
        for n in range(0, len(wanted), _FEW):
            few = wanted[n : n + _FEW]
            repeated = [few[-1]] * ((1 << (len(few) - 1).bit_length()) - len(few))
            values = {f"value_{m}": value for m, value in enumerate([*few, *repeated])}
            given = self._statements.with_values(listed(values, ":{}"))
            yield from self._database.rows(statement.format(given), values)

    def _shown_outbox(self) -> tuple[OutboxEntry, ...]:
        rows = self._database.rows(self._statements.outbox) if self._is_there else []
        return tuple([_shown(OutboxRow(*row)) for row in rows])

    def _drop(self, command_id: str, reason: str) -> None:
        if not isinstance(reason, str) or not reason.strip():
            raise InvalidValue(f"drop(reason={reason!r}): say in a text why the command is dropped")
        row = self._entry(command_id)
        if row is None:
            raise InvalidValue(
                f"the outbox has no command {repr_of(command_id)}; event_store.outbox lists its commands"
            )
        done = self._database.settle(SettledRow(row._replace(outcome="dropped", reason=reason, details=None)))
        if not isinstance(done, bool):
            raise AlreadySettled(command_id, self._outcome(done))

    def _checked(self, row: OutboxRow) -> OutboxRow:
        wrong = mistyped(OUTBOX, row)
        if wrong:
            raise self._unreadable(row, wrong)
        return row

    def _unreadable(self, row: OutboxRow, why: object) -> SerializationError:
        return SerializationError(
            f"the {row.outcome or 'outstanding'} command {row.command_id} of {row.sender} in "
            f"{self._database.name!r} cannot be read: {why}{_advice(row, '. If')}"
        )

    def _entry(self, command_id: str) -> OutboxRow | None:
        if not self._is_there:
            return None
        values = {"command_id": command_id}
        rows = self._database.rows(self._statements.outbox_entry, values)
        return OutboxRow(*rows[0]) if rows else None

    def _row(self, pending: Pending) -> OutboxRow:
        serializer, sender, cause = self._codec.serializer, pending.sender, pending.cause
        name, version, payload = serializer.encode(pending.command)
        serializer.decode(name, version, payload)  # what cannot be read again is not written
        return OutboxRow(
            pending.command_id, name, version, payload, None if sender is None else sender.stream_id,
            None if cause is None else cause.position, pending.correlation_id, pending.depth,
            serializer.encode_metadata(pending.metadata),
            None if pending.due_at is None else written(pending.due_at, "due_at"), pending.deadline,
        )  # fmt: skip

    def _pendings(self, rows: Sequence[OutboxRow], find: Callable[[str], type | None]) -> list[Pending]:
        causes = {
            r.position: r for r in self._events_at([row.cause for row in rows if row.cause is not None])
        }
        return [self._pending(row, find, causes) for row in rows]

    def _pending(
        self, row: OutboxRow, find: Callable[[str], type | None], causes: Mapping[int, RecordedEvent]
    ) -> Pending:
        serializer = self._codec.serializer
        if serializer.class_of(row.command_type) is None:
            cls = find(row.command_type)
            if cls is None:
                raise UnknownName(
                    f"a command {row.command_type!r} of {row.sender} is {row.outcome or 'outstanding'} in "
                    f"{self._database.name!r}, but no class has that name. Give the class to the "
                    f"store, as in SQLEventStore(url, [..., {row.command_type}]); if it was renamed, keep "
                    f'its name: stored_name = "{row.command_type}" in the class{_advice(row, "; if")}'
                )
            serializer.register(cls)
        try:
            command = serializer.decode(row.command_type, row.type_version, row.payload or "null")
            metadata = serializer.decode_metadata(row.metadata)
            due_at = None if row.due_at is None else as_utc(row.due_at)
        except (SerializationError, ValueError, AttributeError, OverflowError) as error:
            raise self._unreadable(row, error) from error
        sender = None if row.sender is None else Identity.parse(row.sender)
        cause = None if row.cause is None else causes.get(row.cause)
        return Pending(
            command, row.command_id, row.correlation_id, row.depth, cause, sender, metadata,
            once=row.sender is None, due_at=due_at, deadline=row.deadline,
        )  # fmt: skip

    def _details(self, details: Mapping[str, Any]) -> str:
        """The details of a rejection; those that JSON cannot keep as texts."""
        serializer = self._codec.serializer
        try:
            return serializer.encode_metadata(details)
        except SerializationError:
            return serializer.encode_metadata({name: format_value(value) for name, value in details.items()})


def _advice(row: OutboxRow, begin: str) -> str:
    """How a command that is outstanding can be dropped."""
    if row.outcome is not None:
        return ""
    return f'{begin} it is not wanted: event_store.drop("{row.command_id}", reason="...")'


def _rejected(reason: str, details: Mapping[str, Any], command: Any) -> Rejected:
    rejected = Rejected(reason, **details)
    rejected.command = command
    return rejected


def _kept_row(kept: KeptRejection) -> RejectionRow:
    return RejectionRow(kept.stream_id.partition("-")[0], *kept[:4])


def _noted(name: str, deliveries: Sequence[Delivery]) -> tuple[list[Any], list[Any], dict[str, int]]:
    """The rows of deliveries to running instances, those of ends, and where instances begin or end last."""
    ended = [(name, d.position, d.stream_id, d.version) for d in deliveries if d.verb == Verb.STOPPED]
    running = [
        (name, d.stream_id, d.position, d.verb, d.version) for d in deliveries if d.verb != Verb.STOPPED
    ]
    anew = {d.stream_id: d.position for d in deliveries if d.verb in (Verb.STARTED, Verb.STOPPED)}
    return running, ended, dict(sorted(anew.items()))


def _shown_time(found: Any) -> Any:
    """The time at which a deadline is due; what cannot be read as one is shown as it is."""
    try:
        return None if found is None else as_utc(found)
    except (ValueError, AttributeError, OverflowError):
        return found


def _shown(row: OutboxRow) -> OutboxEntry:
    return OutboxEntry(
        row.command_id, row.command_type, row.payload, row.sender, row.cause, row.correlation_id, row.depth,
        _shown_time(row.due_at), row.deadline, row.outcome, row.reason,
    )  # fmt: skip
