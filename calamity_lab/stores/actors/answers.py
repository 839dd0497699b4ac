"""What actors are told and answer: plain values, the same in one process and over a network."""

from __future__ import annotations

from typing import Any, NamedTuple

News = tuple[int, tuple[Any, ...]]
"""Recorded events that an actor may not have seen, and the version after which the first of them stands."""

NO_NEWS: News = (0, ())


class Behind(NamedTuple):
    """The actor has seen less than the caller knows of: it needs what comes after ``upto`` first.

    So a caller finds out that an actor was started anew.
    """

    upto: int


class Read(NamedTuple):
    """A state, and up to which version (an instance: which position) it is; None where there is nothing."""

    state: Any
    upto: int


class Decided(NamedTuple):
    """What a command leads to at the aggregate's recorded state: nothing of it is in the actor yet.

    ``version`` is the one that was decided on, ``state`` the one that the events lead to. Where the model
    refused or broke, ``error`` tells it, and there are no events; where there are none, ``state`` is the one
    that was decided on.
    """

    events: tuple[Any, ...]
    state: Any
    version: int
    error: Exception | None = None


class CaughtUp(NamedTuple):
    """Up to which version (an instance: which position) an actor has taken events in."""

    upto: int
    error: Exception | None = None


class Reacted(NamedTuple):
    """What an instance made of an event. ``verb`` is as in `Reaction`."""

    verb: str
    commands: tuple[Any, ...]
    before: Any
    after: Any
    error: Exception | None = None
