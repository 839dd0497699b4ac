"""Frozen values that are quick to make: a run of the kernel makes some thirty for each command."""

from __future__ import annotations

from abc import ABCMeta
from dataclasses import Field, field, fields, make_dataclass
from functools import cache
from inspect import Signature, signature
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from msgspec import NODEFAULT, Struct, StructMeta, structs

from calamity_lab.errors import repr_of

C = TypeVar("C")


class _DataclassFields:
    """What `dataclasses.fields`, ``replace`` and ``asdict`` read from a class, made when first read."""

    def __get__(self, _: Any, cls: type) -> dict[str, Field[Any]]:
        return _fields_as_dataclass(cls)


class FrozenValue(Struct, frozen=True):
    """A base of frozen values: structs of msgspec, which C code makes and compares.

    The functions of `dataclasses` take such a value, too. ``hidden`` names fields that its repr leaves out.
    """

    __dataclass_fields__: ClassVar[Any] = _DataclassFields()
    hidden: ClassVar[frozenset[str]] = frozenset()
    aside: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        return repr_of_fields(self)


class ComparedInPart(FrozenValue, frozen=True, eq=False):
    """A base of frozen values for which ``==`` leaves out the fields named in ``aside``."""

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _compared(self) == _compared(other)

    def __hash__(self) -> int:
        return hash(_compared(self))


class _Collecting(StructMeta, ABCMeta):
    """The metaclass of `FrozenCollection`: a call of a class takes the items, not the fields."""

    def __call__(cls: Any, *given: Any, **options: Any) -> Any:
        return cls._of(*given, **options)

    @property
    def __signature__(cls: Any) -> Signature:
        return signature(cls._of)


if TYPE_CHECKING:

    class FrozenCollection:
        """No struct for the type checker, which would take the fields for arguments of a call."""

        def __init_subclass__(cls, **options: bool) -> None: ...
        def __new__(cls, *given: Any, **options: Any) -> Self: ...

    def made(cls: type[C], *fields: Any) -> C:
        """A collection with these fields, in order."""

    def remade(collection: C, **fields: Any) -> C:
        """The collection with other values of these fields."""

else:

    class FrozenCollection(Struct, metaclass=_Collecting, frozen=True, eq=False):
        """A base of frozen collections that are quick to make."""

    made, remade = StructMeta.__call__, structs.replace


def _compared(value: Any) -> tuple[Any, ...]:
    return tuple([getattr(value, name) for name in value.__struct_fields__ if name not in value.aside])


@cache
def _fields_as_dataclass(cls: Any) -> dict[str, Field[Any]]:
    described: list[Any] = []
    for each in structs.fields(cls):
        given = {"default": each.default, "default_factory": each.default_factory}
        known: Any = {name: value for name, value in given.items() if value is not NODEFAULT}
        is_shown, is_compared = each.name not in cls.hidden, each.name not in cls.aside
        described.append((each.name, each.type, field(**known, repr=is_shown, compare=is_compared)))
    return {each.name: each for each in fields(make_dataclass(cls.__name__, described, kw_only=True))}


def repr_of_fields(value: Any) -> str:
    """The repr of a dataclass, as the standard library writes it; a field whose repr raises is shown."""
    shown = [f"{f.name}={repr_of(getattr(value, f.name), None)}" for f in fields(value) if f.repr]
    return f"{type(value).__qualname__}({', '.join(shown)})"
