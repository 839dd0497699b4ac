"""A thousand transfers between a thousand aggregates on three workers, one of which is killed on the way."""

from __future__ import annotations

import logging
import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from random import Random
from typing import Any

import pytest
from distributed import Client, LocalCluster

from calamity_lab.examples.bank import BankAccount, FundsDeposited, RequestTransfer, Transfer
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.run import dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.cluster import ClusterActors
from calamity_lab.stores.actors.placement import one_for_each, whereabouts
from calamity_lab.stores.sql.event_store import SQLEventStore
from tests.stores.actors.bank_at_work import demand_order

COUNT, CALLERS = 1000, 2


@pytest.fixture
def processes() -> Iterator[Any]:
    """A client of three workers, each a process; one that is killed is started anew, as it is elsewhere."""
    with (
        LocalCluster(
            n_workers=3,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False, direct_to_workers=True) as client,
    ):
        yield client


def transfer(stack: Stack, caller: int) -> Iterator[Stack]:
    """The stack after each of a caller's transfers: every account sends some of its 100 to another."""
    random = Random(caller)
    for n in range(caller, COUNT, CALLERS):
        target = random.choice([other for other in range(COUNT) if other != n])
        amount = random.randint(1, 100)
        stack = dispatch(stack, RequestTransfer(f"t{n}", f"{n}", f"{target}", amount))
        yield stack


def test_a_killed_worker_loses_no_money_and_all_transfers_end(processes: Any, postgres_url: str) -> None:
    with SQLEventStore(postgres_url, [BankAccount, Transfer]) as store, ClusterActors(processes) as actors:
        for n in range(COUNT):
            store.append(f"BankAccount-{n}", [FundsDeposited(f"{n}", 100)])
        marks = {"delivered_types": (Transfer,), "delivered_upto": (store.version(ALL),)}
        given = Stack(event_store=store, process_manager_types=[Transfer], conflict_limit=100, **marks)
        stack = one_for_each(given, actors)
        pids = processes.run(os.getpid)
        killed: list[str] = []

        def call(caller: int) -> int:
            done = 0
            for done, _ in enumerate(transfer(stack, caller), 1):
                if caller == 0 and done == COUNT // CALLERS // 2:
                    killed.append(min(whereabouts(stack).values()))
                    os.kill(pids[killed[0]], signal.SIGKILL)
            return done

        with ThreadPoolExecutor(CALLERS) as threads:
            calls = [threads.submit(call, caller) for caller in range(CALLERS)]
            assert sum(done.result() for done in as_completed(calls)) == COUNT
        held = Counter(whereabouts(stack).values())
        assert len(stack.aggregates) == COUNT
        assert killed[0] in pids
        assert killed[0] not in held
        assert len(held) >= 2
        demand_order(stack, 100 * COUNT)
