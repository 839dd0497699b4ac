"""What a stack has not seen yet of its event store, and how it catches up."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

from calamity_lab.kernel import callbacks
from calamity_lab.kernel.constants import ALL
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.stack import Stack, Watermark, changed


def events_missed(stack: Stack, identity: Identity) -> list[Any]:
    """The events of an aggregate's stream that the stack has not applied yet."""
    version = stack.aggregate_versions.get(identity.stream_id, 0)
    stream = stack.event_store.stream(identity.stream_id, start_version=version + 1)
    return [recorded.event for recorded in stream]


def lags(stack: Stack, manager: type | None, position: int) -> bool:
    """Whether a process manager type (None: any) was not handed every event before that position."""
    seen, types = stack.watermark
    if seen < position - 1:
        return True
    if types is stack.process_manager_types or position == 1:
        return False
    return any(cls not in types for cls in ([manager] if manager else stack.process_manager_types))


def catch_up(stack: Stack, position: int) -> Stack:
    """Let every process manager see what it missed before that position; what it answers was sent then.

    ``process_manager_versions`` tells how many events an instance has seen, wherever its state came from:
    it is not shown them again.
    """
    seen, types = stack.watermark
    managers, versions = stack.process_managers, stack.process_manager_versions
    start = seen if all(cls in types for cls in stack.process_manager_types) else 0
    passed: dict[str, int] = {}
    history = stack.event_store.stream(ALL, start_version=start + 1)
    for recorded in takewhile(lambda r: r.position < position, history):
        for manager in stack.process_manager_types:
            if recorded.position <= seen and manager in types:
                continue
            interest = callbacks.interested(manager, recorded.event)
            if interest is None:
                continue
            identity = Identity(manager, interest.id)
            passed[identity.stream_id] = passed.get(identity.stream_id, 0) + 1
            if _knows(stack, identity, passed[identity.stream_id], fresh=start == 0):
                continue
            reactions, managers = managers.handle_event(recorded, (manager,))
            if reactions and reactions[0].verb.value != "ignored":
                versions = versions.increment_version(identity, 1)
    return changed(
        stack,
        process_managers=managers,
        process_manager_versions=versions,
        watermark=Watermark(position - 1, stack.process_manager_types),
    )


def _knows(stack: Stack, identity: Identity, count: int, *, fresh: bool) -> bool:
    return fresh and count <= stack.process_manager_versions.get(identity.stream_id, 0)
