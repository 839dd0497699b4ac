"""A card game: generic events, a nested class, and a method per message by ``singledispatchmethod``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import singledispatchmethod
from typing import Any, Generic, NamedTuple, TypeVar

from calamity_lab import Rejected, command

T = TypeVar("T")


class Suit(Enum):
    CLUBS = "clubs"
    HEARTS = "hearts"


class Card(NamedTuple):
    suit: Suit
    rank: int


@command(to="Game", by="table")
@dataclass(frozen=True)
class PlayCard:
    table: int
    player: str
    card: Card


@dataclass(frozen=True)
class Event(Generic[T]):
    """The base of the events: no event itself."""

    table: int
    detail: T


@dataclass(frozen=True)
class CardPlayed(Event[Card]):
    player: str


@dataclass(frozen=True)
class TrickWon(Event[tuple[Card, Card]]):
    player: str


@dataclass(frozen=True)
class Game:
    """A game of two players."""

    @dataclass(frozen=True)
    class Lead:
        player: str
        card: Card

    table: int
    lead: Lead | None = None
    tricks: tuple[str, ...] = ()

    @classmethod
    def new(cls, table: int) -> Game:
        return cls(table)

    @singledispatchmethod
    def execute(self, command: Any) -> Any:
        raise TypeError(type(command))

    @execute.register(PlayCard)
    def _(self, command: PlayCard) -> list[Any]:
        played = CardPlayed(self.table, command.card, command.player)
        if self.lead is None:
            return [played]
        if self.lead.player == command.player:
            raise Rejected("not your turn", player=command.player)
        followed = command.card.suit == self.lead.card.suit
        wins = followed and command.card.rank > self.lead.card.rank
        winner = command.player if wins else self.lead.player
        return [played, TrickWon(self.table, (self.lead.card, command.card), winner)]

    @singledispatchmethod
    def apply(self, event: Any) -> Game:
        return self

    @apply.register(CardPlayed)
    def _(self, event: CardPlayed) -> Game:
        return replace(self, lead=self.lead or Game.Lead(event.player, event.detail))

    @apply.register(TrickWon)
    def _(self, event: TrickWon) -> Game:
        return replace(self, lead=None, tricks=(*self.tricks, event.player))
