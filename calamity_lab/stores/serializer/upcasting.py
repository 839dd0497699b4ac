"""What brings the fields of an older shape up to the shape of today, one version at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from calamity_lab.errors import InvalidValue, SerializationError

Fields = dict[str, Any]
Upcaster = Callable[[Fields], Fields | tuple[str, Fields]]


class Upcasters:
    """Upcasters by the name and version that each starts from.

    Each takes the fields as JSON has them and returns those of the next version; with another name, as in
    ``return "bank.FundsDeposited", fields``, if the type is called so from there on.
    """

    def __init__(self, given: Mapping[tuple[str, int], Upcaster]) -> None:
        self._given = dict(given)
        for start, upcaster in self._given.items():
            if not _is_start(start) or not callable(upcaster):
                raise InvalidValue(
                    "upcasters= takes functions by the type name and version that they start from, as in "
                    f"{{('bank.FundsDeposited', 1): with_currency}}; found {start!r}: {upcaster!r}"
                )

    def latest(self, name: str) -> int:
        """The version that the last upcaster for that name leads to; 1 where there is none."""
        return max((version + 1 for known, version in self._given if known == name), default=1)

    def start(self, name: str, version: int) -> bool:
        """Whether there is an upcaster for just that."""
        return (name, version) in self._given

    def step(self, name: str, version: int, fields: Fields) -> tuple[str, Fields]:
        """The name and the fields in the next version; the same, where nothing is to be changed."""
        upcaster = self._given.get((name, version))
        if upcaster is None:
            return name, fields
        called = f"upcaster {getattr(upcaster, '__qualname__', upcaster)} for {name} version {version}"
        try:
            found = upcaster(fields)
        except Exception as error:
            raise SerializationError(f"{called} raised {type(error).__name__}: {error}") from error
        renamed, changed = found if isinstance(found, tuple) and len(found) == 2 else (name, found)
        if not isinstance(renamed, str) or not isinstance(changed, dict):
            raise SerializationError(
                f"{called} must return the fields as a dict, or a new type name and the fields; "
                f"found {found!r}"
            )
        return renamed, changed


def _is_start(start: Any) -> bool:
    return (
        isinstance(start, tuple)
        and len(start) == 2
        and isinstance(start[0], str)
        and type(start[1]) is int
        and start[1] > 0
    )
