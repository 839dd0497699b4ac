"""Which class goes by which name, and in which version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from calamity_lab.errors import InvalidModel, InvalidValue
from calamity_lab.model import Model

Types = Model | ModuleType | Mapping[str, Any] | Iterable[type]


class Names:
    """Names and classes, one to one; a class that a cell defined again takes the place of the earlier one."""

    def __init__(self, names: Mapping[type, str], versions: Mapping[type, int]) -> None:
        self._chosen: dict[tuple[str, str], str] = {
            _home(cls): name for cls, name in _checked("names", names, str).items()
        }
        self._versions: dict[tuple[str, str], int] = {
            _home(cls): number for cls, number in _checked("versions", versions, int).items()
        }
        self._classes: dict[str, type] = {}
        self._seen: set[type] = set()

    def name_of(self, cls: type) -> str:
        """The name that was chosen for the class, or its own."""
        return self._chosen.get(_home(cls), cls.__name__)

    def version_of(self, cls: type) -> int:
        """The version in which the class is written."""
        return self._versions.get(_home(cls), 1)

    def class_of(self, name: str) -> type | None:
        """The class that goes by that name."""
        return self._classes.get(name)

    def add(self, cls: type) -> None:
        """Let the class go by its name, unless another one does."""
        if cls in self._seen:
            return
        name = self.name_of(cls)
        other = self._classes.get(name)
        if other is not None and _home(other) != _home(cls):
            raise InvalidModel(
                f"two classes claim the type name {name!r}: {_worded(other)} and {_worded(cls)}; "
                f"choose another name for one, as in names={{{cls.__name__}: 'another.{cls.__name__}'}}"
            )
        self._classes[name] = cls
        self._seen.add(cls)


def listed(types: Types) -> list[type]:
    """The classes of a model, a module, a namespace, or as they are given: what they mention included."""
    if isinstance(types, (ModuleType, Mapping)):
        types = Model.find(types)
    if isinstance(types, Model):
        return [*types, *types.unplaced]
    given = [types] if isinstance(types, type) else list(types)
    for cls in given:
        if not isinstance(cls, type):
            raise InvalidModel(f"a serializer takes a model, a module or classes; found {cls!r}")
    # One by one, since a model has no two classes of one name, but a serializer may choose other names.
    mentioned = [found for cls in given for model in (Model.of([cls]),) for found in model]
    return list(dict.fromkeys([*given, *mentioned]))


def _home(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _worded(cls: type) -> str:
    return f"{cls.__qualname__} of {cls.__module__}"


def _checked(asked: str, given: Mapping[type, Any], wanted: type) -> Mapping[type, Any]:
    for cls, value in given.items():
        if not isinstance(cls, type) or type(value) is not wanted or not value:
            example = "'bank.FundsDeposited'" if wanted is str else "2"
            raise InvalidValue(
                f"{asked}= takes classes, as in {{FundsDeposited: {example}}}; found {cls!r}: {value!r}"
            )
    return given
