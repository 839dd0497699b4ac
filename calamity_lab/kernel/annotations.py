"""The annotations of classes and methods, with the names in them resolved."""

from __future__ import annotations

import builtins
import inspect
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import InitVar, dataclass
from enum import Enum
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

_UNIONS = (typing.Union, types.UnionType)
_WRAPPERS = (typing.Annotated, typing.Final, typing.ClassVar, typing.Required, typing.NotRequired)


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An annotation that names something that cannot be found, as it was written."""

    text: str


def bare(annotation: Any) -> Any:
    """The annotated type itself, without what only type checkers and validators read."""
    while True:
        if get_origin(annotation) in _WRAPPERS:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):  # a NewType
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":  # from Python 3.12 on
            annotation = annotation.__value__
        elif isinstance(annotation, InitVar):
            annotation = annotation.type
        elif isinstance(annotation, typing.TypeVar):
            annotation = annotation.__bound__ or Any
        else:
            return annotation


def is_union(annotation: Any) -> bool:
    """Whether the annotation allows values of several types."""
    return get_origin(annotation) in _UNIONS


def union_members(annotation: Any) -> tuple[Any, ...]:
    """The bare members of a union, those of unions in it too; any other annotation is its only member."""
    annotation = bare(annotation)
    if not is_union(annotation):
        return (types.NoneType if annotation is None else annotation,)
    return tuple(dict.fromkeys(m for part in get_args(annotation) for m in union_members(part)))


def class_annotations(cls: type, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The annotations of a class and its bases by name, resolved where they can be, without class variables.

    A name is looked for where Python would: in the class, in the function around the class, in its module.
    Then among the classes that its methods see, among those that are ``known``, and among its neighbours:
    the classes that the same function made.
    """
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if base.__module__ == "builtins":
            continue
        scope = _Scope(cls, base, known or {})
        for name, annotation in _written(base).items():
            if not _is_class_variable(annotation):
                found[name] = scope.resolve(annotation)
    return found


def annotated_names(cls: type) -> tuple[str, ...]:
    """The names that a class and its bases annotate, without class variables; nothing is resolved for it."""
    written = [_written(base) for base in reversed(cls.__mro__) if base.__module__ != "builtins"]
    return tuple(
        name for names in written for name, annotation in names.items() if not _is_class_variable(annotation)
    )


def method_annotations(cls: type, name: str, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The annotations of a method's parameters by name, resolved where they can be."""
    base = next((base for base in cls.__mro__ if name in vars(base)), None)
    method = None if base is None else vars(base)[name]
    written = getattr(getattr(method, "__func__", method), "__annotations__", {})
    if base is None or not isinstance(written, Mapping):
        return {}
    scope = _Scope(cls, base, known or {})
    return {key: scope.resolve(annotation) for key, annotation in written.items() if key != "return"}


def _written(base: type) -> Mapping[str, Any]:
    try:
        return inspect.get_annotations(base)
    except NameError:  # from Python 3.14 on they are worked out only now
        return {}


def _is_class_variable(annotation: Any) -> bool:
    if isinstance(annotation, str):
        return annotation.startswith(("ClassVar", "typing.ClassVar"))
    return annotation is ClassVar or get_origin(annotation) is ClassVar


class _Scope:
    """What the annotations that a base of a class has may name."""

    def __init__(self, cls: type, base: type, known: Mapping[str, Any]) -> None:
        self._cls, self._base, self._known = cls, base, known
        self._names: dict[str, Any] | None = None

    def resolve(self, annotation: Any) -> Any:
        """The annotation with every name in it resolved, or `Unresolved`."""
        try:
            if isinstance(annotation, type):
                return annotation
            if not isinstance(annotation, str):
                with suppress(NameError):
                    # Most hold no name that is not resolved yet, and need no scope.
                    return _evaluated(annotation, {})
            return self._resolved(annotation)
        except Exception:  # noqa: BLE001 - an annotation is the user's own text and may name what is not there
            return Unresolved(annotation if isinstance(annotation, str) else repr(annotation))

    def _resolved(self, annotation: Any) -> Any:
        if self._names is None:
            self._names = _names_in_scope(self._cls, self._base, self._known)
        names = self._names
        single = (
            names.get(annotation, vars(builtins).get(annotation)) if isinstance(annotation, str) else None
        )
        if isinstance(single, type):
            return single  # most are the name of a class, which needs no evaluation
        while True:
            try:
                return _evaluated(annotation, names)
            except NameError as error:
                name = error.name or ""
                neighbours = _neighbours(self._base, name)
                if len(neighbours) != 1 or name in names:
                    raise
                names[name] = neighbours[0]


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    carrier = type("Carrier", (), {"__annotations__": {"field": annotation}})
    return get_type_hints(carrier, globalns=names, include_extras=True)["field"]


def _names_in_scope(cls: type, base: type, known: Mapping[str, Any]) -> dict[str, Any]:
    own = {cls.__name__: cls, base.__name__: base}
    names: dict[str, Any] = {**known, **own, **closed_over(*vars(base).values())}
    names.update(vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {})
    names.update(_locals_around(base))
    # Only classes: a field may be called as the type that it has, and then the name is its default.
    names.update({name: value for name, value in vars(base).items() if isinstance(value, type)})
    # A cell that was run again leaves classes of two generations behind: those of this generation are meant.
    names.update(
        {name: mine for name, mine in {**known, **own}.items() if _is_other_generation(names.get(name), mine)}
    )
    return names


def _is_other_generation(found: Any, mine: Any) -> bool:
    return (
        isinstance(found, type)
        and isinstance(mine, type)
        and found is not mine
        and (found.__module__, found.__qualname__) == (mine.__module__, mine.__qualname__)
    )


def closed_over(*functions: Any) -> dict[str, Any]:
    """What functions see of the function around them; names that are not bound yet are left out."""
    seen: dict[str, Any] = {}
    for function in functions:
        plain = getattr(function, "__func__", function)
        if isinstance(plain, types.FunctionType):
            for name, cell in zip(plain.__code__.co_freevars, plain.__closure__ or (), strict=True):
                with suppress(ValueError):
                    seen[name] = cell.cell_contents
    return seen


def _locals_around(base: type) -> Mapping[str, Any]:
    """The local names of the function that defines a class, while that function is running."""
    function, is_local, _ = base.__qualname__.rpartition(".<locals>.")
    frame = sys._getframe() if is_local else None
    while frame is not None:
        if frame.f_code.co_qualname == function and frame.f_globals.get("__name__") == base.__module__:
            return frame.f_locals
        frame = frame.f_back
    return {}


def _neighbours(base: type, name: str) -> list[type]:
    """The living classes of that name that the same function made: its names are gone when it is done."""
    home, is_local, _ = base.__qualname__.rpartition(".<locals>.")
    if not is_local:
        return []
    wanted = (base.__module__, f"{home}.<locals>.{name}")
    made = [cls for cls in _classes_of_all_kinds() if (cls.__module__, cls.__qualname__) == wanted]
    # `dataclass(slots=True)` makes a second class and leaves the one that it replaces behind.
    return [cls for cls in made if "__slots__" in vars(cls)] or made


def _classes_of_all_kinds() -> Iterator[type]:
    for base in (object, Enum, tuple, str, int):
        yield from base.__subclasses__()
