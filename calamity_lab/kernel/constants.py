"""The words with which an event store is asked: which stream, which version, which direction."""

from __future__ import annotations

from enum import Enum
from typing import Final


class AllStreams(Enum):
    """Stands where a stream id may stand and means every stream, in order of position."""

    ALL = "all"

    def __repr__(self) -> str:
        return self.name


class ExpectedVersion(Enum):
    """What an append expects of a stream, where it does not name a version."""

    ANY = "any"
    NO_STREAM = "no stream"
    STREAM_EXISTS = "stream exists"

    def __repr__(self) -> str:
        return self.name


class Direction(Enum):
    """The order in which a stream is read."""

    FORWARDS = "forwards"
    BACKWARDS = "backwards"

    def __repr__(self) -> str:
        return self.name


ALL: Final = AllStreams.ALL
ANY: Final = ExpectedVersion.ANY
NO_STREAM: Final = ExpectedVersion.NO_STREAM
STREAM_EXISTS: Final = ExpectedVersion.STREAM_EXISTS
FORWARDS: Final = Direction.FORWARDS
BACKWARDS: Final = Direction.BACKWARDS

StreamId = str | AllStreams
Expected = ExpectedVersion | int
