"""The circle in which a cascade goes round."""

from __future__ import annotations

from calamity_lab.kernel.agenda import Pending


def cycle(pending: Pending) -> tuple[str, ...]:
    """The command, event and manager types that repeat at the end of a chain of causes, in order.

    Where nothing repeats, the last few links of the chain. The first name is given again at the end.
    """
    links = [_link(p) for p in pending.chain()]
    links.reverse()
    period = _period(links)
    names = [name for link in links[-period:] for name in link]
    return (*names[1:], *names[:1], names[1]) if len(names) > 1 else tuple(names)


def _link(pending: Pending) -> tuple[str, ...]:
    """What woke the sender, the sender, and the command that it sent."""
    if pending.cause is None or pending.sender is None:
        return (pending.command_type,)
    return pending.cause.event_type, pending.sender.category, pending.command_type


def _period(links: list[tuple[str, ...]]) -> int:
    """The shortest tail that stands twice in a row at the end."""
    for length in range(1, len(links) // 2 + 1):
        if links[-length:] == links[-2 * length : -length]:
            return length
    return min(len(links), 6)
