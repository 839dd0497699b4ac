"""Several callers who move money between the same accounts, and what must be true whatever befell them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

from calamity_lab.errors import Rejected
from calamity_lab.examples.bank import BankAccount, RequestTransfer, Transfer, TransferInitiated
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack

ENDS = ("FundsDeposited", "FundsRefunded", "TransferCancelled")


def move_money(stacks: Sequence[Stack], accounts: Sequence[str], count: int) -> None:
    """A thread for each stack, which goes on with its own; each makes so many transfers, some too large."""

    def caller(number: int) -> None:
        random, stack = Random(number), stacks[number]
        for n in range(count):
            source, target = random.sample(accounts, 2)
            transfer = RequestTransfer(f"{number}/{n}", source, target, random.randint(1, 600))
            try:
                stack = dispatch(stack, transfer)
            except Rejected:
                continue

    with ThreadPoolExecutor(len(stacks)) as threads:
        list(threads.map(caller, range(len(stacks))))


def demand_order(stack: Stack, total: int) -> None:
    """Demand that no money is lost, no transfer open, nothing done twice, and that actors tell the truth."""
    recorded = list(stack.event_store.stream(ALL))
    states: dict[str, Any] = {}
    for r in recorded:
        account = states.get(r.stream_id) or BankAccount.new(Identity.parse(r.stream_id).id)
        states[r.stream_id] = account.apply(r.event)
    known = dict(stack.aggregates)
    assert known == {stream_id: states[stream_id] for stream_id in known}
    assert in_actors(stack) == known
    assert sum(account.balance for account in states.values()) == total
    causes = Counter(r.causation_id for r in recorded if r.causation_id is not None)
    assert set(causes.values()) <= {1}, "a command was carried out twice"
    begun = [r.event.transfer_id for r in recorded if isinstance(r.event, TransferInitiated)]
    ended = [
        r.event.transfer_id for r in recorded if r.event_type in ENDS and r.event.transfer_id is not None
    ]
    assert sorted(begun) == sorted(ended), "each transfer ends once"
    assert dict(stack.process_managers) == {}
    assert dict(stack.process_manager_versions) == _concerned(recorded)


def in_actors(stack: Stack) -> dict[str, Any]:
    """The aggregates as the actors themselves have them, once they are up to what is known."""
    shared = stack.aggregates.shared
    return {stream_id: shared._ask(shared.known(stream_id).identity, "read").state for stream_id in shared}


def _concerned(recorded: Sequence[Any]) -> dict[str, int]:
    """How many events concerned each transfer."""
    interests = [Transfer.interested(r.event) for r in recorded]
    return dict(Counter(f"Transfer-{interest.id}" for interest in interests if interest is not None))
