"""Where two values differ, field by field, and what changed inside a value."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum
from itertools import accumulate, count, pairwise
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from calamity_lab.errors import repr_of, text_of
from calamity_lab.kernel.arguments import is_a
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.schema import RaisingParts, field_names, fields_of, is_record
from calamity_lab.text import format_value


class _Absent:
    """Stands for the value of a field that is not there."""

    def __repr__(self) -> str:
        return "absent"


ABSENT = _Absent()


class Difference(NamedTuple):
    """A path, as in ``lines[2].price``, and the values there before and after."""

    path: str
    before: Any
    after: Any

    @property
    def field(self) -> str:
        """The outermost field of the path."""
        return self.path.partition(".")[0].partition("[")[0]


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """Every path at which the values differ, outermost first; values of equal fields are equal.

    Of two definitions of a class, as before and after a reload, the fields are compared.
    """
    if before is after or _equal(before, after):
        return
    if is_a(before, Enum) or not is_same_class(before, after):
        yield Difference(path, before, after)
    elif is_a(before, Mapping) and field_names(type(before)) is None:
        yield from _named(_entries(before), _entries(after), path, "." if path else "")
    elif is_record(before):
        yield from _named(fields_of(before), fields_of(after), path, "." if path else "")
    elif is_a(before, list, tuple):
        yield from _listed(before, after, path)
    elif not (is_a(before, Set) and _is_same_set(before, after)):
        yield Difference(path, before, after)


def is_same_class(one: Any, other: Any) -> bool:
    """Whether two values are of one class, or of two definitions of a class that share their stored name."""
    cls, its = type(one), type(other)
    if cls is its:
        return True
    same_kind = (is_record(one) and is_record(other)) or (is_a(one, Enum) and is_a(other, Enum))
    return same_kind and stored_name(cls) == stored_name(its)


class _Key(NamedTuple):
    """A key of a mapping that is no text: equal to that of another definition of its class."""

    text: str
    type_name: str

    def __str__(self) -> str:
        return self.text


def _entries(value: Any) -> dict[Any, Any]:
    """The entries of a mapping by keys that may be compared and shown, whatever the keys are."""
    try:
        return {
            key if type(key) is str else _Key(text_of(key), stored_name(type(key))): item
            for key, item in value.items()
        }
    except Exception as error:  # noqa: BLE001 - what a model's class raises is shown in place of its entries
        return {"fields": RaisingParts(type(value), error)}


def _is_same_set(before: Any, after: Any) -> bool:
    """Whether two sets hold the same items, also of two definitions of a class."""
    if len(before) != len(after):
        return False
    one, other = (sorted(each, key=lambda item: repr_of(item, None)) for each in (before, after))
    return not any([next(differences(*pair), None) for pair in zip(one, other, strict=True)])


def _named(before: Mapping[Any, Any], after: Mapping[Any, Any], path: str, dot: str) -> Iterator[Difference]:
    for name in {**before, **after}:
        yield from differences(before.get(name, ABSENT), after.get(name, ABSENT), f"{path}{dot}{name}")


def _listed(before: Any, after: Any, path: str) -> Iterator[Difference]:
    for n in range(_shared(before, after), max(len(before), len(after))):
        old = before[n] if n < len(before) else ABSENT
        new = after[n] if n < len(after) else ABSENT
        yield from differences(old, new, f"{path}[{n}]")


def _holds(found: Any) -> bool:
    """Whether a comparison holds; that of two arrays has an answer for each item."""
    return found if type(found) is bool else bool(found.all() if hasattr(found, "all") else found)


def _equal(before: Any, after: Any) -> bool:
    if type(before) is not type(after):
        return is_a(before, Enum) and is_same_class(before, after) and before.name == after.name
    try:
        return _holds(before == after) or (_holds(before != before) and _holds(after != after))
    except RecursionError:  # too deep to be compared, or a value that contains itself
        return repr_of(before, None) == repr_of(after, None)
    except Exception:  # noqa: BLE001 - a foreign __eq__ may raise anything; the fields, or the repr, then tell
        parts = is_record(before) or is_a(before, Mapping, list, tuple)
        return not parts and repr_of(before, None) == repr_of(after, None)


Kind = Literal["changed", "added", "removed", "moved"]


class Change(NamedTuple):
    """How a value differs from what it was; ``inner`` holds the changes inside it, where they are known.

    ``key`` is where it is now in what holds it, and ``was`` where it was before: the name of a field, the key
    of an entry, the item of a set, the index of an item of a list, or of the first letter of a part of a
    text. A change without ``inner`` replaces ``before`` by ``after`` as a whole.
    """

    kind: Kind
    key: Any
    was: Any
    before: Any
    after: Any
    inner: tuple[Change, ...] = ()

    @property
    def size(self) -> int:
        """How many changes it is, each of those inside it as one."""
        return sum([each.size for each in self.inner]) or 1


SHORT = 40
"""A text of at most this many letters is shown as a whole."""

_DEEPEST = 24
_MOST = 10_000
"""So many items or entries that may have changed are compared one by one."""
_MOST_WORDS = 50_000
_MOST_PAIRS = 20_000
"""So many pairs of equal items at most are left to difflib, whose time may grow with their square."""
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


def change(before: Any, after: Any) -> Change | None:
    """How a value changed, down to what changed inside it; None where it did not."""
    return _change("changed", None, None, before, after, 0)


def _change(kind: Kind, key: Any, was: Any, before: Any, after: Any, depth: int) -> Change | None:
    if before is after or _equal(before, after):
        return None
    inner: tuple[Change, ...] | None = ()
    if type(before) is type(after) and depth < _DEEPEST:
        try:
            inner = _inner(before, after, depth + 1)
        except Exception:  # noqa: BLE001 - a value whose own methods raise is shown as a whole
            inner = ()
    return None if inner is None else Change(kind, key, was, before, after, inner)


def _inner(before: Any, after: Any, depth: int) -> tuple[Change, ...] | None:
    """The changes inside values of one type; () if they are shown as a whole, None if there are none."""
    if is_a(before, Enum):
        return ()
    if is_a(before, str):
        return _in_text(before, after)
    if is_record(before):
        return _in_entries(fields_of(before), fields_of(after), depth)
    if is_a(before, Mapping):
        return _in_entries(before, after, depth)
    if is_a(before, Set):
        return tuple(_in_set(before, after))
    return _in_sequence(before, after, depth) if is_a(before, list, tuple) else ()


def _in_entries(before: Mapping[Any, Any], after: Mapping[Any, Any], depth: int) -> tuple[Change, ...] | None:
    if max(len(before), len(after)) > _MOST:
        return ()
    found = [
        _change("changed", key, key, before[key], item, depth)
        if key in before
        else Change("added", key, None, ABSENT, item)
        for key, item in after.items()
    ]
    found += [Change("removed", None, key, item, ABSENT) for key, item in before.items() if key not in after]
    return tuple([each for each in found if each is not None]) or None


def _in_set(before: Any, after: Any) -> Iterator[Change]:
    for item in before - after:
        yield Change("removed", None, item, item, ABSENT)
    for item in after - before:
        yield Change("added", item, None, ABSENT, item)


class Alignment(NamedTuple):
    """Which item of a list was which item before.

    The first ``start`` and the last ``end`` items are the same. Of those between, ``origins`` has the former
    index of each that was there, and ``moved`` are those that are in another order now.
    """

    start: int
    end: int
    origins: Mapping[int, int]
    moved: frozenset[int]

    def origin(self, index: int, before: Sequence[Any], after: Sequence[Any]) -> int | None:
        """The index that an item had before; None where it is new."""
        if index < self.start:
            return index
        return index - len(after) + len(before) if index >= len(after) - self.end else self.origins.get(index)


def aligned(before: Sequence[Any], after: Sequence[Any]) -> Alignment | None:
    """Which items of a list were there before; None if too many changed or it cannot be read."""
    try:
        return _aligned(before, after)
    except Exception:  # noqa: BLE001 - a list whose own methods raise is shown as a whole
        return None


def _aligned(before: Sequence[Any], after: Sequence[Any]) -> Alignment | None:
    start = _shared(before, after)
    end = min(_shared(before[::-1], after[::-1]), min(len(before), len(after)) - start)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if max(len(old), len(new)) > _MOST:
        return None
    numbers = _Numbers()
    one, other = [*map(numbers.of, old)], [*map(numbers.of, new)]
    kept = _kept(one, other)
    if len(one) == len(other):
        # Of two orders, the one in which as many items stay at their index is easier to read.
        stay = {n: n for n, number in enumerate(one) if number == other[n]}
        kept = stay if len(stay) >= len(kept) else kept
    moved = _moved(one, other, kept)
    known = {**kept, **moved}
    pairs = {**known, **_paired(old, new, kept, known)}
    return Alignment(
        start,
        end,
        {start + now: start + was for now, was in pairs.items()},
        frozenset([start + now for now in moved]),
    )


def _in_sequence(before: Any, after: Any, depth: int) -> tuple[Change, ...] | None:
    found = aligned(before, after)
    if found is None:
        return ()
    changes: list[tuple[int, Change | None]] = []
    taken = set(found.origins.values())
    at = found.start
    for was in range(found.start, len(before) - found.end):
        if was not in taken:
            changes.append((at, Change("removed", None, was, before[was], ABSENT)))
        else:
            at = was
    for now in range(found.start, len(after) - found.end):
        origin = found.origins.get(now)
        if origin is None:
            changes.append((now, Change("added", now, None, ABSENT, after[now])))
        elif now in found.moved:
            changes.append((now, Change("moved", now, origin, before[origin], after[now])))
        else:
            changes.append((now, _change("changed", now, origin, before[origin], after[now], depth)))
    changes.sort(key=itemgetter(0))
    return tuple([each for _, each in changes if each is not None]) or None


def _shared(before: Sequence[Any], after: Sequence[Any]) -> int:
    """How many items are the same at the start, found in blocks: most of a long list has not changed."""
    most, at, block = min(len(before), len(after)), 0, 4_096
    while block > 1:
        while at + block <= most and _equal(before[at : at + block], after[at : at + block]):
            at += block
        block //= 4
    while at < most and (before[at] is after[at] or _equal(before[at], after[at])):
        at += 1
    return at


class _Numbers:
    """Gives equal values the same number, also those that cannot be hashed."""

    def __init__(self) -> None:
        self._known: dict[int, list[tuple[Any, int]]] = {}
        self._count = count()

    def of(self, value: Any) -> int:
        known = self._known.setdefault(_hash(value, 3), [])
        for other, number in known[:_MOST_ALIKE]:
            if value is other or _equal(value, other):
                return number
        known.append((value, next(self._count)))
        return known[-1][1]


_MOST_ALIKE = 32
"""So many values of one hash are compared."""
_MOST_HASHED = 20
"""So many items of a value without a hash are hashed."""


def _hash(value: Any, depth: int) -> int:
    """A hash that equal values share, made of the parts of a value that has none of its own."""
    try:
        if is_record(value) and depth:
            return hash((type(value), _hash(fields_of(value), depth - 1)))
        return hash((type(value), value))
    except Exception:  # noqa: BLE001 - no hash, or one that raises
        if not depth or not is_a(value, dict, list, tuple) or len(value) > _MOST_HASHED:
            return hash(type(value))
    if is_a(value, dict):
        return hash((dict, frozenset([(key, _hash(item, depth - 1)) for key, item in value.items()])))
    return hash((type(value), tuple([_hash(item, depth - 1) for item in value])))


def _kept(old: Sequence[Any], new: Sequence[Any]) -> dict[int, int]:
    """The items that are there before and after, in the same order: their index now, and before."""
    there, pairs = Counter(old), 0
    for number, times in Counter(new).items():
        pairs += there[number] * times
    if pairs > _MOST_PAIRS:
        return _kept_once(old, new)
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
    return {now + n: was + n for was, now, size in blocks for n in range(size)}


def _kept_once(old: Sequence[Any], new: Sequence[Any]) -> dict[int, int]:
    """The same for many items, of those only that are there once before and once after."""
    counts, places = (Counter(old), Counter(new)), {each: was for was, each in enumerate(old)}
    both = [
        (now, places[each]) for now, each in enumerate(new) if counts[0][each] == 1 and counts[1][each] == 1
    ]
    ends: list[int] = []
    last: list[int] = []
    before: dict[int, int] = {}
    for n, (_, was) in enumerate(both):
        length = bisect_left(ends, was)
        if length:
            before[n] = last[length - 1]
        ends[length : length + 1], last[length : length + 1] = [was], [n]
    kept, at = {}, last[-1] if last else None
    while at is not None:
        now, was = both[at]
        kept[now], at = was, before.get(at)
    return kept


def _moved(old: Sequence[Any], new: Sequence[Any], kept: Mapping[int, int]) -> dict[int, int]:
    """The items that are there before and after, and not among those that kept their order."""
    stay = set(kept.values())
    left: dict[Any, list[int]] = {}
    for was in range(len(old) - 1, -1, -1):
        if was not in stay:
            left.setdefault(old[was], []).append(was)
    return {now: left[number].pop() for now, number in enumerate(new) if now not in kept and left.get(number)}


def _paired(
    old: Sequence[Any], new: Sequence[Any], kept: Mapping[int, int], known: Mapping[int, int]
) -> dict[int, int]:
    """The items that replaced others: as many between two that were kept, or records that are alike."""
    gone = set(range(len(old))) - set(known.values())
    found: dict[int, int] = {}
    edges = [(-1, -1), *sorted(kept.items()), (len(new), len(old))]
    for (now, was), (next_now, next_was) in pairwise(edges):
        after = [n for n in range(now + 1, next_now) if n not in known]
        before = [n for n in range(was + 1, next_was) if n in gone]
        if len(after) == len(before):
            found.update(zip(after, before, strict=True))
            continue
        for n in after:
            twin = next((m for m in before[:_MOST_ALIKE] if _alike(old[m], new[n])), None)
            if twin is not None:
                found[n] = twin
                before.remove(twin)
    return found


def _alike(before: Any, after: Any) -> bool:
    """Whether two records of one class have half of their fields in common."""
    if type(before) is not type(after) or not (is_record(before) or is_a(before, dict)):
        return False
    one, other = fields_of(before), fields_of(after)
    same = sum(name in other and _equal(item, other[name]) for name, item in one.items())
    return 2 * same >= max(len(one), len(other))


def _in_text(before: str, after: str) -> tuple[Change, ...]:
    """The parts of a text that changed, in whole words; () for a short text, or where most of it is new."""
    if min(len(before), len(after)) <= SHORT:
        return ()
    start = _shared(before, after)
    end = min(_shared(before[::-1], after[::-1]), min(len(before), len(after)) - start)
    start, end = _at_words(before, after, start, end)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    pieces = list(_pieces(_WORDS.findall(old), _WORDS.findall(new)))
    if 2 * sum(len(was) + len(now) for _, _, was, now in pieces) > len(before) + len(after):
        return ()
    return tuple(Change("changed", start + now, start + was, one, other) for was, now, one, other in pieces)


def _at_words(before: str, after: str, start: int, end: int) -> tuple[int, int]:
    """The ends of what two texts share, moved back to where no word is cut; a word as long as a text is."""
    first = start
    while first and start - first < SHORT and (before[first - 1].isalnum() or after[first - 1].isalnum()):
        first -= 1
    last = end
    while last and end - last < SHORT and (before[-last].isalnum() or after[-last].isalnum()):
        last -= 1
    return (start if start - first == SHORT else first), (end if end - last == SHORT else last)


def _pieces(old: Sequence[str], new: Sequence[str]) -> Iterator[tuple[int, int, str, str]]:
    """The words that changed: where they were, where they are, the words before, and those now."""
    kept = {} if max(len(old), len(new)) > _MOST_WORDS else _kept(old, new)
    was_at, now_at = ([0, *accumulate(map(len, words))] for words in (old, new))
    # A blank or a comma between two changed words does not part them.
    firm = [(now, was) for now, was in sorted(kept.items()) if new[now].isalnum() and len(new[now]) > 1]
    ends = [(-1, -1), *firm, (len(new), len(old))]
    for (now, was), (next_now, next_was) in pairwise(ends):
        one, other = "".join(old[was + 1 : next_was]), "".join(new[now + 1 : next_now])
        if one != other:
            blank = one[: len(one) - len(one.lstrip())]
            lead = len(blank) if other.startswith(blank) else 0
            yield was_at[was + 1] + lead, now_at[now + 1] + lead, one[lead:], other[lead:]


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """A change inside a value, as texts: ``path`` is where in the value; ``sign`` says what happened there.

    ``at`` is the index of an item that was added or removed, if it is not the last one. ``left`` and
    ``right`` are the text around a changed part of a text.
    """

    path: str
    sign: Literal["→", "+", "-", "moved", "text"]
    before: str = ""
    after: str = ""
    at: str = ""
    left: str = ""
    right: str = ""

    def __str__(self) -> str:
        path = f"{self.path} " if self.path else ""
        at = f" at {self.at}" if self.at else ""
        match self.sign:
            case "+":
                return f"{path}+ {self.after}{at}"
            case "-":
                return f"{path}- {self.before}{at}"
            case "moved":
                return f"{path}{self.after} moved from {self.before} to {self.at}".lstrip()
            case "text":
                return f"{path}{self.left}[{_replaced(self.before, self.after)}]{self.right}"
        return f"{self.path}: {self.before} → {self.after}" if path else f"{self.before} → {self.after}"


def _replaced(before: str, after: str) -> str:
    return f"{before} → {after}" if before and after else f"+{after}" if after else f"-{before}"


def lines(found: Change, path: str = "", length: int = 80) -> Iterator[ChangeLine]:
    """The changes inside a value, one by one; a value that changed as a whole is one change."""
    if not found.inner:
        yield ChangeLine(path, "→", _inside(found.before, length), _inside(found.after, length))
    elif is_a(found.before, str):
        yield from (_text_line(found, part, path, length) for part in found.inner)
    else:
        for part in found.inner:
            yield from _lines_of(found, part, path, length)


def _lines_of(whole: Change, part: Change, path: str, length: int) -> Iterator[ChangeLine]:
    before, after = whole.before, whole.after
    is_named = is_record(before)
    is_listed = not is_named and is_a(before, list, tuple)
    is_set = not is_named and is_a(before, Set)
    if part.kind == "changed":
        yield from lines(part, _joined(path, part.key, is_named=is_named), length)
    elif part.kind == "moved":
        yield ChangeLine(path, "moved", f"[{part.was}]", _inside(part.after, length), f"[{part.key}]")
    else:
        is_new = part.kind == "added"
        key, value, whole_now = (part.key, part.after, after) if is_new else (part.was, part.before, before)
        inner = path if is_listed or is_set else _joined(path, key, is_named=is_named)
        at = f"[{key}]" if is_listed and key < len(whole_now) - 1 else ""
        shown = _inside(value, length)
        yield ChangeLine(inner, "+", after=shown, at=at) if is_new else ChangeLine(inner, "-", shown, at=at)


def _text_line(whole: Change, part: Change, path: str, length: int) -> ChangeLine:
    start, end = part.key, part.key + len(part.after)
    left, right = whole.after[max(start - _AROUND, 0) : start], whole.after[end : end + _AROUND]
    return ChangeLine(
        path,
        "text",
        format_value(part.before, length),
        format_value(part.after, length),
        left=format_value(f"…{left.partition(' ')[2] or left}" if start > _AROUND else left),
        right=format_value(
            f"{right.rpartition(' ')[0] or right}…" if end + _AROUND < len(whole.after) else right
        ),
    )


_AROUND = 24
"""So many letters around a changed part of a text."""


def _joined(path: str, key: Any, *, is_named: bool) -> str:
    if is_named:
        return f"{path}.{key}" if path else str(key)
    return f"{path}[{_inside(key, 60)}]"


def _inside(value: Any, length: int) -> str:
    """A value as it is written inside other values: a text is in quotes."""
    return format_value([value], length + 2)[1:].removesuffix("]")
