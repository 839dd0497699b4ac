"""The branches as a tree on the axis of moments, and what came of a replay, which began one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.memo import Slot
from calamity_lab.text import format_value, plural
from calamity_lab.trace.replay import Replayed, ReplayRow, differing
from calamity_lab.trace.trace import Branch, Trace
from calamity_lab.views.chart import Mark
from calamity_lab.views.details import MOST_LINKS, Answer, DetailLink

FEW = 3
"""So many branches are shown at first."""
LENGTH = 400
"""The longest text about a replay."""


@dataclass(frozen=True, slots=True)
class BranchRow:
    """A branch as a line from the moment ``start``, at which it leaves the branch ``above``, to ``end``.

    ``above`` is the nearest of its ancestors that is shown; "" where none is. ``name`` is the branch's own
    name, ``label`` the name as it is shown, and ``sentence`` says all of it in words.
    """

    name: str
    label: str
    sentence: str
    start: int
    end: int
    above: str
    current: bool


@dataclass(frozen=True, slots=True)
class BranchTree:
    """The branches that are shown, each below the one that it leaves; ``more`` is how many are folded.

    ``last`` is the end of the axis: the last moment of the current branch. A single branch has no rows.
    """

    rows: tuple[BranchRow, ...] = ()
    more: int = 0
    last: int = 0


def branch_tree(trace: Trace, *, limit: int = FEW) -> BranchTree:
    """The branches of a trace, at most ``limit`` of them: the current one, what it left, then the newest."""
    branches = trace.branches
    if len(branches) == 1:
        return BranchTree()
    current = trace.branch.name
    shown = trace.memo.once(_SHOWN, lambda: _shown(trace, limit), branches.kept, key=(limit, current))
    # Only the current branch can have grown since.
    rows = tuple(_grown(row, trace.branch) if row.current else row for row in shown)
    return BranchTree(rows, len(branches) - len(rows), trace.last)


def sentence_of(branch: Branch) -> str:
    """A branch in words: "branch 2, left main at step 12, 40 steps"."""
    came = f"left {branch.parent} at step {branch.forked_at:,}" if branch.parent else "the first branch"
    edits = branch.edits if branch.edits and not branch.name.startswith(branch.edits) else ""
    length = plural(len(branch.moments) - 1, "step")
    return format_value(", ".join(filter(None, [branch.name, edits, came, length])))


def answer_of(replayed: Replayed) -> Answer:
    """What came of a replay: in words, and a link to each command that was not decided as before."""
    differences = differing(replayed.rows)
    links = [_link(row) for row in differences if row.moment is not None]
    words = {
        "Not sent any more": _counted(row for row in differences if row.outcome == "gone" and row.depth),
        "Still pending": _counted(row for row in differences if row.outcome == "not run"),
        "Not replayed": "; ".join(replayed.unplayed),
        "More differences": str(len(links) - MOST_LINKS) if len(links) > MOST_LINKS else "",
    }
    sentences = [replayed.sentence, *(f"{name}: {said}" for name, said in words.items() if said)]
    return Answer(
        f"Replay: {replayed.trace.branch.edits}",
        format_value(". ".join(sentences), LENGTH),
        tuple(links[:MOST_LINKS]),
    )


def _link(row: ReplayRow) -> DetailLink:
    kind = "rejected" if row.outcome == "rejected" else "command"
    said = row.differs or f"{row.outcome}: {row.after}"
    name, mark = stored_name(type(row.command)), Mark("step", row.moment or 0)
    return DetailLink(kind, name, format_value(said, LENGTH), row.depth, mark, row.moment)


def _counted(rows: Iterable[ReplayRow]) -> str:
    counts = Counter(stored_name(type(row.command)) for row in rows)
    return ", ".join(f"{name} ({times:,} times)" if times > 1 else name for name, times in counts.items())


_SHOWN = Slot[tuple[BranchRow, ...]](most=4)


def _grown(row: BranchRow, branch: Branch) -> BranchRow:
    last = len(branch.moments) - 1
    return row if row.end == last else replace(row, end=last, sentence=sentence_of(branch))


def _shown(trace: Trace, limit: int) -> tuple[BranchRow, ...]:
    branches, current = trace.branches, trace.branch
    chosen = set(_first(branches, current, limit))
    rows = []
    for name in _in_order(branches):
        if name in chosen:
            branch = branches[name]
            above, start = _left(branches, branch, chosen)
            label = format_value(name)
            end = len(branch.moments) - 1
            rows.append(BranchRow(name, label, sentence_of(branch), start, end, above, branch is current))
    return tuple(rows)


def _first(branches: Mapping[str, Branch], current: Branch, limit: int) -> list[str]:
    """The names of the branches that are shown where not all can be."""
    found = dict.fromkeys([current.name, *_ancestors(branches, current)])
    found.update(dict.fromkeys(reversed(list(branches))))
    return list(found)[: max(limit, 1)]


def _ancestors(branches: Mapping[str, Branch], branch: Branch) -> Iterator[str]:
    while branch.parent is not None:
        branch = branches[branch.parent]
        yield branch.name


def _left(branches: Mapping[str, Branch], branch: Branch, shown: set[str]) -> tuple[str, int]:
    """The nearest ancestor that is shown, and the moment at which a branch leaves it."""
    start = branch.forked_at
    while branch.parent is not None:
        if branch.parent in shown:
            return branch.parent, start
        branch = branches[branch.parent]
        start = min(start, branch.forked_at)
    return "", 0


def _in_order(branches: Mapping[str, Branch]) -> Iterator[str]:
    """The names as a tree: below each branch those that left it, the last to leave first.

    So the line down to a branch passes the others on their left, where they have not begun.
    """
    children: dict[str | None, list[str]] = {}
    for name, branch in branches.items():
        children.setdefault(branch.parent, []).append(name)
    waiting: list[str] = list(_by_fork(branches, children.get(None, ())))
    while waiting:
        name = waiting.pop()
        yield name
        waiting += _by_fork(branches, children.get(name, ()))


def _by_fork(branches: Mapping[str, Branch], names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: branches[name].forked_at)
