"""States as numbers: values that are equal are one object with one number, so that states compare quickly."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import blake2b
from math import isfinite
from numbers import Integral, Rational
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from calamity_lab.errors import InvalidValue, Rejected, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.arguments import has, is_a
from calamity_lab.kernel.schema import compared_names, fields_of, is_record
from calamity_lab.kernel.second_arguments import CALLBACKS

_REMEMBERED = 50_000
_ATOMS = frozenset([type(None), bool, int, str, bytes])


class Values:
    """Values that are the same as objects where they are equal, each with a number; and answers of the model.

    So an answer can be found again by the objects that the model was asked about.
    """

    def __init__(self) -> None:
        self.frozen = Frozen()
        self._by_key: dict[Hashable, tuple[Any, int]] = {}
        self._numbered: list[Any] = []
        self._by_id: dict[int, tuple[Any, int]] = {}
        # The answers of the model, and the events among these: only so many, as each state may have others.
        self._answers: dict[Any, tuple[Any, ...]] = {}
        self._events: dict[Hashable, Any] = {}

    def number(self, value: Any, where: str) -> int:
        """The number of a value; ``where`` says in an error whose it is."""
        found = self._by_id.get(id(value))
        return (found or self._taken(value, where))[1]

    def numbered(self, number: int) -> Any:
        """The value with that number."""
        return self._numbered[number]

    def same(self, value: Any) -> Any:
        """The first object that is equal to this one."""
        try:
            return self._taken(value, "")[0]
        except InvalidValue:  # the error is raised where the value is part of a state
            return value

    def _taken(self, value: Any, where: str) -> tuple[Any, int]:
        key = self.frozen(value, where)
        found = self._by_key.get(key)
        if found is None:
            found = self._by_key[key] = self._by_id[id(value)] = value, len(self._numbered)
            self._numbered.append(value)
        return found

    def remembered(self, question: ask.Question) -> Any:
        """The wrapper of the door to the model: what was asked before is answered without the model."""
        subject, method, message = question.subject, question.method, question.message
        key = (subject, method, message) if method == "new" else (id(subject), method, id(message))
        found = self._answers.get(key)
        if found is None:
            how = CALLBACKS.get(method)
            if (
                how is not None
                and how[subject if method in ("interested", "key") else type(subject)] is not None
            ):
                return question()  # it gets ids and times, too
            if len(self._answers) >= _REMEMBERED:
                self._answers.clear()
                self._events.clear()
            found = self._answers[key] = (*self._answer(question), subject, message)
        answer, error = found[:2]
        if error is not None:
            raise error
        return answer

    def _answer(self, question: ask.Question) -> tuple[Any, Rejected | None]:
        try:
            answer = question()
        except Rejected as rejected:
            return None, rejected
        if question.method in ("aggregate", "interested"):
            return answer, None
        if has(answer, "__next__"):
            answer = list(answer)
        same = self._same_event if question.method == "execute" else self.same
        if type(answer) in (list, tuple):
            return [same(each) for each in answer], None
        return same(answer), None

    def _same_event(self, event: Any) -> Any:
        """The first event that is equal to this one, of those that are remembered."""
        try:
            return self._events.setdefault(self.frozen(event, ""), event)
        except InvalidValue:
            return event


class Frozen:
    """Values as something that can be compared and hashed: by their fields and their parts."""

    def __init__(self) -> None:
        self._compared: dict[type, tuple[str, ...] | None] = {}

    def __call__(self, value: Any, where: str) -> Hashable:
        """What stands for a value: two values are equal where these are.

        Raises `InvalidValue` for a value that equals only itself; ``where`` says in whose state it is.
        """
        cls = value.__class__
        if cls in _ATOMS:
            return value  # type: ignore[no-any-return]
        if cls not in self._compared:
            self._compared[cls] = _compared(cls)
        names = self._compared[cls]
        if names is not None:
            return (cls, *[self(getattr(value, name), f"{where}.{name}") for name in names])
        if isinstance(value, float) and value != value:
            return float, "nan"
        parts = self._parts(value, where)
        if parts is not None:
            return parts
        if _compares_itself(value):
            return value  # type: ignore[no-any-return]
        if is_record(value) and not callable(value):
            held = fields_of(value).items()
            return cls, frozenset([(name, self(each, f"{where}.{name}")) for name, each in held])
        raise InvalidValue(
            f"explore(): {where or 'a value'} is {repr_of(value)}, and two objects of {cls.__qualname__} are "
            "never equal, so every state would be a new one. Give the class an __eq__ and a __hash__, leave "
            "the field out with field(compare=False), or say what counts: explore(..., by=lambda stack: ...)"
        )

    def _parts(self, value: Any, where: str) -> Hashable:
        """A container by what is in it; None for what is none."""
        cls = value.__class__
        if is_a(value, set, frozenset):
            return frozenset, frozenset([self(each, f"{where}[]") for each in value])
        if is_a(value, Mapping):
            pairs = [
                (self(key, where), self(held, f"{where}[{repr_of(key)}]")) for key, held in value.items()
            ]
            return dict, frozenset(pairs)
        if is_a(value, Sequence, deque) and not is_a(value, str, bytes, range):
            return (cls, *[self(each, f"{where}[]") for each in value])
        if has(value, "tobytes") and has(value, "shape"):  # an array
            return cls, str(value.dtype), tuple(value.shape), value.tobytes()
        return None


def _compares_itself(value: Any) -> bool:
    """Whether the value's class says when two are equal; a class and a function are equal to themselves."""
    cls: Any = value.__class__
    if cls.__eq__ is object.__eq__ and not isinstance(value, (type, Enum)) and not callable(value):
        return False
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _compared(cls: type) -> tuple[str, ...] | None:
    """The fields by which values of a class are compared; None where it has none, or an own way."""
    own: Any = cls.__eq__
    parameters = getattr(cls, "__dataclass_params__", None)
    if parameters is not None and not parameters.eq and own is not object.__eq__:
        return None
    return compared_names(cls)


_EPOCH, _EPOCH_UTC = datetime(1970, 1, 1), datetime(1970, 1, 1, tzinfo=UTC)  # noqa: DTZ001 - naive
_NUMBERS = (int, float, Decimal, Rational)
_BITS = 2**128 - 1


class Digests:
    """Values as whole numbers of 128 bits that are the same in all processes: equal values have one digest.

    Two different states have the same digest with a probability of 1 to 10**38; a million states hold such a
    pair with 1 to 10**27.
    """

    def __init__(self) -> None:
        self._parts: dict[tuple[int, int], int] = {}
        self._named: dict[str, Any] = {}

    def of(self, *values: Any) -> int:
        """The digest of values as `Frozen` gives them."""
        text = b"".join([self._text(each) for each in values])
        return int.from_bytes(blake2b(text, digest_size=16).digest())

    def part(self, slot: int, number: int, parts: Callable[[int, int], tuple[Any, ...]]) -> int:
        """The digest of a part of a state; it is found again by two numbers."""
        found = self._parts.get((slot, number))
        if found is None:
            found = self._parts[slot, number] = self.of(*parts(slot, number))
        return found

    def joined(self, happened: int, parts: Iterable[int]) -> int:
        """The digest of a whole state: the sum of those of its parts, so in any order."""
        return (sum(parts) + (self.of("happened", happened) if happened else 0)) & _BITS

    def _text(self, value: Any) -> bytes:
        """A text of its own for each value: the kind, the length, and what is in it."""
        kind, text = self._kind_and_text(value)
        return b"%s%d:%s" % (kind, len(text), text)

    def _kind_and_text(self, value: Any) -> tuple[bytes, bytes]:
        cls = value.__class__
        if cls is tuple:
            return b"(", b"".join([self._text(each) for each in value])
        if cls is frozenset:
            return b"{", b"".join(sorted([self._text(each) for each in value]))
        if value is None:
            return b"N", b""
        for kind, text in _TEXTS.items():
            if isinstance(value, kind):
                return text(value)
        if isinstance(value, Enum):
            return b"E", self._name(value.__class__) + value.name.encode()
        if isinstance(value, type) or callable(value):
            return b"C", self._name(value)
        raise InvalidValue(
            f"explore(workers): {repr_of(value)} says itself what it is equal to, as its class "
            f"{cls.__qualname__} has an __eq__ of its own, so two processes cannot agree on it. Explore with "
            "workers=1, or say what counts: explore(..., by=lambda stack: ...)"
        )

    def _name(self, thing: Any) -> bytes:
        """The name of a class or a function, in which no two of them may be confused."""
        name = f"{thing.__module__}:{getattr(thing, '__qualname__', repr_of(thing))}"
        if self._named.setdefault(name, thing) is not thing:
            raise InvalidValue(
                f"explore(workers): two things in the states have the name {name}, so two processes cannot "
                "agree on them. Explore with workers=1, or give the two different names"
            )
        return name.encode()


def _number(value: Any) -> tuple[bytes, bytes]:
    """Numbers that are equal have one text, of whatever class they are."""
    if not isinstance(value, Integral):
        if not isfinite(value):
            return b"f", str(float(value)).encode()
        over, under = value.as_integer_ratio()
        if under != 1:
            return b"q", b"%x/%x" % (over, under)
        value = over
    return b"i", b"%x" % int(value)


def _moment(value: datetime) -> tuple[bytes, bytes]:
    is_naive = value.utcoffset() is None
    since = value.replace(tzinfo=None) - _EPOCH if is_naive else value - _EPOCH_UTC
    return (b"m" if is_naive else b"M"), str(since // timedelta(microseconds=1)).encode()


def _time(value: time) -> tuple[bytes, bytes]:
    offset = value.utcoffset()
    since = datetime.combine(_EPOCH, value.replace(tzinfo=None)) - _EPOCH - (offset or timedelta())
    return (b"t" if offset is None else b"T"), str(since // timedelta(microseconds=1)).encode()


# The classes whose equality is known, each with the text of a value; a class before those above it.
_TEXTS: dict[Any, Callable[[Any], tuple[bytes, bytes]]] = {
    str: lambda value: (b"s", str.encode(value, "utf-8", "surrogatepass")),
    bytes: lambda value: (b"b", bytes(value)),
    _NUMBERS: _number,
    datetime: _moment,
    date: lambda value: (b"d", b"%d" % value.toordinal()),
    time: _time,
    timedelta: lambda value: (b"D", b"%d" % (value // timedelta(microseconds=1))),
    UUID: lambda value: (b"u", value.bytes),
    PurePosixPath: lambda value: (b"p", str(value).encode()),
    range: lambda value: (b"r", b"%d,%d,%d" % (len(value), *_first_and_step(value))),
}


def _first_and_step(value: range) -> tuple[int, int]:
    return (value.start if len(value) else 0), (value.step if len(value) > 1 else 0)
