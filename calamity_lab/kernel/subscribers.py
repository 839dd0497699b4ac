"""How those who subscribed to a stream are told of what was appended to it."""

from __future__ import annotations

from collections.abc import Iterable

from calamity_lab.errors import ModelError
from calamity_lab.kernel.protocols import Subscriber
from calamity_lab.kernel.recorded import RecordedEvent


def tell(subscribers: Iterable[Subscriber], recorded: Iterable[RecordedEvent]) -> None:
    """Call each subscriber with each event, in order; one that asked twice is told once.

    Raises `ModelError` where one raises.
    """
    distinct: list[Subscriber] = []
    for subscriber in subscribers:
        if subscriber not in distinct:
            distinct.append(subscriber)
    for event in recorded:
        for subscriber in distinct:
            try:
                subscriber(event)
            except Exception as error:
                raise raised(subscriber, event, error) from error


def raised(subscriber: Subscriber, event: RecordedEvent, error: BaseException) -> ModelError:
    """The error that tells whose subscriber broke, and at what."""
    name = getattr(subscriber, "__qualname__", repr(subscriber))
    return ModelError(f"subscriber {name}", f"raised {type(error).__name__}: {error} for {event.event!r}")
