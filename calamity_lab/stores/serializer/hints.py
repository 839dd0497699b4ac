"""What the fields of a class are annotated with, resolved as far as can be."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import FunctionType, NoneType
from typing import Annotated, Any, ClassVar, Optional, get_args, get_origin, get_type_hints

import msgspec

from calamity_lab.kernel.fields import field_names
from calamity_lab.stores.serializer.codec import MAYBE_NONE, bare

_UNRESOLVED = object()


def hints_of(cls: type, known: Mapping[str, type]) -> tuple[dict[str, Any], bool]:
    """The annotations by field, and whether all could be resolved; ``Any`` stands for the rest.

    A name in an annotation is looked for where Python would: in the class, in the function that the class
    stands in, in its module; then among what its methods see, and at last among the classes ``known``.
    A plain class has as fields whatever it annotates and what its slots are.
    """
    found = {
        name: _resolved(hint, cls, base, known) for base, name, hint in _annotated(cls) if not _of_class(hint)
    }
    names = [field.name for field in fields(cls)] if is_dataclass(cls) else field_names(cls)
    hints = {name: found.get(name, Any) for name in ((*found, *_slots(cls)) if names is None else names)}
    return (
        {
            name: Any if hint is _UNRESOLVED else hint
            for name, hint in (hints | _optional(cls, hints)).items()
        },
        all(hint is not _UNRESOLVED for hint in hints.values()),
    )


def _optional(cls: Any, hints: Mapping[str, Any]) -> dict[str, Any]:
    """The annotations of fields that are None by default and do not say so, as in ``name: str = None``."""
    if issubclass(cls, msgspec.Struct):
        given = dict(zip(reversed(cls.__struct_fields__), reversed(cls.__struct_defaults__), strict=False))
    else:
        given = {
            field.name: field.default
            for field in (fields(cls) if is_dataclass(cls) else getattr(cls, "__attrs_attrs__", ()))
        }
    return {
        name: Annotated[Optional[hint], MAYBE_NONE]  # noqa: UP045 - not all that can be annotated has an |
        for name, hint in hints.items()
        if given.get(name, MISSING) is None and not _takes_none(hint)
    }


def _takes_none(hint: Any) -> bool:
    hint = bare(hint)
    return hint in (Any, None, _UNRESOLVED) or not {None, NoneType}.isdisjoint(get_args(hint))


def _annotated(cls: type) -> Iterator[tuple[type, str, Any]]:
    """Every annotation of a class and its bases, the nearest last."""
    for base in reversed(cls.__mro__):
        if base.__module__ != "builtins":
            try:
                annotations = inspect.get_annotations(base)
            except NameError:  # from Python 3.14 on, annotations are evaluated when asked for
                annotations = {}
            for name, hint in annotations.items():
                yield base, name, hint


def _of_class(hint: Any) -> bool:
    if isinstance(hint, str):
        return hint.startswith(("ClassVar", "typing.ClassVar"))
    return hint is ClassVar or get_origin(hint) is ClassVar


def _slots(cls: type) -> Iterator[str]:
    for base in reversed(cls.__mro__):
        slots = base.__dict__.get("__slots__", ())
        yield from (
            name
            for name in ((slots,) if isinstance(slots, str) else slots)
            if name not in {"__dict__", "__weakref__"}
        )


def _resolved(hint: Any, cls: type, base: type, known: Mapping[str, type]) -> Any:
    carrier = type("Carrier", (), {"__annotations__": {"field": hint}})
    try:
        if not isinstance(hint, str):
            # Most hold no name that is not resolved yet, and need no namespace.
            return get_type_hints(carrier, globalns={}, include_extras=True)["field"]
    except NameError:
        pass
    try:
        names = _namespace(cls, base, known)
        return get_type_hints(carrier, globalns=names, include_extras=True)["field"]
    except Exception:  # noqa: BLE001 - an annotation is the user's own text; it may say what is not there
        return _UNRESOLVED


def _namespace(cls: type, base: type, known: Mapping[str, type]) -> dict[str, Any]:
    """What can be seen from inside the class, and what else goes by a name, in that order."""
    names: dict[str, Any] = {**known, cls.__name__: cls, **_closed_over(base)}
    names.update(vars(sys.modules[base.__module__]) if base.__module__ in sys.modules else {})
    names.update(_around(base))
    # Only classes: a field may be called as the type that it has, and then the name is its default.
    names.update({name: value for name, value in vars(base).items() if isinstance(value, type)})
    return names


def _closed_over(base: type) -> dict[str, Any]:
    """What the methods of a class see of the function around it."""
    seen = {}
    for method in vars(base).values():
        bare = getattr(method, "__func__", method)
        if isinstance(bare, FunctionType):
            for name, cell in zip(bare.__code__.co_freevars, bare.__closure__ or (), strict=True):
                try:
                    seen[name] = cell.cell_contents
                except ValueError:  # not bound yet
                    continue
    return seen


def _around(base: type) -> Mapping[str, Any]:
    """The local names of the function that a class stands in, while that function is running."""
    function, is_local, _ = base.__qualname__.rpartition(".<locals>.")
    frame = sys._getframe() if is_local else None
    while frame is not None:
        if frame.f_code.co_qualname == function and frame.f_globals.get("__name__") == base.__module__:
            return frame.f_locals
        frame = frame.f_back
    return {}
