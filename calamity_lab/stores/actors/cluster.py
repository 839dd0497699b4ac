"""Actors on the workers of a cluster, by dask.distributed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import count
from threading import Lock
from types import TracebackType
from typing import Any, NamedTuple, Self
from uuid import uuid4
from zlib import crc32

from calamity_lab.errors import InvalidValue, MissingExtra, ModelError, StoreError, StoreUnavailable
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import rebuild
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.aggregates import HeldAggregates
from calamity_lab.stores.actors.process_managers import HeldInstances
from calamity_lab.stores.actors.protocol import NO_NEWS, ActorDied, Decided, Reacted
from calamity_lab.stores.actors.stack_actor import AroundAStack, Ticket
from calamity_lab.stores.actors.worker import Host, Texts, path_of

# How often is looked for what is awaited, and for how long a list of the workers is good, in seconds.
_LOOK = 0.5
_FRESH = 1.0


class Reference(NamedTuple):
    """An actor: the worker's host that it lives with, its name there, and the path of what it holds.

    One that is quick is called, and has died when it does not answer in time; others may take their time.
    """

    host: Hosted
    name: str
    held: str
    quick: bool


class ClusterActors:
    """Actors on the workers of a Dask cluster, many to a worker, spread by a hash of their names.

    ``cluster`` is the address of a scheduler, as in ``"tcp://10.0.0.1:8786"``, a cluster, or a client. What
    is sent is JSON; so the model must be a module that the workers can import. ``types`` is needed only where
    messages have fields whose annotations do not tell what is in them. A call that is not answered within
    ``timeout`` seconds counts as the death of its actor; for so long, too, is waited for a worker.
    """

    def __init__(self, cluster: Any, types: Iterable[type] = (), *, timeout: float = 30.0) -> None:
        vocabulary = tuple([path_of(cls) for cls in types])
        self._texts = Texts(vocabulary)
        self._timeout = timeout
        self._hosts = Hosts(cluster, vocabulary, timeout)
        self._number = count(1)

    def start(self, name: str, held: Any) -> Reference:
        """A reference to a new actor that holds a ``held()``, on one of the workers there are now.

        It begins when it is first asked.
        """
        host, name = self._hosts.host_for(name), f"{next(self._number)}:{name}"
        return Reference(host, name, path_of(held), isinstance(held, type))

    def ask(self, reference: Reference, method: str, *given: Any) -> Any:
        """The answer of the method of what the actor holds. Raises `ActorDied` where none will come."""
        pending = self._call(reference, method, given)
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                answer = pending.result(timeout=_LOOK)
            except TimeoutError as error:
                late = reference.quick and time.monotonic() > deadline
                if late or not self.is_alive(reference):
                    raise _died(reference, "it gave no answer") from error
            except Exception as error:  # in whatever words a cluster tells that nobody is there
                raise _died(reference, str(error)) from error
            else:
                return told_again(method, given, self._texts.read(answer))

    def tell(self, reference: Reference, method: str, *given: Any) -> None:
        """Ask without waiting for the answer."""
        self._call(reference, method, given)

    def is_alive(self, reference: Reference) -> bool:
        """Whether the actor's worker is there, as far as the scheduler has told."""
        return reference.host.is_alive()

    def place(self, reference: Reference) -> str:
        """The address of the actor's worker."""
        return reference.host.worker

    def stop(self, reference: Reference) -> None:
        """Let the actor go; one that holds a stack at once."""
        if reference.quick:
            reference.host.ended.append(reference.name)
        elif reference.host.is_alive():
            reference.host.actor.drop(reference.name)

    def close(self) -> None:
        """Let all actors go. A client that was given stays open."""
        self._hosts.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ClusterActors({self._hosts!r})"

    def _call(self, reference: Reference, method: str, given: tuple[Any, ...]) -> Any:
        host = reference.host
        text = self._texts.write((reference.name, reference.held, method, given, host.take_ended()))
        try:
            call = host.actor.call if reference.quick else host.actor.carry_out
            return call(text)
        except Exception as error:
            raise _died(reference, str(error)) from error


def _died(reference: Reference, why: str) -> ActorDied:
    return ActorDied(f"on the worker {reference.host.worker}: {why}")


class Hosted:
    """A host: its worker's address, the Dask actor that it is, and Dask's future of that.

    ``ended`` names actors that are no longer wanted; the host is told so with the next call.
    """

    __slots__ = ("actor", "ended", "future", "worker")

    def __init__(self, worker: str, future: Any, actor: Any) -> None:
        self.worker = worker
        self.future = future
        self.actor = actor
        self.ended: deque[str] = deque()

    def take_ended(self) -> list[str]:
        """The names of those that ended since this was asked last."""
        taken: list[str] = []
        while True:  # several threads may ask
            try:
                taken.append(self.ended.popleft())
            except IndexError:
                return taken

    def is_alive(self) -> bool:
        """Whether it is there, as far as the scheduler has told."""
        return str(self.future.status) == "finished"


class Hosts:
    """One host on each worker, started when its worker is first needed, and anew when it is lost."""

    def __init__(self, cluster: Any, vocabulary: tuple[str, ...], timeout: float) -> None:
        self._vocabulary = vocabulary
        self._timeout = timeout
        self._client, self._owned = _client(cluster, timeout)
        self._hosts: dict[str, Hosted] = {}
        self._workers: list[str] = []
        self._listed = float("-inf")  # when
        self._lock = Lock()
        self._closed = False

    def host_for(self, name: str) -> Hosted:
        """The host of the worker that this name falls to: always the same, as long as the workers are."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable(
                    f"no actor can be started for {name}: these actors were closed; start new ones, as in "
                    "`with ClusterActors(address) as actors`, and make the stack anew from its event store"
                )
            workers = self._listed_workers()
            worker = workers[crc32(name.encode()) % len(workers)]
            host = self._hosts.get(worker)
            if host is None or not host.is_alive():
                host = self._hosts[worker] = self._started_on(worker)
            return host

    def close(self) -> None:
        """Let all hosts go, and what they hold with them. A client that was given stays open."""
        with self._lock:
            self._closed = True
            for host in self._hosts.values():
                host.future.release()
            self._hosts.clear()
            if self._owned:
                self._client.close()

    def __repr__(self) -> str:
        return f"{len(self._hosts):,} hosts on {self._client!r}"

    def _listed_workers(self) -> list[str]:
        """The addresses of the workers there are, in order."""
        deadline = time.monotonic() + self._timeout
        while True:
            if time.monotonic() - self._listed > _FRESH or not self._workers:
                self._workers = sorted(self._workers_now())
                self._listed = time.monotonic()
            if self._workers:
                return self._workers
            if time.monotonic() > deadline:
                address = self._client.scheduler.address
                raise StoreUnavailable(
                    f"the cluster at {address} has had no worker for {self._timeout:g} seconds; start some, "
                    f"as in: dask worker {address}"
                )
            time.sleep(_LOOK)

    def _workers_now(self) -> Collection[str]:
        try:
            found: Collection[str] = self._client.nthreads()
        except Exception as error:  # in whatever words a cluster tells that nobody is there
            raise self._unanswered(error) from error
        return found

    def _started_on(self, worker: str) -> Hosted:
        """The host, once it was started there; without that worker it never will be."""
        deadline = time.monotonic() + self._timeout
        with self._client.as_current():
            future = self._submitted(worker)
            while True:
                try:
                    return Hosted(worker, future, future.result(timeout=_LOOK))
                except TimeoutError as error:
                    if worker not in self._workers_now() or time.monotonic() > deadline:
                        raise self._gone(worker, "it was gone before") from error
                except ModuleNotFoundError as error:
                    raise StoreError(
                        f"the worker {worker} cannot hold actors: {error}; install calamity-lab there, in "
                        "the version that is here"
                    ) from error
                except Exception as error:
                    raise self._gone(worker, str(error)) from error

    def _submitted(self, worker: str) -> Any:
        try:
            return self._client.submit(
                Host,
                self._vocabulary,
                actor=True,
                key=f"calamity-lab-{uuid4().hex}",
                workers=[worker],
                allow_other_workers=False,
            )
        except Exception as error:
            raise self._unanswered(error) from error

    def _unanswered(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"the scheduler of {self._client!r} does not answer ({type(error).__name__}: {error}); see that "
            "it runs, and that the client is open; then make new actors, and the stack anew from its events"
        )

    def _gone(self, worker: str, why: str) -> ActorDied:
        self._workers.clear()
        return ActorDied(f"the worker {worker} could not start an actor: {why}")


def _client(cluster: Any, timeout: float) -> tuple[Any, bool]:
    """A client of the cluster, and whether it is ours to close."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("actors on a cluster", "distributed", "cluster") from error
    if isinstance(cluster, Client):
        if cluster.asynchronous:
            raise InvalidValue("ClusterActors needs a client that waits: Client(address), not asynchronous")
        return cluster, False
    connect: Any = Client
    try:
        return connect(cluster, set_as_default=False, timeout=timeout), True
    except (OSError, TimeoutError) as error:
        raise StoreUnavailable(
            f"no scheduler answers at {cluster}: {error}; start one, as in: dask scheduler, and give the "
            "address that it tells"
        ) from error


def told_again(method: str, given: tuple[Any, ...], answer: Any) -> Any:
    """The answer, with the model's own error in it where it has one."""
    if getattr(answer, "error", None) is None:
        return answer
    if isinstance(answer, Decided):
        identity, command, *_ = given
        return _same(answer, _decided(identity, command, answer))
    if isinstance(answer, Reacted):
        identity, recorded, _ = given
        return _same(answer, _reacted(identity, recorded, answer))
    return answer


def _decided(identity: Identity, command: Any, answer: Decided) -> Any:
    held = HeldAggregates()
    if answer.state is not None:
        held.put(identity, answer.state, answer.version)
    return held.decide(identity, command, 0, NO_NEWS)


def _reacted(identity: Identity, recorded: RecordedEvent, answer: Reacted) -> Any:
    held = HeldInstances()
    before = recorded.position - 1
    if answer.before is not None:
        held.put(identity, answer.before, before)
    return held.react(identity, recorded, before if answer.before is not None else 0)


def _same(answer: Any, again: Any) -> Any:
    alike = isinstance(again.error, ModelError) == isinstance(answer.error, ModelError)
    if again.error is not None and alike:
        return again
    callback = getattr(answer.error, "callback", "execute")
    problem = (
        f"answered otherwise on a worker than here ({answer.error}): all must run the same code, and a model "
        "must depend on nothing but what it is given"
    )
    return answer._replace(error=ModelError(callback, problem))


class ClusterStackActor(AroundAStack):
    """A stack on a worker of a cluster: it is sent commands, which are carried out one after another.

    ``make`` is a function of a module that the worker can import. It makes the stack, on an event store that
    the worker can reach::

        def new_stack() -> Stack:
            return Stack(event_store=SQLEventStore(URL, bank), process_manager_types=[bank.Transfer])

        with ClusterActors(address) as actors, ClusterStackActor(new_stack, actors) as actor:
            actor.dispatch(DepositFunds("alice", 100))

    Every actor that is started takes up what the event store has first, and carries out what is owed.
    """

    def __init__(self, make: Callable[[], Stack], actors: ClusterActors) -> None:
        super().__init__(actors)
        self._cluster = actors
        self._make = make

    def stack(self, aggregate_types: Iterable[type] = ()) -> Stack:
        """A stack here, as the event store tells it now: aggregates of these types, and all instances."""
        return rebuild(self._make(), aggregate_types)

    def close(self) -> None:
        """Let the actor go."""
        with self._lock:
            if self._reference is not None:
                self._cluster.stop(self._reference)
                self._reference = None

    def __repr__(self) -> str:
        return f"ClusterStackActor({self._make.__qualname__} on {self._cluster!r})"

    def _start(self) -> Any:
        return self._cluster.start(f"stack of {self._make.__qualname__}", self._make)

    def _ticket(self) -> Ticket:
        return Ticket(uuid4().hex)
