"""A stack for a worker, as a module that it imports: its event store is the file that a variable names."""

from __future__ import annotations

import os

from calamity_lab.examples import bank
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.sql.event_store import SQLEventStore


def new_stack() -> Stack:
    """The bank, on that event store."""
    return Stack(
        event_store=SQLEventStore(os.environ["BANK_URL"], bank), process_manager_types=[bank.Transfer]
    )
