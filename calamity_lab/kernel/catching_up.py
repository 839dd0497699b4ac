"""What a stack has not seen yet of its event store, and how it catches up."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile
from typing import Any

from calamity_lab.kernel import callbacks
from calamity_lab.kernel.constants import ALL
from calamity_lab.kernel.identity import Identity, identify
from calamity_lab.kernel.messages import Interest, Start, Stop
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.stack import Stack, changed

Met = tuple[RecordedEvent, Interest, Identity]


def events_missed(stack: Stack, identity: Identity) -> tuple[list[RecordedEvent], int]:
    """The events of an aggregate's stream that are not applied yet, and how many are.

    An aggregate that the stack does not know has none applied, whatever its version says.
    """
    known = stack.aggregates.get(identity.stream_id) is not None
    seen = stack.aggregate_versions.get(identity.stream_id, 0) if known else 0
    stream = stack.event_store.stream(identity.stream_id, start_version=seen + 1)
    return list(stream), seen


def catch_up(stack: Stack, place: int, position: int) -> tuple[Stack, int]:
    """Show a process manager type what it missed up to that position: the stack then, how many events.

    Each event is looked at once for each type, so a long history is paid for once. Instances change as they
    would have; what they answer is dropped, because it was sent when the events happened.
    """
    manager, mark = stack.process_manager_types[place], stack.handed[place]
    managers, versions = stack.process_managers, stack.process_manager_versions
    met = _met(stack, manager, mark, position)
    # A type that is new here may have instances from elsewhere, which have seen the first of their events.
    seen = _seen(versions, met) if mark == 0 else {}
    count = 0
    for recorded, _, identity in met:
        if seen.get(identity.stream_id, 0):
            seen[identity.stream_id] -= 1
            continue
        reactions, managers = managers.handle_event(recorded, (manager,))
        if reactions and reactions[0].verb != "ignored":
            versions = versions.increment_version(identity, 1)
            count += 1
    handed = (*stack.handed[:place], position, *stack.handed[place + 1 :])
    caught_up = changed(stack, process_managers=managers, process_manager_versions=versions, handed=handed)
    return caught_up, count


def _met(stack: Stack, manager: type, mark: int, position: int) -> list[Met]:
    """The events behind a mark and up to a position that are of interest to a type."""
    history = stack.event_store.stream(ALL, start_version=mark + 1)
    met = []
    for recorded in takewhile(lambda r: r.position <= position, history):
        interest = callbacks.interested(manager, recorded.event)
        if interest is not None:
            met.append((recorded, interest, identify(manager, interest.id)))
    return met


def _seen(versions: Any, met: Iterable[Met]) -> dict[str, int]:
    """How many of the events that concern each instance it has seen, by stream id, as its version tells."""
    concerned: dict[str, list[Interest]] = {}
    for _, interest, identity in met:
        concerned.setdefault(identity.stream_id, []).append(interest)
    return {
        stream_id: _covered(versions.get(stream_id, 0), interests)
        for stream_id, interests in concerned.items()
    }


def _covered(version: int, interests: list[Interest]) -> int:
    """How many of these an instance at that version has behind it; those that were ignored did not count."""
    if not any(isinstance(interest, Start) for interest in interests):
        return version  # it was started elsewhere
    place, running = 0, False
    while version and place < len(interests):
        interest = interests[place]
        if running or isinstance(interest, Start):
            version, running = version - 1, not isinstance(interest, Stop)
        place += 1
    return place
