"""What the outbox costs: recovery over a short and a long history, and a transfer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from calamity_lab.examples.bank import BankAccount, DepositFunds, RequestTransfer, Transfer
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import advance, begin, dispatch
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.sql.event_store import SQLEventStore
from calamity_lab.testing.postgres import temporary_postgres
from tests.benchmarks.measuring import medians, table

SHORT, LONG, OWED, TRANSFERS = 10_000, 200_000, 10, 50


def run() -> list[str]:
    """The report."""
    with TemporaryDirectory() as folder, temporary_postgres() as server:
        return [
            f"recovery with {OWED} owed commands; aim: the same order of time",
            *recoveries(Path(folder), SHORT, LONG),
            "a transfer; aim: at most 1.5 times its time before there was an outbox",
            *transfers(
                {"SQLite": f"sqlite:///{Path(folder) / 'bank.db'}", "PostgreSQL": server.new_database()}
            ),
        ]


def recoveries(folder: Path, *sizes: int) -> list[str]:
    """How long recovery takes over histories of these sizes."""
    urls = {f"after {size:,} events": owing(f"sqlite:///{folder / f'{size}.db'}", size) for size in sizes}

    def recovered(url: str) -> None:
        with SQLEventStore(url, [BankAccount, Transfer]) as store:
            assert len(recover(stack_over(store)).agenda) == OWED

    return table(medians({name: partial(recovered, url) for name, url in urls.items()}), 1, "ms")


def transfers(urls: dict[str, str]) -> list[str]:
    """How long a transfer takes."""
    stacks = {}
    for name, url in urls.items():
        stacks[name] = dispatch(
            stack_over(SQLEventStore(url, [BankAccount, Transfer])), DepositFunds("a", 10**9)
        )

    def transferred(name: str) -> None:
        for _ in range(TRANSFERS):
            transfer_id = str(len(stacks[name].event_store))
            stacks[name] = dispatch(stacks[name], RequestTransfer(transfer_id, "a", "b", 1))

    return table(medians({name: partial(transferred, name) for name in urls}), TRANSFERS)


def stack_over(store: SQLEventStore) -> Stack:
    """A bank over that store."""
    return Stack(event_store=store, process_manager_types=(Transfer,))


def owing(url: str, size: int) -> str:
    """The URL, when its history has so many events and settled commands, and then some that are owed."""
    with SQLEventStore(url, [BankAccount, Transfer]) as store:
        dispatch(stack_over(store), DepositFunds("a", 10**9))
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {size})"
        for statement in (
            f"""INSERT INTO events (position, stream_id, stream_version, event_id, event_type, type_version,
                correlation_id, causation_id, recorded_at, metadata, payload)
                {numbers} SELECT i, 'BankAccount-' || i, 1, 'event ' || i, event_type, type_version,
                correlation_id, 'command ' || i, recorded_at, metadata, payload FROM n, events
                WHERE position = 1""",
            f"""INSERT INTO outbox (command_id, command_type, type_version, sender, cause, correlation_id,
                depth, metadata, outcome)
                {numbers} SELECT 'command ' || i, 'DepositFunds', 1, 'Transfer-' || i, i - 1, '', 1, '{{}}',
                'accepted' FROM n""",
            f"INSERT INTO ended {numbers} SELECT 'Transfer', i, 'Transfer-' || i, 3 FROM n",
            f"UPDATE last_position SET position = {size}",
            f"UPDATE process_managers SET position = {size}",
        ):
            store._database.write(statement, {}, "write to")
        stack = recover(stack_over(store)).stack
        for n in range(OWED):
            step, run = advance(begin(stack, RequestTransfer(f"owed {n}", "a", "b", 1)))
            while step.kind != "Started":
                step, run = advance(run)
    return url
