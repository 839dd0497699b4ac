"""Two branches side by side: where they part, and the events, commands and fields that differ."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from calamity_lab.kernel.memo import Slot
from calamity_lab.text import format_value, plural
from calamity_lab.trace.compare import Compared, ComparedRow, Part, compare
from calamity_lab.trace.trace import Trace

LENGTH = 160
"""The longest text of what a branch has."""


@dataclass(frozen=True, slots=True)
class NamedBranch:
    """A branch that can be chosen: its name, and the name as it is shown."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A difference: what each branch has, as text ("" for nothing), and the moments at which it has it.

    ``subject`` names the event, the command or the field, and ``stream_id`` its stream.
    """

    key: str
    status: str
    stream_id: str
    subject: str
    a: str
    b: str
    moment_a: int | None
    moment_b: int | None


@dataclass(frozen=True, slots=True)
class ComparisonPart:
    """The differences of one kind: the first of ``total``."""

    part: Part
    title: str
    total: int
    rows: tuple[ComparisonRow, ...]


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """The branches, which two of them are compared, and what differs.

    ``parts`` has no part without a difference.
    ``parted`` is the last moment up to which the same happened on both; None if they never part.
    """

    branches: tuple[NamedBranch, ...]
    a: str
    b: str
    current: str
    parted: int | None
    sentence: str
    parts: tuple[ComparisonPart, ...]


def comparison(
    trace: Trace, _cursor: int, *, a: str | None = None, b: str | None = None, limit: int = 6
) -> ComparisonView:
    """The comparison of two branches, by default of the current one and the one that it left.

    ``a`` alone is compared with the current branch. A branch that does not exist any more is replaced by one
    that does.
    """
    a, b = _chosen(trace, a, b)
    first, second = trace.branches[a], trace.branches[b]
    compared = trace.memo.once(_COMPARED, lambda: compare(trace, first, second), first, second)
    return ComparisonView(
        branches=tuple([NamedBranch(name, format_value(name)) for name in trace.branches]),
        a=a,
        b=b,
        current=trace.branch.name,
        parted=compared.diverged_at,
        sentence=format_value(compared.sentence()),
        parts=tuple(_parts(compared, limit)),
    )


_COMPARED = Slot[Compared](most=2)


def _chosen(trace: Trace, a: str | None, b: str | None) -> tuple[str, str]:
    """The names of two branches; of two that nobody chose, the older one comes first."""
    names, current = list(trace.branches), trace.branch
    if a in names and (b in names or (b is None and a != current.name)):
        return str(a), current.name if b is None else b
    others = [current.parent, *reversed(names)]
    other = next((name for name in others if name is not None and name != current.name), current.name)
    one, two = sorted((current.name, other), key=names.index)
    return one, two


def _parts(compared: Compared, limit: int) -> Iterable[ComparisonPart]:
    found: dict[Part, list[ComparedRow]] = {}
    for row in compared.rows():
        found.setdefault(row.part, []).append(row)
    for part, rows in found.items():
        shown = tuple([_row(number, row) for number, row in enumerate(islice(rows, limit))])
        yield ComparisonPart(part, _title(part, rows, compared), len(rows), shown)


_NOUNS: Mapping[Part, str] = {
    "event": "event",
    "command": "command",
    "state": "field",
    "pending": "pending command",
}


def _title(part: Part, rows: list[ComparedRow], compared: Compared) -> str:
    """How much differs, and what is the same, as in "8 events differ, 7 are the same"."""
    differ = f"{plural(len(rows), _NOUNS[part])} {'differs' if len(rows) == 1 else 'differ'}"
    if part == "state":
        return f"{differ} at the end"
    all_rows = {"event": compared.events, "command": compared.commands}.get(part, ())
    same = len(all_rows) - len(rows)
    return f"{differ}, {same:,} are the same" if same > 0 else differ


def _row(number: int, row: ComparedRow) -> ComparisonRow:
    a, b = row.texts(LENGTH)
    return ComparisonRow(
        key=f"{row.part} {number}",
        status=row.status,
        stream_id=format_value(row.stream_id),
        subject=format_value(row.name),
        a=a,
        b=b,
        moment_a=row.moment_a,
        moment_b=row.moment_b,
    )
