"""Who is meant: an aggregate or a process manager instance, by type and id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, time, tzinfo
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from calamity_lab.errors import CalamityError, InvalidModel, InvalidValue, repr_of
from calamity_lab.kernel.annotations import annotated_names
from calamity_lab.kernel.arguments import a_text, an_instance, is_a

_names: WeakKeyDictionary[type, str] = WeakKeyDictionary()


def stored_name(cls: type) -> str:
    """The name under which stores keep a class: the class's own, unless another one was given.

    A renamed class keeps its stored name with ``stored_name = "Account"`` in its body, with
    ``@command(..., stored_name="Deposit")``, or with the ``names`` of a store's serializer. Subclasses do not
    inherit the name. Each class has one stored name, which is read once.
    """
    return _names.get(cls) or _kept(cls, _given(cls) or cls.__name__)


def by_name(classes: Iterable[type]) -> dict[str, type]:
    """The classes by their stored names."""
    return {stored_name(cls): cls for cls in classes}


def name_class(cls: type, name: str) -> None:
    """Keep a class under that stored name from now on. Raises `InvalidModel` where it has another one."""
    known = _given(cls) or _names.get(cls, cls.__name__)
    if known not in {name, cls.__name__}:
        raise InvalidModel(
            f"{cls.__name__} is stored as {known!r} already, and cannot be stored as {name!r} too. "
            "Give a class one stored name"
        )
    if _names.get(cls) != name:
        _kept(cls, name)
        _lately.cache_clear()


def _given(cls: type) -> str | None:
    """The stored name in the body of the class; None where there is none, or where it is a field."""
    given = vars(cls).get("stored_name")
    return given if isinstance(given, str) and given and "stored_name" not in annotated_names(cls) else None


def _kept(cls: type, name: str) -> str:
    if "-" in name and hasattr(cls, "apply"):
        raise InvalidModel(
            f"{cls.__name__} cannot be stored as {name!r}: the first dash of a stream id ends the category. "
            "Choose a stored name without a dash"
        )
    _names[cls] = name
    return name


class Identity:
    """A type and an id. ``stream_id`` is the category, a dash and the id, as in ``"BankAccount-1"``.

    The category is the type's stored name. ``type`` is the class, or its stored name. Two identities are
    equal when their stream ids are, so that a class may be replaced by a newer one of the same name.
    """

    __slots__ = ("id", "stream_id", "type")

    type: Any
    id: Any
    stream_id: str

    def __init__(self, type: Any, id: Any) -> None:  # noqa: A002 - the contract's names
        if is_a(id, datetime, time) and (id.fold or _is_named(id.tzinfo)):
            raise InvalidValue(
                f"{id!r} cannot be an id, because a stream id does not tell the name of its time zone. "
                "Give the time in UTC, as in id.astimezone(UTC)"
            )
        put = object.__setattr__
        try:
            stream_id = f"{type if isinstance(type, str) else stored_name(type)}-{id}"
        except CalamityError:
            raise
        except Exception as error:
            raise InvalidValue(
                f"Identity({repr_of(type)}, {repr_of(id)}): give a class and an id that has a text, as in "
                f"Identity(BankAccount, '1'); its text raised {error.__class__.__name__}"
            ) from error
        put(self, "type", type)
        put(self, "id", id)
        put(self, "stream_id", stream_id)

    @classmethod
    def alone(cls, of: type) -> Identity:
        """The identity of the only instance of a type: the id is None, the stream id the stored name."""
        an_instance("Identity.alone(of)", of, type, "Identity.alone(BankTotals)")
        identity = object.__new__(cls)
        put = object.__setattr__
        put(identity, "type", of)
        put(identity, "id", None)
        put(identity, "stream_id", stored_name(of))
        return identity

    @classmethod
    def parse(cls, stream_id: str) -> Identity:
        """The identity in a stream id: the parts before and after the first dash."""
        category, _, id_ = a_text("Identity.parse(stream_id)", stream_id, "'BankAccount-1'").partition("-")
        return cls(category, id_)

    @property
    def category(self) -> str:
        """The stored name of the type."""
        return self.type if isinstance(self.type, str) else stored_name(self.type)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"an Identity is frozen; make a new one instead of setting {name!r}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"an Identity is frozen; {name!r} cannot be deleted")

    def __iter__(self) -> Iterator[Any]:
        return iter((self.type, self.id))

    def __eq__(self, other: Any) -> bool:
        return is_a(other, Identity) and self.stream_id == other.stream_id

    def __hash__(self) -> int:
        return hash(self.stream_id)

    def __repr__(self) -> str:
        return f"Identity({self.category}, {repr_of(self.id)})"

    def __str__(self) -> str:
        return self.stream_id

    def __reduce__(self) -> Any:
        is_alone = self.id is None and self.stream_id == self.category
        return (Identity.alone, (self.type,)) if is_alone else (Identity, (self.type, self.id))


def _is_named(zone: tzinfo | None) -> bool:
    """Whether a time zone is more than an offset: it has a name, or changes its clocks."""
    return is_a(zone, ZoneInfo) or (zone is not None and zone.utcoffset(None) is None)


def identify(cls: Any, id_: Any) -> Identity:
    """The identity of that type and id; one that was asked for lately is the same object again.

    Only for texts and whole numbers: other ids may be equal and yet be written differently.
    """
    kind = type(id_)
    return _lately(cls, id_) if kind is str or kind is int else Identity(cls, id_)


_lately = lru_cache(maxsize=8192)(Identity)


def stream_id_of(key: Any) -> Any:
    """The stream id of a key that is one already, or of an `Identity`."""
    return key.stream_id if issubclass(type(key), Identity) else key
