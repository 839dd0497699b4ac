"""`ProcessManagerWorker`: process managers that run on their own, and answer what other processes write."""

from __future__ import annotations

import logging
import threading
from typing import Any, Self

from calamity_lab.errors import CalamityError, InvalidValue, StoreUnavailable, repr_of
from calamity_lab.kernel import outbox
from calamity_lab.kernel.agenda import Agenda, Failure, Pending
from calamity_lab.kernel.arguments import has, is_a
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import advance
from calamity_lab.kernel.stack import Stack

_log = logging.getLogger("calamity_lab")
_PAUSE = 0.5  # seconds between two attempts to reach a database that is gone


class ProcessManagerWorker:
    """The process managers of a stack, in a thread of this process, fed by its event store.

    ::

        stack = Stack(event_store=SQLEventStore(url, bank), process_manager_types=[Transfer])
        with ProcessManagerWorker(stack) as worker:
            ...                                   # other processes dispatch commands, without Transfer

    At first it carries out what is outstanding. Then it hands on every event that nobody has handed on yet,
    and carries out what the process managers send. The other processes say at `recover` that somebody else
    runs the process manager: ``Stack(process_managers_begin={"Transfer": "elsewhere"})``. Several workers may
    run the same process managers: the marks in the store see to it that each event is handed on once.

    A command whose callback raises is set aside in ``failed``, and tried again with the next event.
    """

    def __init__(self, stack: Stack) -> None:
        store: Any = stack.event_store if is_a(stack, Stack) else None
        if not (outbox.is_durable(store) and has(store, "subscription")):
            raise InvalidValue(
                f"ProcessManagerWorker needs a stack over a store that keeps marks and calls subscribers; "
                f"found {repr_of(stack)}. Give one over an SQLEventStore"
            )
        if not stack.process_manager_types:
            raise InvalidValue(
                "ProcessManagerWorker needs a stack with process managers, as in "
                "Stack(event_store=store, process_manager_types=[Transfer])"
            )
        self._stack = stack
        self._failed: tuple[Failure, ...] = ()
        self._closing = threading.Event()
        self._carry_out(recover(stack))
        upto = min(self._stack.delivered_upto)
        self._subscription = store.subscription(ALL, self._take, start_version=upto + 1)

    @property
    def stack(self) -> Stack:
        """The stack after the last event."""
        return self._stack

    @property
    def failed(self) -> tuple[Failure, ...]:
        """What was set aside, because a callback raised; it is tried again with the next event."""
        return self._failed

    @property
    def error(self) -> CalamityError | None:
        """The error that ended the worker; None while it runs."""
        error: CalamityError | None = self._subscription.error
        return error

    @property
    def running(self) -> bool:
        """Whether the worker will take further events."""
        return bool(self._subscription.running)

    def wait_for(self, position: int, *, timeout: float | None = None) -> bool:
        """Wait until the worker has taken the event at a position; return whether it has."""
        return bool(self._subscription.wait_for(position, timeout=timeout))

    def close(self) -> None:
        """End the worker, after the event that it is at. What is outstanding stays in the outbox."""
        self._closing.set()
        self._subscription.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join([stored_name(manager) for manager in self._stack.process_manager_types])
        return f"ProcessManagerWorker({names}, {'running' if self.running else 'ended'})"

    def _take(self, recorded: RecordedEvent) -> None:
        """Hand on what lies behind the marks, up to an event, and carry out what that leads to."""
        while not self._closing.is_set():
            try:
                self._carry_out(self._handed_on(recorded.position))
                return
            except StoreUnavailable as error:
                _log.warning("%r waits: %s", self, error)
                self._closing.wait(_PAUSE)
                self._stack = recover(self._stack).stack

    def _handed_on(self, upto: int) -> Run:
        """The run with what the process managers send for the events up to a position."""
        stack, sent = self._stack, list[Pending]()
        failed = [failure for failure in self._failed if failure.pending is not None]
        for index in range(len(stack.process_manager_types)):
            caught_up = outbox.catch_up(stack, index, upto)
            stack = caught_up.stack
            sent += caught_up.sent
            if caught_up.failure is not None:
                failed.append(caught_up.failure)
        return Run(stack, Agenda(sent, failed))

    def _carry_out(self, run: Run) -> None:
        """Carry out all that is pending, and what was set aside before."""
        retried: Any = [failure for failure in self._failed if failure in run.failed and failure.pending]
        for failure in retried:
            run = run.retry(failure)
        while not run.idle and not self._closing.is_set():
            _, run = advance(run)
        for failure in run.failed:
            _log.warning("set aside: %s", failure.error)
        self._stack, self._failed = run.stack, run.failed
