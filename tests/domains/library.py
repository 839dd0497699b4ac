"""A lending library: the loan decides by the clock, and a projection lists what each reader has at home.

Dataclasses. Deciding about time is pure, since ``context.now`` is given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from calamity_lab import RecordedEvent, Rejected, command

LOAN = timedelta(days=21)
PENCE_PER_DAY = 20


@command(to="Copy", by="barcode")
@dataclass(frozen=True)
class LendCopy:
    barcode: str
    reader: str


@command(to="Copy", by="barcode")
@dataclass(frozen=True)
class RenewLoan:
    barcode: str


@command(to="Copy", by="barcode")
@dataclass(frozen=True)
class ReturnCopy:
    barcode: str


@dataclass(frozen=True)
class CopyLent:
    barcode: str
    reader: str
    due: datetime


@dataclass(frozen=True)
class LoanRenewed:
    barcode: str
    due: datetime


@dataclass(frozen=True)
class CopyReturned:
    barcode: str
    reader: str
    fine: int = 0
    """Pence."""


@dataclass(frozen=True)
class Copy:
    """One copy of a book."""

    barcode: str
    reader: str | None = None
    due: datetime | None = None
    renewals: int = 0

    @classmethod
    def new(cls, barcode: str) -> Copy:
        return cls(barcode)

    def execute(self, command: Any, context: Any) -> Any:
        match command:
            case LendCopy(reader=reader):
                if self.reader is not None:
                    raise Rejected("on loan", reader=self.reader)
                return CopyLent(self.barcode, reader, context.now + LOAN)
            case RenewLoan():
                if self.due is None:
                    raise Rejected("not on loan")
                if context.now > self.due:
                    raise Rejected("overdue", due=self.due)
                if self.renewals == 2:
                    raise Rejected("renewed twice already")
                return LoanRenewed(self.barcode, self.due + LOAN)
            case ReturnCopy():
                if self.due is None or self.reader is None:
                    raise Rejected("not on loan")
                late = max(timedelta(), context.now - self.due)
                return CopyReturned(self.barcode, self.reader, late.days * PENCE_PER_DAY)

    def apply(self, event: Any) -> Copy:
        match event:
            case CopyLent(reader=reader, due=due):
                return replace(self, reader=reader, due=due, renewals=0)
            case LoanRenewed(due=due):
                return replace(self, due=due, renewals=self.renewals + 1)
            case CopyReturned():
                return replace(self, reader=None, due=None, renewals=0)
        return self


@dataclass(frozen=True)
class ReaderAccount:
    """A projection: what a reader has at home, what the reader owes, and when the reader was last seen."""

    reader: str
    at_home: frozenset[str] = frozenset()
    owes: int = 0
    seen: datetime | None = None

    @classmethod
    def key(cls, event: Any) -> str | None:
        return event.reader if isinstance(event, CopyLent | CopyReturned) else None

    @classmethod
    def new(cls, reader: str) -> ReaderAccount:
        return cls(reader)

    def apply(self, event: Any, recorded: RecordedEvent) -> ReaderAccount:
        match event:
            case CopyLent(barcode=barcode):
                return replace(self, at_home=self.at_home | {barcode}, seen=recorded.recorded_at)
            case CopyReturned(barcode=barcode, fine=fine):
                left = self.at_home - {barcode}
                return replace(self, at_home=left, owes=self.owes + fine, seen=recorded.recorded_at)
        return self


OPENING = datetime(2026, 3, 2, 9, tzinfo=UTC)
