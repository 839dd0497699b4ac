"""The same transfers dispatched on a value, and through each of the actor shapes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from distributed import LocalCluster

from calamity_lab.examples.bank import DepositFunds, RequestTransfer, Transfer
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors import ClusterActors, StackActor, ThreadActors, one_for_all, one_for_each
from tests.benchmarks.measuring import medians, table

ACCOUNTS, TRANSFERS, ON_CLUSTER, AGGREGATES = 50, 300, 100, 1_000
COMMANDS_OF_A_TRANSFER = 3


def run() -> list[str]:
    """The report: microseconds a command, a transfer being three of them; then a thousand actors."""
    with ExitStack() as open_, cluster() as workers:
        threads = open_.enter_context(ThreadActors())
        on_cluster = open_.enter_context(ClusterActors(workers))
        actor = open_.enter_context(StackActor(new_stack()))
        for command in deposits(ACCOUNTS):
            actor.dispatch(command)
        works = {
            "on a value": transfers(seeded(new_stack()), TRANSFERS),
            "one actor around the stack": lambda: [actor.dispatch(c) for c in requests(TRANSFERS)],
            "one for all aggregates": transfers(seeded(one_for_all(new_stack(), threads)), TRANSFERS),
            "one for each aggregate": transfers(seeded(one_for_each(new_stack(), threads)), TRANSFERS),
        }
        lines = table(medians(works, rounds=3), TRANSFERS * COMMANDS_OF_A_TRANSFER)
        far = {
            "on a value": transfers(seeded(new_stack()), ON_CLUSTER),
            "on 2 worker processes, one for each": transfers(
                seeded(one_for_each(new_stack(), on_cluster)), ON_CLUSTER
            ),
        }
        lines += table(medians(far, rounds=3), ON_CLUSTER * COMMANDS_OF_A_TRANSFER)
        many = {
            f"{AGGREGATES:,} accounts on a value": lambda: seeded(new_stack(), AGGREGATES),
            f"{AGGREGATES:,} accounts, an actor each": lambda: seeded(
                one_for_each(new_stack(), on_cluster), AGGREGATES
            ),
        }
        lines += table(medians(many, rounds=1), AGGREGATES)
    return ["one command of a transfer", *lines]


def new_stack() -> Stack:
    """A bank in which nothing has happened."""
    return Stack(process_manager_types=(Transfer,))


def deposits(accounts: int) -> Iterator[DepositFunds]:
    """Money for as many accounts."""
    return (DepositFunds(f"A{n}", 1_000_000) for n in range(accounts))


def requests(count: int) -> Iterator[RequestTransfer]:
    """Transfers among the accounts; no two of one name, whenever they are asked for."""
    run_ = os.urandom(8).hex()
    return (
        RequestTransfer(f"{run_}-{n}", f"A{n % ACCOUNTS}", f"A{(n + 1) % ACCOUNTS}", 1) for n in range(count)
    )


def seeded(stack: Stack, accounts: int = ACCOUNTS) -> Stack:
    """The stack with money in its accounts."""
    for command in deposits(accounts):
        stack = dispatch(stack, command)
    return stack


def transfers(stack: Stack, count: int) -> Callable[[], Any]:
    """The work of so many transfers, each round from where the last one ended."""
    last = [stack]

    def work() -> None:
        for command in requests(count):
            last[0] = dispatch(last[0], command)

    return work


@contextmanager
def cluster() -> Iterator[LocalCluster]:
    """Two worker processes on this machine."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as workers:
        yield workers
