"""What writes one shape of values as JSON and reads it back, and the few words that all shapes share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

TYPE = "_type"
"""Under this key stands what a value is, where its field's annotation does not tell."""

VALUE = "_value"
"""Under this key stands the value itself, where it has no fields to stand beside `TYPE`."""

LONGEST = 80
"""How much of a value is told in an error."""

Json = bytes | str | msgspec.Raw

to_json: Callable[[Any], bytes] = msgspec.json.Encoder().encode
from_json: Callable[[Json], Any] = msgspec.json.Decoder().decode
to_fields: Callable[[Json], dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
to_items: Callable[[Json], list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw]).decode
to_pairs: Callable[[Json], list[tuple[msgspec.Raw, msgspec.Raw]]] = msgspec.json.Decoder(
    list[tuple[msgspec.Raw, msgspec.Raw]]
).decode


class Misfit(ValueError):
    """A value that a shape has no place for, or JSON that is none of its shape; ``path`` leads to it."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def within(self, step: str) -> Misfit:
        """The same, told from one level up."""
        return Misfit(self.problem, f"{step}{self.path}")


class Codec(NamedTuple):
    """Writes values of one shape as something that msgspec writes, and reads them from JSON.

    ``native`` tells that msgspec alone does both.
    """

    write: Callable[[Any], Any]
    read: Callable[[Json], Any]
    native: bool = False


class Codecs:
    """The codecs by the annotation that each is for: what the makers of codecs are given to ask for parts."""

    def of(self, hint: Any) -> Codec:
        """The codec for values that are annotated so."""
        raise NotImplementedError

    def record(self, cls: type) -> Codec:
        """The codec for a class of records that writes each as a dict of its fields."""
        raise NotImplementedError

    def name_of(self, cls: type) -> str:
        """The name that a class goes by in JSON."""
        raise NotImplementedError

    def claim(self, cls: type) -> str:
        """The name that a class goes by, which from now on leads to it."""
        raise NotImplementedError

    def class_of(self, name: str) -> type | None:
        """The class that goes by that name."""
        raise NotImplementedError

    def hints_of(self, cls: type) -> dict[str, Any]:
        """The annotations of a class by field, resolved; ``Any`` where that cannot be."""
        raise NotImplementedError


def as_it_is(value: Any) -> Any:
    """What msgspec writes without help."""
    return value


def is_named(text: Json) -> bool:
    """Whether the name of a type may stand anywhere in the JSON."""
    return f'"{TYPE}"' in text if isinstance(text, str) else f'"{TYPE}"'.encode() in bytes(text)


def without_type(plain: dict[str, Any]) -> bytes:
    """The JSON of an object without the name of its type."""
    return to_json({key: item for key, item in plain.items() if key != TYPE})


def at(step: str, call: Callable[[Any], Any], given: Any) -> Any:
    """What the call makes of what is given; a misfit tells the step that led there."""
    try:
        return call(given)
    except Misfit as misfit:
        raise misfit.within(step) from misfit
    except msgspec.MsgspecError as error:
        raise _located(error).within(step) from error


def _located(error: Exception) -> Misfit:
    """Msgspec's own error, which has its path behind the problem, as in ``Expected `int` - at `$.x` ``."""
    problem, _, path = str(error).partition(" - at `")
    return Misfit(problem, path.removesuffix("`").removeprefix("$"))


def misfit_of(error: Exception) -> Misfit:
    """Whatever went wrong while values were read or written, as a misfit."""
    if isinstance(error, Misfit):
        return error
    if isinstance(error, msgspec.MsgspecError):
        return _located(error)
    if isinstance(error, RecursionError):
        return Misfit("it is nested too deeply, or holds itself")
    return Misfit(f"{type(error).__name__}: {error}")


def no_word(value: Any) -> str:
    """What is wrong with a value that cannot be written."""
    cls = type(value)
    return (
        f"JSON has no word for {told(value)} ({cls.__module__}.{cls.__qualname__}); use texts, numbers, "
        "times, enums, collections, and records of these"
    )


def step_to(key: Any) -> str:
    """How the path in an error goes on to what a dict has under that key."""
    return f".{key}" if isinstance(key, str) and key.isidentifier() else f"[{told(key)}]"


def told(value: Any) -> str:
    """A value in a few words, whatever its repr does."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a repr may be the user's own
        text = f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
