"""Process managers that wait in every way there is, on one aggregate that does as each command says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from calamity_lab.errors import Rejected
from calamity_lab.kernel.messages import Continue, Start, Stop, command
from calamity_lab.model import Model


@command(to="Desk", by="id")
@dataclass(frozen=True)
class Open:
    id: str


@command(to="Desk", by="id")
@dataclass(frozen=True)
class Ask:
    id: str
    outcome: str = "answer"


@command(to="Desk", by="id")
@dataclass(frozen=True)
class Apologise:
    id: str


@command(to="Desk", by="id")
@dataclass(frozen=True)
class Withdraw:
    """Only people do that."""

    id: str


@dataclass(frozen=True)
class Opened:
    id: str


@dataclass(frozen=True)
class Answered:
    id: str


@dataclass(frozen=True)
class Apologised:
    id: str


@dataclass(frozen=True)
class Withdrawn:
    id: str


@dataclass(frozen=True)
class Desk:
    """Answers, says nothing, or refuses, by the last letters of its id."""

    id: str

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)

    def execute(self, order: Any) -> Any:
        match order:
            case Open():
                return Opened(order.id)
            case Ask() if order.id.endswith("deaf"):
                return None
            case Ask() if order.id.endswith("shut"):
                raise Rejected("nobody is here", desk=order.id)
            case Ask():
                return Answered(order.id)
            case Apologise():
                return Apologised(order.id)
            case Withdraw():
                return Withdrawn(order.id)

    def apply(self, event: Any) -> Self:
        return self


class _Asking:
    """What all of them do: ask once, and end with the answer."""

    id: str

    @classmethod
    def new(cls, id_: str) -> Self:
        return cls(id_)  # type: ignore[call-arg]

    def apply(self, event: Any) -> Self:
        return self

    @classmethod
    def interested(cls, event: Any) -> Any:
        match event:
            case Opened():
                return Start(event.id)
            case Answered():
                return Stop(event.id)
        return None

    def handle(self, event: Any) -> Any:
        return Ask(self.id) if isinstance(event, Opened) else None


@dataclass(frozen=True)
class Asking(_Asking):
    """Waits for the answer, and for nothing else."""

    id: str


@dataclass(frozen=True)
class Polite(_Asking):
    """Apologises where nobody is there to answer."""

    id: str

    @classmethod
    def interested(cls, event: Any) -> Any:
        return Stop(event.id) if isinstance(event, Apologised) else super().interested(event)

    def handle_rejection(self, rejected: Rejected) -> Any:
        return Apologise(self.id) if isinstance(rejected.command, Ask) else None


@dataclass(frozen=True)
class Patient(_Asking):
    """Goes on with what people do, too."""

    id: str

    @classmethod
    def interested(cls, event: Any) -> Any:
        return Continue(event.id) if isinstance(event, Withdrawn) else super().interested(event)

    def handle(self, event: Any) -> Any:
        return None


MESSAGES = (Open, Ask, Apologise, Withdraw, Opened, Answered, Apologised, Withdrawn)


def model_of(manager: type) -> Model:
    """The model with one of the process managers."""
    return Model.of([Desk, *MESSAGES, manager])
