"""A history to a DataFrame, beside what one would write without the lab: asdict, and column lists by hand."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from calamity_lab.examples.bank import AccountRenamed, FundsDeposited, FundsWithdrawn, TransferInitiated
from calamity_lab.frames import History
from calamity_lab.kernel.clocks_and_ids import draw, seeded_ids
from calamity_lab.kernel.recorded import RecordedEvent

EVENTS = 1_000_000
ROUNDS = 5
AIM_FASTER_THAN_NORMALIZE = 10
AIM_BESIDE_BY_HAND = 1.5


def run() -> list[str]:
    """The report: medians, the two ratios, and the aims."""
    history = History(recorded_events(EVENTS))
    ours, by_hand = timed_in_turn(history.to_pandas, lambda: columns_by_hand(history))
    normalize = timed_once(lambda: pd.json_normalize([asdict(recorded) for recorded in history]))
    return [
        f"to_pandas of {EVENTS:,} recorded events, metadata and flattened fields",
        f"  History.to_pandas                  {ours:7.2f} s   (median of {ROUNDS})",
        f"  column lists written by hand       {by_hand:7.2f} s   (median of {ROUNDS}, in turn)",
        f"  json_normalize([asdict(r) ...])    {normalize:7.2f} s   (once: it takes most of the time)",
        f"  against by hand: {ours / by_hand:.2f} times its time (aim: at most {AIM_BESIDE_BY_HAND})",
        f"  against json_normalize: {normalize / ours:.1f} times faster (aim: {AIM_FASTER_THAN_NORMALIZE})",
    ]


def recorded_events(count: int, *, streams: int = 1_000) -> list[RecordedEvent]:
    """A history of the bank, recorded as the kernel does; no two events share an id or a command."""
    ids, _ = draw(seeded_ids(0), 2 * count)
    start, versions = datetime(2026, 1, 1, tzinfo=UTC), dict.fromkeys(range(streams), 0)
    recorded = []
    for n, (account, sender, event, command) in zip(range(count), _facts(streams), strict=False):
        versions[account] += 1
        metadata = {"command": command, "process_manager": sender} if sender else {"command": command}
        recorded.append(
            RecordedEvent(
                event, type(event).__name__, ids[2 * n], f"BankAccount-{account}", versions[account], n + 1,
                ids[2 * n + 1], ids[2 * n + 1], start + timedelta(milliseconds=n), metadata,
            )
        )  # fmt: skip
    return recorded


def _facts(streams: int) -> Iterator[tuple[int, str | None, Any, str]]:
    random = Random(0)
    n = 0
    while True:
        n += 1
        account, other, amount = (
            random.randrange(streams),
            random.randrange(streams),
            random.randrange(1, 10_000),
        )
        transfer = f"T{n}"
        match n % 4:
            case 0:
                yield account, None, AccountRenamed(str(account), f"Name {n}"), "RenameAccount"
            case 1:
                yield account, None, FundsDeposited(str(account), amount), "DepositFunds"
            case 2:
                asked = TransferInitiated(transfer, str(account), str(other), amount)
                yield account, None, asked, "RequestTransfer"
            case _:
                taken = FundsWithdrawn(str(account), amount, transfer)
                yield account, f"Transfer-{transfer}", taken, "WithdrawFunds"


def columns_by_hand(recorded: Any) -> pd.DataFrame:
    """What somebody who knows pandas, and these four events, would write: the same columns and dtypes."""
    count = len(recorded)
    events = list(map(attrgetter("event"), recorded))
    metadata = list(map(attrgetter("metadata"), recorded))
    amounts = [getattr(event, "amount", -1) for event in events]
    amount = np.fromiter(amounts, np.int64, count)
    return pd.DataFrame({
        "position": np.fromiter(map(attrgetter("position"), recorded), np.int64, count),
        "stream_id": pd.array(list(map(attrgetter("stream_id"), recorded)), dtype="str"),
        "stream_version": np.fromiter(map(attrgetter("stream_version"), recorded), np.int64, count),
        "event_type": pd.Categorical(list(map(attrgetter("event_type"), recorded))),
        "event_id": pd.array(list(map(attrgetter("event_id"), recorded)), dtype="str"),
        "correlation_id": pd.array(list(map(attrgetter("correlation_id"), recorded)), dtype="str"),
        "causation_id": pd.array(list(map(attrgetter("causation_id"), recorded)), dtype="str"),
        "recorded_at": pd.DatetimeIndex(list(map(attrgetter("recorded_at"), recorded))),
        "command": pd.Categorical([entries["command"] for entries in metadata]),
        "process_manager": pd.array([entries.get("process_manager") for entries in metadata], dtype="str"),
        "account_id": pd.array([getattr(event, "account_id", None) for event in events], dtype="str"),
        "amount": pd.arrays.IntegerArray(amount, amount < 0),
        "transfer_id": pd.array([getattr(event, "transfer_id", None) for event in events], dtype="str"),
        "from_account": pd.array([getattr(event, "from_account", None) for event in events], dtype="str"),
        "to_account": pd.array([getattr(event, "to_account", None) for event in events], dtype="str"),
        "name": pd.array([getattr(event, "name", None) for event in events], dtype="str"),
    })  # fmt: skip


def timed_in_turn(*calls: Callable[[], object]) -> list[float]:
    """The median time of each call, in turn, so that a slow moment of the machine meets all of them."""
    for call in calls:
        call()
    times = [[timed_once(call) for call in calls] for _ in range(ROUNDS)]
    return [median(column) for column in zip(*times, strict=True)]


def timed_once(call: Callable[[], object]) -> float:
    """The seconds that a call takes."""
    gc.collect()
    start = perf_counter()
    call()
    return perf_counter() - start
