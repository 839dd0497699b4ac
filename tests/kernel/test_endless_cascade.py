"""Open end 11: a cascade that does not end stops at a limit and shows its circle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import pytest

from calamity_lab.errors import EndlessCascade
from calamity_lab.kernel.messages import Start
from calamity_lab.kernel.run import dispatch
from tests.kernel.running import stack_of


@dataclass(frozen=True)
class Ping:
    count: int

    def aggregate(self) -> tuple[type, str]:
        return Table, "1"


@dataclass(frozen=True)
class Pong(Ping):
    """The other way round."""


@dataclass(frozen=True)
class Pinged:
    count: int


@dataclass(frozen=True)
class Ponged:
    count: int


@dataclass(frozen=True)
class Table:
    hits: int = 0

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls()

    def execute(self, command: Ping) -> Pinged | Ponged:
        return (Ponged if isinstance(command, Pong) else Pinged)(command.count)

    def apply(self, event: Any) -> Self:
        return type(self)(self.hits + 1)


@dataclass(frozen=True)
class Player:
    """Answers every ball, up to a number of them."""

    id: str

    @classmethod
    def interested(cls, event: Any) -> Start:
        return Start("p")

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def apply(self, event: Any) -> Self:
        return self

    def handle(self, event: Any) -> Any:
        if not event.count:
            return None
        return (Pong if isinstance(event, Pinged) else Ping)(event.count - 1)


@pytest.mark.parametrize("limit", [0, 1, 500, 5_000])
def test_a_cascade_without_end_stops_at_the_limit_and_keeps_the_run(limit: int) -> None:
    with pytest.raises(EndlessCascade, match=f"deeper than the limit of {limit}") as caught:
        dispatch(stack_of(Player, cascade_limit=limit), Ping(10**9))
    run = caught.value.run
    assert run.stack.aggregates["Table-1"].hits == limit + 1
    assert [pending.depth for pending in run.agenda.pending] == [limit + 1]


def test_the_error_shows_the_circle_in_which_the_commands_go() -> None:
    with pytest.raises(EndlessCascade) as caught:
        dispatch(stack_of(Player), Ping(10**9))
    cycle = caught.value.cycle
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"Ping", "Pinged", "Pong", "Ponged", "Player"}
    assert len(cycle) == 7
    assert " → ".join(cycle) in str(caught.value)
    assert "Stack(cascade_limit=...)" in str(caught.value)


def test_a_cascade_just_as_deep_as_the_limit_ends_well() -> None:
    stack = dispatch(stack_of(Player, cascade_limit=20), Ping(20))
    assert stack.aggregates["Table-1"].hits == 21


def test_a_cascade_of_thousands_that_ends_overflows_nothing() -> None:
    stack = dispatch(stack_of(Player, cascade_limit=6_000), Ping(5_000))
    assert len(stack.event_store) == 5_001
