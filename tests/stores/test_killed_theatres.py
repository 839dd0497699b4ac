"""A theatre is killed at every step, again and again: each deadline fires once, or was cancelled."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

from calamity_lab.kernel.protocols import ALL
from tests.holds import GuestReminded, HoldExpired, HoldExtended, SeatHeld
from tests.stores.dying_theatres import STEPS, closed

KILLS = 4 * STEPS


def test_each_deadline_over_sqlite_fires_once_or_was_cancelled_though_the_theatre_is_killed(
    tmp_path: Path,
) -> None:
    check(f"sqlite:///{tmp_path / 'theatre.db'}")


def test_each_deadline_over_postgresql_fires_once_or_was_cancelled_though_the_theatre_is_killed(
    postgres_url: str,
) -> None:
    check(postgres_url)


def check(url: str) -> None:
    """Demand that what a theatre promised holds after all these kills."""
    command = [sys.executable, "-m", "tests.stores.dying_theatres", url, str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert [int(line) for line in done.stdout.split()] == [-signal.SIGKILL] * KILLS, done.stderr
    run = closed(url, KILLS)
    assert (run.failed, list(run.stack.deadlines)) == ((), [])
    store = run.stack.event_store
    history = list(store.stream(ALL))
    happened = Counter([type(recorded.event) for recorded in history])
    deadlines = [entry for entry in store.outbox if entry.deadline is not None]
    assert len(deadlines) == 2 * happened[SeatHeld] + happened[HoldExtended]
    caused = Counter([recorded.causation_id for recorded in history])
    times = {recorded.causation_id: recorded.recorded_at for recorded in history}
    for entry in deadlines:
        assert caused[entry.command_id] == (entry.outcome == "accepted"), entry
        assert entry.outcome in {"accepted", "cancelled"}, entry
        if entry.outcome == "accepted":
            assert times[entry.command_id] >= entry.due_at
    outcomes = Counter([(entry.deadline, entry.outcome) for entry in deadlines])
    assert outcomes["reminder", "accepted"] == happened[GuestReminded] > KILLS / 10
    assert outcomes["ExpireHold", "accepted"] == happened[HoldExpired] > KILLS / 10
    assert min(outcomes.values()) > KILLS / 20  # and some of each were cancelled
    store.close()
