"""Copies of values for the purity check: to see what has changed, and to put it back.

A copy holds values that compare in plain ways, whatever the classes of the originals do: a record by its
fields, a set in any order, NaN as itself. What cannot be copied is not checked; the copy says so and raises
nothing. Most messages and states hold nothing that can change: `PlainParts` is enough for them.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from copyreg import dispatch_table
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple
from uuid import UUID
from weakref import ReferenceType, WeakKeyDictionary

from calamity_lab.errors import repr_of
from calamity_lab.kernel.arguments import are_equal, is_a
from calamity_lab.kernel.schema import compared_names, field_names, fields_of, is_record

_ATOMS = frozenset(
    {type(None), bool, int, float, complex, str, bytes, Decimal, date, datetime, time, timedelta, UUID}
)
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType)
_NEVER_CHANGE = (Enum, type, ModuleType, ReferenceType, *_FUNCTIONS)


_DEEPEST = 100
_LONGEST = 1_000
"""A value of more parts than these is copied: one part may be in many places, and would be read in each."""
_MOST_AGAIN = 100
"""A part of more values than these is copied once; further on a mark stands for it.

Else a list that holds one list twice, which holds one list twice, and so on, would have 2**n parts.
"""


class _Known(NamedTuple):
    """A value that was copied, its copy, the mark that may stand for it, and how many values it has.

    The value itself is here so that no other value gets its id.
    """

    value: Any
    copied: Any
    again: str
    size: int


class Copy:
    """A copy of a value, or of its fields (`of_fields`), as they are now; ``plain`` is what to compare.

    ``unchecked`` says for each field that holds something which cannot be copied why that is so. Within one
    value, such a part is the same as long as it is the same object; with ``loose``, as in two answers to
    one question, as long as its type is.
    """

    def __init__(self, value: Any, *, loose: bool = False) -> None:
        self.unchecked: dict[str, str] = {}
        self._loose = loose
        self._restores: list[Callable[[], object]] = []
        self._known: dict[int, _Known] = {}
        self._made = self._depth = 0
        self._why = ""
        self.plain = self._copied(value)

    @classmethod
    def of_fields(cls, value: Any) -> Copy:
        """A copy of the fields of a message or a state, by name."""
        made = cls(None)
        made.plain = {}
        try:
            fields = made._held(value)
            if is_a(value, list, dict, set, deque):  # a class whose objects are containers themselves
                made.plain["items"] = made._parts(value, type(value))
        except Exception:  # noqa: BLE001 - a foreign class may raise anything
            made.unchecked["fields"] = "not checked: they cannot be read"
            return made
        for name, held in fields.items():
            made._why = ""
            made.plain[name] = made._copied(held)
            if made._why:
                made.unchecked[name] = made._why
        return made

    def put_back(self) -> None:
        """Give every container and every record in the value what it held when the copy was made."""
        for restore in reversed(self._restores):
            with suppress(Exception):  # what refuses to be changed was not changed
                restore()

    def _copied(self, value: Any) -> Any:
        self._made += 1
        if type(value) in _ATOMS:
            return value
        known = self._known.get(id(value))
        if known is None:
            number = self._made
            again = f"(value {number} again)"
            self._known[id(value)] = _Known(value, again, again, 0)  # for a value that contains itself
            self._depth += 1
            try:
                found = self._parts(value, type(value)) if self._depth <= _DEEPEST else self._unknown(value)
            except Exception:  # noqa: BLE001 - a foreign class may raise anything
                found = self._unknown(value)
            self._depth -= 1
            known = self._known[id(value)] = _Known(value, found, again, self._made - number)
        elif known.size > _MOST_AGAIN:
            return known.again
        else:
            self._made += known.size
        return known.copied

    def _unknown(self, value: Any) -> _Whole:
        deep = f"is nested deeper than {_DEEPEST} levels" if self._depth > _DEEPEST else "cannot be copied"
        self._why = f"not checked: a value of {type(value).__name__} {deep}"
        return _Whole(value, key=type(value) if self._loose else id(value))

    def _parts(self, value: Any, cls: type) -> Any:
        if is_a(value, *_NEVER_CHANGE):
            return _Whole(value, key=getattr(value, "__code__", None) if self._loose else None)
        if cls.__module__.partition(".")[0] == "numpy" and hasattr(value, "tobytes"):
            return self._array(value)
        if is_a(value, Mapping):
            return self._mapping(value)
        if is_a(value, list, tuple, deque) and _fields_of_class(cls)[0] is None:
            return self._sequence(value)
        if is_a(value, AbstractSet):
            return self._set(value)
        if hasattr(cls, "equals") and hasattr(cls, "__copy__"):  # a frame
            return _Whole(copy.copy(value))
        if is_a(value, BaseException):
            return _record(cls, {"args": self._copied(value.args), **self._fields(value)})
        if _fields_of_class(cls)[0] is not None:
            return _record(cls, self._fields(value))
        return self._object(value, cls)

    def _array(self, value: Any) -> Any:
        before = value.copy()
        self._restores.append(lambda: value.__setitem__(..., before))
        if value.dtype.hasobject:
            return self._copied(value.tolist())
        return _Whole(before, key=(value.dtype.str, value.shape, value.tobytes()))

    def _mapping(self, value: Any) -> Any:
        items = dict(value.items())
        if is_a(value, dict):
            self._restores.append(lambda: (dict.clear(value), dict.update(value, items)))
        return {key if type(key) is str else repr_of(key): self._copied(item) for key, item in items.items()}

    def _sequence(self, value: Any) -> list[Any]:
        items = list(value)
        if is_a(value, list):
            self._restores.append(lambda: list.__setitem__(value, slice(None), items))
        elif is_a(value, deque):
            self._restores.append(lambda: (deque.clear(value), deque.extend(value, items)))
        return [self._copied(item) for item in items]

    def _set(self, value: Any) -> Any:
        items = list(value)
        if is_a(value, set):
            self._restores.append(lambda: (set.clear(value), set.update(value, items)))
        if _ATOMS.issuperset(map(type, items)):
            return _Whole(frozenset(items))
        # In the order of their texts, which is the same for sets of the same items.
        return sorted(map(self._copied, items), key=lambda item: repr_of(item, None))

    def _object(self, value: Any, cls: type) -> Any:
        """An object of a class without declared fields: by its own ``__eq__``, else by what it holds."""
        # Raises for what has more in it than Python sees, as an open file.
        reduced = dispatch_table[cls](value) if cls in dispatch_table else value.__reduce_ex__(4)
        if is_a(reduced, str):
            return _Whole(value)
        if _has_own(cls, "__reduce__", "__reduce_ex__") or not (is_record(value) or _slots(cls)):
            return _record(cls, {"state": self._copied(reduced[1:])})
        found = _record(cls, self._fields(value))
        if _has_own(cls, "__eq__"):
            with suppress(Exception):
                twin = copy.deepcopy(value)
                if (twin == value) is True:
                    return _Whole(twin)
        return found

    def _fields(self, value: Any) -> dict[str, Any]:
        return {name: self._copied(held) for name, held in self._held(value).items()}

    def _held(self, value: Any) -> dict[str, Any]:
        """The fields of a value, which can be put back; what its class says is not part of it is left out."""
        cls = type(value)
        declared, aside = _fields_of_class(cls)
        if declared is None or hasattr(value, "__pydantic_extra__"):
            held = fields_of(value) | {
                name: getattr(value, name) for name in _slots(cls) if hasattr(value, name)
            }
            held = {name: each for name, each in held.items() if name not in aside}
        else:
            held = {name: getattr(value, name) for name in declared if hasattr(value, name)}
        if not is_a(value, dict):
            self._restores.append(lambda: _set_fields(value, held))
        return held


class PlainParts:
    """All that a value holds, in one list, which takes a fraction of the time of a `Copy`.

    Values with equal lists are equal. ``held`` is None where there is more in a value than atoms, classes,
    members of enums, tuples and declared fields, where it is long, or cannot be read.
    """

    def __init__(self, value: Any) -> None:
        row: list[Any] = [type(value)]
        self.held: list[Any] | None = None
        self._parts: list[tuple[Any, tuple[Any, ...]]] = []
        with suppress(Exception):  # a foreign class may raise anything; its copy says so
            self.held = row if self._fill(row, (value,)) else None

    def put_back(self) -> None:
        """Give every record in the value what it held."""
        for value, inner in reversed(self._parts):
            names = _fields_of_class(type(value))[0]
            if names is not None:
                _set_fields(value, dict(zip(names, inner, strict=True)))

    def __eq__(self, other: object) -> bool:
        return type(other) is PlainParts and self.held is not None and are_equal(self.held, other.held)

    __hash__ = None  # type: ignore[assignment]

    def _fill(self, row: list[Any], held: tuple[Any, ...]) -> bool:
        for each in held:
            cls: Any = type(each)
            if cls in _ATOMS or issubclass(cls, (Enum, type)):
                row.append(each)
                continue
            read = _reader(cls)
            if read is None:
                return False
            inner = read(each)
            self._parts.append((each, inner))
            row += cls, len(inner)
            if _ATOMS.issuperset(map(type, inner)):
                row += inner
            elif not self._fill(row, inner):
                return False
        return len(row) < _LONGEST


@lru_cache(maxsize=1_000)
def _reader(cls: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """What reads the declared fields of a class; None where it declares none, or may hold more than these."""
    if cls is tuple:
        return tuple
    names, more = _fields_of_class(cls)[0], (list, dict, deque, Mapping, AbstractSet, BaseException)
    if names is None or issubclass(cls, more) or hasattr(cls, "__pydantic_extra__") or hasattr(cls, "equals"):
        return None
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: tuple([getattr(value, name) for name in names])


class _Whole:
    """A value that is compared as a whole: by a key, or else by its own equality."""

    __slots__ = ("_key", "_value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any, *, key: Any = None) -> None:
        self._value = value
        self._key = key

    def __eq__(self, other: object) -> bool:
        if type(other) is not _Whole or type(self._value) is not type(other._value):
            return False
        if self._key is not None:
            return bool(self._key == other._key)
        return self._value is other._value or _same(self._value, other._value)

    def __repr__(self) -> str:
        return repr_of(self._value)


def _same(one: Any, other: Any) -> bool:
    """Whether two values of one type are equal, also where ``==`` gives no bool; False where it raises."""
    try:
        equal = one.equals(other) if hasattr(one, "equals") else one == other
        return bool(equal if type(equal) is bool else equal.all())
    except Exception:  # noqa: BLE001 - a foreign comparison may raise anything
        return False


class _Record:
    """Stands for a value of a class, with copies of its fields."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={held!r}' for name, held in vars(self).items())})"


_stand_ins: WeakKeyDictionary[type, type[_Record]] = WeakKeyDictionary()
_classes: WeakKeyDictionary[type, tuple[tuple[str, ...] | None, frozenset[str]]] = WeakKeyDictionary()


def _record(cls: type, held: dict[str, Any]) -> _Record:
    """A record of the copied fields, of one type for each class."""
    if cls not in _stand_ins:
        _stand_ins[cls] = type(cls.__name__, (_Record,), {})
    made = _stand_ins[cls]()
    vars(made).update(held)
    return made


def _fields_of_class(cls: type) -> tuple[tuple[str, ...] | None, frozenset[str]]:
    """The declared fields that are part of a value, and what is none: caches, and what ``==`` leaves out."""
    if cls not in _classes:
        aside = {
            name
            for base in cls.__mro__
            for name, held in vars(base).items()
            if type(held).__name__.endswith("cached_property")
        }
        names, compared = field_names(cls), compared_names(cls)
        aside |= set(names or ()) - set(compared or ())
        counting = None if compared is None else tuple(name for name in compared if name not in aside)
        _classes[cls] = counting, frozenset(aside)
    return _classes[cls]


def _has_own(cls: type, *methods: str) -> bool:
    return any(getattr(cls, method) is not getattr(object, method) for method in methods)


def _slots(cls: type) -> tuple[str, ...]:
    found: list[str] = []
    for base in cls.__mro__:
        names = vars(base).get("__slots__", ())
        found += [names] if is_a(names, str) else names
    return tuple(name for name in found if name not in ("__dict__", "__weakref__"))


def _set_fields(value: Any, held: Mapping[str, Any]) -> None:
    # A struct of msgspec can be set by itself only.
    put: Callable[..., object] = setattr if hasattr(value, "__struct_fields__") else object.__setattr__
    for name, each in held.items():
        with suppress(AttributeError, TypeError):  # a field that cannot be set was not changed either
            put(value, name, each)
    declared, aside = _fields_of_class(type(value))
    if declared is None:
        for name in vars(value).keys() - held.keys() - aside:
            del vars(value)[name]
