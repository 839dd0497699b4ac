"""An id that stood in a stream id is of the type again that the class's ``new`` takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType, Self
from uuid import UUID

import pytest

from calamity_lab.errors import InvalidModel
from calamity_lab.kernel.folding import Verb, begun, fold, identity_in, react, verb_of
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.messages import Continue, Start, Stop

Number = NewType("Number", int)
AccountId = NewType("AccountId", UUID)


class Colour(Enum):
    """Ids with a name and a value."""

    RED = "r"
    GREEN = "g"


class Level(IntEnum):
    """Ids that are numbers, too."""

    LOW = 1
    HIGH = 2


class Swapped(Enum):
    """Names that are the values of others."""

    LEFT = "RIGHT"
    RIGHT = "LEFT"


class Code(str):
    """A text with a type of its own."""

    __slots__ = ()


@dataclass(frozen=True)
class Wrapped:
    """A value object that is written as what it holds."""

    value: UUID

    def __str__(self) -> str:
        return str(self.value)


@dataclass(frozen=True)
class Bare:
    """A value object that is written as its repr."""

    value: int


@dataclass(frozen=True)
class Added:
    """What happens to a tally."""

    by: int = 1


def tally(annotation: Any) -> type:
    """An aggregate type whose ``new`` is annotated with that type."""

    @dataclass(frozen=True)
    class Tally:
        id: Any
        total: int = 0

        @classmethod
        def new(cls, tally_id: Any) -> Self:
            return cls(tally_id)

        def apply(self, event: Added) -> Self:
            return replace(self, total=self.total + event.by)

    Tally.new.__func__.__annotations__["tally_id"] = annotation  # type: ignore[attr-defined]
    return Tally


READABLE = [
    (int, 7),
    (int, -7),
    (str, "a-b"),
    (float, 0.5),
    (bool, True),
    (UUID, UUID(int=7)),
    (Number, 7),
    (AccountId, UUID(int=7)),
    (int | None, 7),
    (UUID | int, 7),
    (Annotated[int, "positive"], 7),
    (Literal["a", 1], 1),
    (Colour, Colour.RED),
    (Level, Level.HIGH),
    (date, date(2026, 11, 29)),
    (datetime, datetime(2026, 11, 29, 12, tzinfo=UTC)),
    (Decimal, Decimal("1.50")),
    (Code, Code("x")),
    (Wrapped, Wrapped(UUID(int=7))),
    (Any, "7"),
]


@pytest.mark.parametrize(("annotation", "id_"), READABLE, ids=[str(pair) for pair in READABLE])
def test_an_id_is_read_as_the_type_that_new_is_annotated_with(annotation: Any, id_: Any) -> None:
    cls = tally(annotation)
    identity = identity_in(cls, Identity(cls, id_).stream_id)
    assert (type(identity.id), identity.id) == (type(id_), id_)


@pytest.mark.parametrize("written", ["g", "GREEN", "Colour.GREEN"])
def test_a_member_is_read_by_its_value_by_its_name_and_as_it_is_written(written: str) -> None:
    assert identity_in(tally(Colour), f"Tally-{written}").id is Colour.GREEN


@pytest.mark.parametrize(
    ("annotation", "written"),
    [(int, "x"), (int, "007"), (int, "1_000"), (UUID, "7"), (Colour, "blue"), (bool, "yes"), (date, "today"),
     (Bare, "Bare(other=7)"), (list[int], "[7]")],
)  # fmt: skip
def test_a_text_that_is_no_id_of_the_type_is_an_error_that_names_both(annotation: Any, written: str) -> None:
    with pytest.raises(InvalidModel, match=r"Tally\.new takes an id of type .* cannot be read as") as error:
        identity_in(tally(annotation), f"Tally-{written}")
    assert repr(written) in str(error.value)


@pytest.mark.parametrize(("annotation", "written"), [(int | str, "7"), (Swapped, "LEFT")])
def test_a_text_that_may_be_two_ids_is_an_error_that_names_them(annotation: Any, written: str) -> None:
    with pytest.raises(InvalidModel, match=r"can be read as .* and as"):
        identity_in(tally(annotation), f"Tally-{written}")


@dataclass(frozen=True)
class Unannotated:
    """An aggregate whose field says what its ``new`` does not."""

    id: UUID

    @classmethod
    def new(cls, id):  # type: ignore[no-untyped-def]  # noqa: A002, ANN001, ANN206
        return cls(id)


def test_without_an_annotation_the_field_of_the_same_name_tells_the_type() -> None:
    assert identity_in(Unannotated, f"Unannotated-{UUID(int=7)}").id == UUID(int=7)


def test_without_an_annotation_a_text_that_does_not_fit_stays_a_text() -> None:
    assert identity_in(Unannotated, "Unannotated-x").id == "x"


def test_a_state_is_folded_from_the_events_of_its_stream() -> None:
    identity = identity_in(tally(int), "Tally-7")
    state = fold(begun(identity), [Added(2), Added(3)])
    assert (state.id, state.total) == (7, 5)


def test_start_continues_a_running_instance_and_the_others_need_one() -> None:
    asked = [(Start(1), False), (Start(1), True), (Continue(1), False), (Continue(1), True)]
    asked += [(Stop(1), False), (Stop(1), True)]
    assert [verb_of(interest, is_running=running) for interest, running in asked] == [
        Verb.STARTED, Verb.CONTINUED, Verb.IGNORED, Verb.CONTINUED, Verb.IGNORED, Verb.STOPPED,
    ]  # fmt: skip


def test_an_instance_that_stops_is_not_asked() -> None:
    identity = Identity(Unannotated, 1)  # which has neither apply nor handle
    assert react(identity, object(), Stop(1), Added()) == (Verb.STOPPED, None, ())
