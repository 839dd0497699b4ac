"""Actors on the workers of a cluster, by dask.distributed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from itertools import count
from threading import Lock
from typing import Any, NamedTuple
from uuid import uuid4
from zlib import crc32

from calamity_lab.errors import InvalidValue, MissingExtra, ModelError, StoreError, StoreUnavailable
from calamity_lab.kernel.arguments import a_function, a_list, an_instance, seconds
from calamity_lab.kernel.event_store import Closable
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.recovery import rebuild
from calamity_lab.kernel.second_arguments import Context
from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.aggregates import AggregatesInActor
from calamity_lab.stores.actors.process_managers import InstancesInActor
from calamity_lab.stores.actors.protocol import NO_NEW_EVENTS, ActorDied, Decided, ReactResult
from calamity_lab.stores.actors.stack_actor import BaseStackActor, Submission
from calamity_lab.stores.actors.worker import ActorHost, WireCodec, path_of

# How often a waiting caller checks again, and for how long a list of the workers is used, in seconds.
_CHECK_EVERY = 0.5
_LIST_FOR = 1.0


class Reference(NamedTuple):
    """An actor: the host of its worker, its name there, and the path of the class that it holds.

    A quick actor that does not answer in time counts as dead; the others may take their time.
    """

    host: HostReference
    name: str
    held: str
    quick: bool


class ClusterActors(Closable):
    """Actors on the workers of a Dask cluster, many to a worker, spread by a hash of their names.

    ``cluster`` is the address of a scheduler, as in ``"tcp://10.0.0.1:8786"``, a cluster, or a client. Calls
    are sent as JSON, so the model must be in a module that the workers can import. Give ``types`` only where
    messages have fields whose annotations do not say what is in them. An actor that does not answer within
    ``timeout`` seconds counts as dead; a call waits as long for the first worker.
    """

    def __init__(self, cluster: Any, types: Iterable[type] = (), *, timeout: float = 30.0) -> None:
        listed = a_list("ClusterActors(types)", types, "[FundsDeposited]", of=type)
        vocabulary = tuple([path_of(cls) for cls in listed])
        timeout = seconds("ClusterActors(timeout)", timeout)
        self._codec = WireCodec(vocabulary)
        self._timeout = timeout
        self._hosts = HostDirectory(cluster, timeout, ActorHost, vocabulary)
        self._number = count(1)

    def start(self, name: str, held: Any) -> Reference:
        """A reference to a new actor that holds a ``held()``, on one of the workers that run now.

        The actor starts when it is first asked.
        """
        host, name = self._hosts.host_for(name), f"{next(self._number)}:{name}"
        return Reference(host, name, path_of(held), isinstance(held, type))

    def ask(self, reference: Reference, method: str, *given: Any) -> Any:
        """Call a method of what the actor holds, and wait for the answer. Raises `ActorDied`."""
        pending = self._call(reference, method, given)
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                answer = pending.result(timeout=_CHECK_EVERY)
            except TimeoutError as error:
                late = reference.quick and time.monotonic() > deadline
                if late or not self.is_alive(reference):
                    raise _died(reference, "it gave no answer") from error
            except Exception as error:  # however a cluster says that nobody is there
                raise _died(reference, str(error)) from error
            else:
                return with_local_error(method, given, self._codec.read(answer))

    def tell(self, reference: Reference, method: str, *given: Any) -> None:
        """Call a method without waiting for the answer."""
        self._call(reference, method, given)

    def is_alive(self, reference: Reference) -> bool:
        """Whether the actor's worker runs, as far as the scheduler has said."""
        return reference.host.is_alive()

    def location(self, reference: Reference) -> str:
        """The address of the actor's worker."""
        return reference.host.worker

    def stop(self, reference: Reference) -> None:
        """Stop the actor: one that holds a stack at once, others with the next call to their worker."""
        if reference.quick:
            reference.host.ended.append(reference.name)
        elif reference.host.is_alive():
            reference.host.actor.drop(reference.name)

    def close(self) -> None:
        """Stop all actors. A client that was given stays open."""
        self._hosts.close()

    def __repr__(self) -> str:
        return f"ClusterActors({self._hosts!r})"

    def _call(self, reference: Reference, method: str, given: tuple[Any, ...]) -> Any:
        host = reference.host
        text = self._codec.write((reference.name, reference.held, method, given, host.take_ended()))
        try:
            call = host.actor.call if reference.quick else host.actor.call_in_thread
            return call(text)
        except Exception as error:
            raise _died(reference, str(error)) from error


class ActorPerWorker:
    """One actor on a worker, whose ``work`` answers bytes with bytes; it can be asked without waiting."""

    def __init__(self, hosts: HostDirectory, ordinal: int) -> None:
        self._hosts, self._ordinal = hosts, ordinal

    def start(self) -> None:
        """Begin, or begin again where the worker was lost, on one that runs."""
        self._host = self._hosts.host_at(self._ordinal)

    def send(self, task: bytes) -> None:
        """Give the actor a task."""
        self._answer = self._host.actor.work(task)

    @property
    def is_ready(self) -> bool:
        """Whether `receive` has something to say at once."""
        return self._answer.done() or not self._host.is_alive()

    def receive(self) -> bytes:
        """The answer. Raises `ActorDied`."""
        try:
            answer: bytes = self._answer.result(timeout=_CHECK_EVERY)
        except Exception as error:  # however a cluster says that nobody is there
            raise ActorDied(f"on the worker {self._host.worker}: {error}") from error
        return answer

    def stop(self) -> None:
        """The host ends with its directory."""


def _died(reference: Reference, why: str) -> ActorDied:
    return ActorDied(f"on the worker {reference.host.worker}: {why}")


class HostReference:
    """The host of a worker's actors: the worker's address, the Dask actor, and Dask's future of it.

    ``ended`` has the names of actors to stop; the host gets them with the next call.
    """

    __slots__ = ("actor", "ended", "future", "worker")

    def __init__(self, worker: str, future: Any, actor: Any) -> None:
        self.worker = worker
        self.future = future
        self.actor = actor
        self.ended: deque[str] = deque()

    def take_ended(self) -> list[str]:
        """The names of the actors to stop, each returned once."""
        taken: list[str] = []
        while True:  # several threads may ask
            try:
                taken.append(self.ended.popleft())
            except IndexError:
                return taken

    def is_alive(self) -> bool:
        """Whether the host runs, as far as the scheduler has said."""
        return str(self.future.status) == "finished"


class HostDirectory:
    """The hosts by worker: each starts when its worker is first needed, and again when it was lost."""

    def __init__(self, cluster: Any, timeout: float, held: type, *given: Any) -> None:
        self._held = held, given  # what each host is, and what its class is given
        self._timeout = timeout
        self._client, self._owned = _client(cluster, timeout)
        self._hosts: dict[str, HostReference] = {}
        self._workers: list[str] = []
        self._listed_at = float("-inf")  # when
        self._lock = Lock()
        self._closed = False

    def host_for(self, name: str) -> HostReference:
        """The host for an actor with this name: the same one for as long as the workers stay the same."""
        with self._lock:
            if self._closed:
                raise StoreUnavailable(
                    f"no actor can start for {name}: these actors were closed. Start new ones, as in "
                    "`with ClusterActors(address) as actors`, and build the stack again from its event store"
                )
            workers = self._available_workers()
            return self._host_on(workers[crc32(name.encode()) % len(workers)])

    def host_at(self, ordinal: int) -> HostReference:
        """The host of the worker with that ordinal; of another one where there are not so many any more."""
        with self._lock:
            workers = self._available_workers()
            return self._host_on(workers[ordinal % len(workers)])

    def count(self) -> int:
        """How many workers run; it waits for the first."""
        with self._lock:
            return len(self._available_workers())

    def _host_on(self, worker: str) -> HostReference:
        host = self._hosts.get(worker)
        if host is None or not host.is_alive():
            host = self._hosts[worker] = self._start_on(worker)
        return host

    def close(self) -> None:
        """Stop all hosts and their actors. A client that was given stays open."""
        with self._lock:
            self._closed = True
            for host in self._hosts.values():
                host.future.release()
            self._hosts.clear()
            if self._owned:
                self._client.close()

    def __repr__(self) -> str:
        return f"{len(self._hosts):,} hosts on {self._client!r}"

    def _available_workers(self) -> list[str]:
        """The addresses of the workers that run, in order."""
        deadline = time.monotonic() + self._timeout
        while True:
            if time.monotonic() - self._listed_at > _LIST_FOR or not self._workers:
                self._workers = sorted(self._workers_now())
                self._listed_at = time.monotonic()
            if self._workers:
                return self._workers
            if time.monotonic() > deadline:
                address = self._client.scheduler.address
                raise StoreUnavailable(
                    f"the cluster at {address} has had no worker for {self._timeout:g} s. Start one, "
                    f"as in: dask worker {address}"
                )
            time.sleep(_CHECK_EVERY)

    def _workers_now(self) -> Collection[str]:
        try:
            found: Collection[str] = self._client.nthreads()
        except Exception as error:  # however a cluster says that nobody is there
            raise self._unanswered(error) from error
        return found

    def _start_on(self, worker: str) -> HostReference:
        """Start the host on that worker, and wait for it. Raises `ActorDied` when the worker is gone."""
        deadline = time.monotonic() + self._timeout
        with self._client.as_current():
            future = self._submit(worker)
            while True:
                try:
                    return HostReference(worker, future, future.result(timeout=_CHECK_EVERY))
                except TimeoutError as error:
                    if worker not in self._workers_now() or time.monotonic() > deadline:
                        raise self._gone(worker, "it was gone before") from error
                except ModuleNotFoundError as error:
                    raise StoreError(
                        f"the worker {worker} cannot hold actors: {error}. Install calamity-lab there, in "
                        "the same version as here"
                    ) from error
                except Exception as error:
                    raise self._gone(worker, str(error)) from error

    def _submit(self, worker: str) -> Any:
        try:
            return self._client.submit(
                self._held[0],
                *self._held[1],
                actor=True,
                key=f"calamity-lab-{uuid4().hex}",
                workers=[worker],
                allow_other_workers=False,
            )
        except Exception as error:
            raise self._unanswered(error) from error

    def _unanswered(self, error: Exception) -> StoreUnavailable:
        return StoreUnavailable(
            f"the scheduler of {self._client!r} does not answer ({type(error).__name__}: {error}). Check "
            "that it runs and that the client is open. Then start new actors, and build the stack again "
            "from its event store"
        )

    def _gone(self, worker: str, why: str) -> ActorDied:
        self._workers.clear()
        return ActorDied(f"the worker {worker} could not start an actor: {why}")


def _client(cluster: Any, timeout: float) -> tuple[Any, bool]:
    """A client of the cluster, and whether we opened it and must close it."""
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("actors on a cluster", "distributed", "cluster") from error
    if isinstance(cluster, Client):
        if cluster.asynchronous:
            raise InvalidValue("ClusterActors needs a synchronous client: Client(address), not asynchronous")
        return cluster, False
    connect: Any = Client
    try:
        return connect(cluster, set_as_default=False, timeout=timeout), True
    except (OSError, TimeoutError) as error:
        raise StoreUnavailable(
            f"no scheduler answers at {cluster}: {error}. Start one, as in: dask scheduler, and give the "
            "address that it prints"
        ) from error


def with_local_error(method: str, given: tuple[Any, ...], answer: Any) -> Any:
    """The answer; an error of the model in it is raised again here, and replaced by that.

    Errors do not travel: the details of a rejection may be of any type, and a cause has a traceback. But the
    model is pure, so it raises the same error here, when it is asked with the same state.
    """
    if getattr(answer, "error", None) is None:
        return answer
    if isinstance(answer, Decided):
        identity, command, context, *_ = given
        return _if_same(answer, _decide_here(identity, command, context, answer))
    if isinstance(answer, ReactResult):
        identity, recorded, _ = given
        return _if_same(answer, _react_here(identity, recorded, answer))
    return answer


def _decide_here(identity: Identity, command: Any, context: Context | None, answer: Decided) -> Any:
    held = AggregatesInActor()
    if answer.state is not None:
        held.put(identity, answer.state, answer.version)
    return held.decide(identity, command, context, 0, NO_NEW_EVENTS)


def _react_here(identity: Identity, recorded: RecordedEvent, answer: ReactResult) -> Any:
    held = InstancesInActor()
    before = recorded.position - 1
    if answer.before is not None:
        held.put(identity, answer.before, before)
    return held.react(identity, recorded, before if answer.before is not None else 0)


def _if_same(answer: Any, again: Any) -> Any:
    alike = isinstance(again.error, ModelError) == isinstance(answer.error, ModelError)
    if again.error is not None and alike:
        return again
    callback = getattr(answer.error, "callback", "execute")
    problem = (
        f"answered differently on a worker than here ({answer.error}). Run the same code on all machines, "
        "and let the model depend on nothing but its arguments"
    )
    return answer._replace(error=ModelError(callback, problem))


class ClusterStackActor(BaseStackActor):
    """A stack in an actor on a worker of a cluster. Commands are carried out one after another.

    ``make`` is a function in a module that the worker can import. It makes the stack, on an event store that
    the worker can reach::

        def new_stack() -> Stack:
            return Stack(event_store=SQLEventStore(URL, bank), process_manager_types=[bank.Transfer])

        with ClusterActors(address) as actors, ClusterStackActor(new_stack, actors) as actor:
            actor.dispatch(DepositFunds("alice", 100))

    Every new actor first reads what the event store has, and carries out the outstanding commands.
    """

    def __init__(self, make: Callable[[], Stack], actors: ClusterActors) -> None:
        a_function("ClusterStackActor(make)", make, "new_stack, which returns a Stack")
        an_instance("ClusterStackActor(actors)", actors, ClusterActors, "ClusterActors(cluster)")
        super().__init__(actors)
        self._cluster = actors
        self._make = make

    def stack(self, aggregate_types: Iterable[type] = ()) -> Stack:
        """A stack here, built from the event store: aggregates of these types, and all process managers."""
        return rebuild(self._make(), aggregate_types)

    def close(self) -> None:
        """Stop the actor."""
        with self._lock:
            if self._reference is not None:
                self._cluster.stop(self._reference)
                self._reference = None

    def __repr__(self) -> str:
        return f"ClusterStackActor({self._make.__qualname__} on {self._cluster!r})"

    def _start(self) -> Any:
        return self._cluster.start(f"stack of {self._make.__qualname__}", self._make)

    def _submission(self) -> Submission:
        return Submission(uuid4().hex)
