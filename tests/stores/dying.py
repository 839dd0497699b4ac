"""A process that begins a transfer and is killed: `python -m tests.stores.dying arrives 1=a.db 2=b.db`.

For each `STEP=FILE` a child of its own takes up what the bank in the file owes, else begins the transfer,
and is killed (SIGKILL) right after that step. How each child ended is printed, one line each.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from calamity_lab.examples.bank import (
    BankAccount,
    CloseAccount,
    DepositFunds,
    RequestTransfer,
    Transfer,
    WithdrawFunds,
)
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import Run, advance
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.sql.event_store import SQLEventStore

BEFORE = (
    DepositFunds("alice", 100),
    DepositFunds("carol", 1),
    WithdrawFunds("carol", 1),
    CloseAccount("carol"),
)
TRANSFERS = {
    "arrives": RequestTransfer("rent", "alice", "bob", 60),
    "comes back": RequestTransfer("gift", "alice", "carol", 60),
}


def bank_at(path: Path) -> SQLEventStore:
    """The bank in a file."""
    return SQLEventStore(f"sqlite:///{path}", [BankAccount, Transfer])


def taken_up(store: SQLEventStore, transfer: RequestTransfer) -> Run:
    """What is owed, or the transfer where it was never recorded."""
    run = recover(Stack(event_store=store, process_manager_types=(Transfer,)), [BankAccount])
    return run.submit(transfer) if store.version(ALL) == len(BEFORE) else run


def carry_out(path: Path, transfer: RequestTransfer, die_at: int = 0) -> Run:
    """Do all there is to do, unless killed at that step."""
    run = taken_up(bank_at(path), transfer)
    while not run.idle:
        step, run = advance(run)
        if step.index == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
    return run


def main(which: str, *deaths: str) -> None:
    """Let one child after the other die."""
    for death in deaths:
        step, _, path = death.partition("=")
        child = os.fork()
        if not child:
            carry_out(Path(path), TRANSFERS[which], int(step))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
