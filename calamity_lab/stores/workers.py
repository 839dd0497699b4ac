"""Workers: threads of this process that follow the events of a real store, whoever writes them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any

from calamity_lab.errors import CalamityError, InvalidValue, StoreUnavailable, repr_of
from calamity_lab.kernel import ask, outbox
from calamity_lab.kernel.agenda import Agenda, Failure, Pending
from calamity_lab.kernel.arguments import a_function, are_equal, classes, has, is_a, seconds
from calamity_lab.kernel.clocks_and_ids import read
from calamity_lab.kernel.event_store import Closable
from calamity_lab.kernel.folding import instance_of, is_unknown, projected
from calamity_lab.kernel.identity import Identity, stored_name
from calamity_lab.kernel.persistent import PersistentMap
from calamity_lab.kernel.progress import Run
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import recover
from calamity_lab.kernel.run import Meeting, advance
from calamity_lab.kernel.stack import Stack

_log = logging.getLogger("calamity_lab")
_PAUSE = 0.5  # seconds between two attempts to reach a database that is gone
_SOON = 0.05  # seconds; the first sleep after an event

Changed = Callable[[str, Any, RecordedEvent], object]


class _Worker(Closable):
    """What works in the thread of a subscription, for some classes of the model."""

    _subscription: Any

    def __init__(self, types: Iterable[type]) -> None:
        self._types = tuple(types)

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
        """End the worker, after the event that it is at."""
        self._subscription.close()

    def __repr__(self) -> str:
        names = ", ".join([stored_name(each) for each in self._types])
        return f"{type(self).__name__}({names}, {'running' if self.running else 'ended'})"


class DeadlineWorker(_Worker):
    """The deadlines of a stack's process managers: a thread carries them out when they are due.

    ::

        stack = Stack(event_store=SQLEventStore(url, bank), process_manager_types=[Transfer])
        with DeadlineWorker(stack):
            ...                                   # this program dispatches commands meanwhile

    It is for a program with a real clock. The worker carries out what is due, each deadline with all that it
    causes, and sleeps until the next one. It is woken by each event that anybody appends, since an earlier
    deadline may be set then, and it looks every ``look_every`` seconds in any case. Several workers may run,
    here and in other processes: each deadline is carried out once. A signal handler may call ``close``.

    A command whose callback raises is set aside in ``failed``, and tried again with the next event.
    """

    def __init__(self, stack: Stack, *, look_every: float = 1.0) -> None:
        store: Any = stack.event_store if is_a(stack, Stack) else None
        name = type(self).__name__
        if not (outbox.is_durable(store) and has(store, "subscription")):
            raise InvalidValue(
                f"{name} needs a stack over a store that keeps marks and calls subscribers; "
                f"found {repr_of(stack)}. Give one over an SQLEventStore"
            )
        if not stack.process_manager_types:
            raise InvalidValue(
                f"{name} needs a stack with process managers, as in "
                "Stack(event_store=store, process_manager_types=[Transfer])"
            )
        super().__init__(stack.process_manager_types)
        self._look_every = seconds(f"{name}(look_every)", look_every)
        self._stack = stack
        self._failed: tuple[Failure, ...] = ()
        self._error: CalamityError | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()  # for the stack: both threads carry out what there is to do
        self._woken = SimpleQueue[None]()  # its put() may interrupt itself, as in a signal handler
        self._subscription = store.subscription(ALL, self._take, start_version=self._begin() + 1)
        self._thread = threading.Thread(target=self._keep_time, name=f"deadlines of {self!r}", daemon=True)
        self._thread.start()

    @property
    def stack(self) -> Stack:
        """The stack after all that was carried out."""
        return self._stack

    @property
    def failed(self) -> tuple[Failure, ...]:
        """What was set aside, because a callback raised; it is tried again with the next event."""
        return self._failed

    @property
    def error(self) -> CalamityError | None:
        """The error that ended the worker; None while it runs."""
        return self._error or super().error

    @property
    def running(self) -> bool:
        """Whether the worker will carry out further deadlines, and take further events."""
        return super().running and not self._closing.is_set()

    def close(self) -> None:
        """End the worker, after the step that it is at. What is outstanding stays in the outbox."""
        self._closing.set()
        self._woken.put(None)
        super().close()
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join()

    def _begin(self) -> int:
        """The position of the last event that need not be taken."""
        return int(self._stack.event_store.version(ALL))

    def _take(self, recorded: RecordedEvent) -> None:
        """Try again what was set aside, and look for deadlines."""
        if self._failed:
            self._work(lambda: Run(self._stack, Agenda(_pending(self._failed))))
        self._woken.put(None)

    def _keep_time(self) -> None:
        """Meet what is due, and sleep until the next is, or until an event may have set an earlier one.

        An event is appended before its deadlines are set, so the first sleeps after it are short.
        """
        sleep = _SOON
        try:
            while not self._closing.is_set() and self._subscription.error is None:
                following = self._met()
                left = sleep if following is None else (following - self._now()).total_seconds()
                try:
                    self._woken.get(timeout=max(min(left, sleep), 0))
                    sleep = _SOON
                except Empty:
                    sleep = min(2 * sleep, self._look_every)
        except CalamityError as error:
            _log.error("%s; %r has ended", error, self, exc_info=error)
            self._error = error
            self._closing.set()
            self._subscription.close()

    def _met(self) -> datetime | None:
        """Meet the deadlines that are due; when the next one is due."""
        now, is_idle = self._now(), False
        meeting = Meeting(now, without=[pending.command_id for pending in _pending(self._failed)])

        def following() -> Run:
            nonlocal is_idle
            run = meeting.next(Run(self._stack, Agenda((), self._failed)))
            is_idle = run.idle
            return run

        while not is_idle and not self._closing.is_set():
            self._work(following)
        try:
            names = [stored_name(each) for each in self._types]
            found: datetime | None = self._stack.event_store.next_due(names, now)
        except StoreUnavailable as error:
            _log.warning("%r waits: %s", self, error)
            return None
        return found

    def _now(self) -> datetime:
        """The time; where the clock of the stack is a value, that of this machine."""
        clock = self._stack.clock
        return datetime.now(UTC) if hasattr(clock, "read") else read(clock)[0]

    def _work(self, begin: Callable[[], Run]) -> None:
        """Carry out a run. Where the database is gone, wait for it, and take up all that is outstanding."""
        is_lost = False
        while not self._closing.is_set():
            try:
                with self._lock:
                    self._carry_out(recover(self._stack) if is_lost else begin())
                return
            except StoreUnavailable as error:
                _log.warning("%r waits: %s", self, error)
                self._closing.wait(_PAUSE)
                is_lost = True

    def _carry_out(self, run: Run) -> None:
        """Carry out all that is pending."""
        while not run.idle and not self._closing.is_set():
            _, run = advance(run)
        for failure in run.failed:
            if failure not in self._failed:
                _log.warning("set aside: %s", failure.error)
        self._stack, self._failed = run.stack, run.failed


class ProcessManagerWorker(DeadlineWorker):
    """The process managers of a stack, in a thread of this process, fed by its event store.

    ::

        stack = Stack(event_store=SQLEventStore(url, bank), process_manager_types=[Transfer])
        with ProcessManagerWorker(stack) as worker:
            ...                                   # other processes dispatch commands, without Transfer

    At first it carries out what is outstanding. Then it hands on every event that nobody has handed on yet,
    carries out what the process managers send, and their deadlines, as a `DeadlineWorker` does. The
    other processes say at `recover` that somebody else runs the process manager:
    ``Stack(process_managers_begin={"Transfer": "elsewhere"})``. Several workers may run the same process
    managers: the marks in the store see to it that each event is handed on once.

    A command whose callback raises is set aside in ``failed``, and tried again with the next event.
    """

    def _begin(self) -> int:
        self._carry_out(recover(self._stack))
        return min(self._stack.delivered_upto)

    def _take(self, recorded: RecordedEvent) -> None:
        """Hand on what lies behind the marks, up to an event, and carry out what that leads to."""
        self._work(lambda: self._handed_on(recorded.position))
        self._woken.put(None)

    def _handed_on(self, upto: int) -> Run:
        """The run with what the process managers send for the events up to a position, and what failed."""
        stack, sent, failed = self._stack, list[Pending](), list[Failure]()
        for index in range(len(stack.process_manager_types)):
            caught_up = outbox.catch_up(stack, index, upto)
            stack = caught_up.stack
            sent += caught_up.sent
            if caught_up.failure is not None:
                failed.append(caught_up.failure)
        return Run(stack, Agenda([*sent, *_pending(self._failed)], failed))


def _pending(failed: Iterable[Failure]) -> list[Pending]:
    """The commands among what was set aside."""
    return [failure.pending for failure in failed if failure.pending is not None]


class ProjectionWorker(_Worker):
    """Projections in a thread of this process, folded from the events of a store and fed by it.

    ::

        with ProjectionWorker(store, [BankTotals, Turnover]) as worker:
            worker.wait_for(store.version(ALL))
            worker.states["Turnover-alice"].paid_in

    ``changed(stream_id, state, recorded)`` is called for each change, in order: it may write the state to a
    table. With a ``name``, the database keeps a checkpoint, as for a named subscription: a worker that starts
    again calls ``changed`` from the event after the last one for which it returned. That event may come
    twice, so write the whole state, and not what was added. A new name begins at the first event.

    The states themselves are always folded from the events. A callback that raises ends the worker: see
    ``error``. Its event is handed on again when a worker of that name starts on the mended class. Events for
    which the store has no class are left out, with a warning in the log.
    """

    def __init__(
        self,
        store: Any,
        projections: Iterable[type],
        *,
        changed: Changed | None = None,
        name: str | None = None,
    ) -> None:
        if not has(store, "subscription"):
            raise InvalidValue(
                f"ProjectionWorker needs a store that calls subscribers; found {repr_of(store)}. Give an "
                "SQLEventStore. Without a database, Lab(..., projections=[...]) shows them"
            )
        super().__init__(classes("projections", projections, "[BankTotals]"))
        for cls in self._types:
            if not has(cls, "new", "apply"):
                raise InvalidValue(
                    f"{cls.__name__} needs a classmethod new() and apply(event) to be a projection"
                )
        self._changed = None if changed is None else a_function("changed", changed, "changed=write_row")
        self._store = store
        self._lock = threading.Lock()
        self._left_out = set[str]()
        self._begin()
        with self._lock:
            self._subscription = store.subscription(ALL, self._take, name=name)
            self._catch_up(self._subscription.position)

    @property
    def states(self) -> PersistentMap[Any]:
        """The states by name, with keys by name and key, as in ``"Turnover-alice"``."""
        return self._states

    def _begin(self) -> None:
        alone = [Identity.alone(each) for each in self._types if not ask.is_keyed(each)]
        self._states = PersistentMap({each.stream_id: ask.new_projection(each.type) for each in alone})
        self._upto = 0

    def _catch_up(self, position: int) -> None:
        """Fold the events up to a position; whoever is called at changes knows them already."""
        for recorded in self._store.stream(ALL, start_version=self._upto + 1, upto_position=position):
            self._fold(recorded)

    def _take(self, recorded: RecordedEvent) -> None:
        with self._lock:
            if recorded.position <= self._upto:  # the checkpoint was moved back by hand
                self._begin()
            self._catch_up(recorded.position - 1)
            for stream_id, state in self._fold(recorded):
                if self._changed is not None:
                    self._changed(stream_id, state, recorded)

    def _fold(self, recorded: RecordedEvent) -> list[tuple[str, Any]]:
        """Take an event into the states; which of them changed, with their new states."""
        states = self._states
        changes = [] if self._leaves_out(recorded) else list(self._changes(states, recorded))
        for stream_id, state in changes:
            states = states.insert(stream_id, state)
        self._states, self._upto = states, recorded.position
        return changes

    def _changes(self, states: PersistentMap[Any], recorded: RecordedEvent) -> Iterator[tuple[str, Any]]:
        for cls in self._types:
            identity = instance_of(cls, recorded)
            if identity is not None:
                before = states.get(identity.stream_id)
                after = projected(identity, before, recorded)
                if before is None or not are_equal(before, after):
                    yield identity.stream_id, after

    def _leaves_out(self, recorded: RecordedEvent) -> bool:
        if not is_unknown(recorded.event):
            return False
        if recorded.event_type not in self._left_out:
            self._left_out.add(recorded.event_type)
            _log.warning("%r leaves out %s: the store has no class for it", self, recorded.event_type)
        return True
