"""The workers of a Dask cluster, each with the host of our actors there."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from threading import Lock
from typing import Any
from uuid import uuid4
from zlib import crc32

from calamity_lab.errors import InvalidValue, MissingExtra, StoreError, StoreUnavailable
from calamity_lab.stores.actors.on_worker import Host
from calamity_lab.stores.actors.references import ActorDied

# How often is looked for what is awaited, and for how long a list of the workers is good, in seconds.
_LOOK = 0.5
_FRESH = 1.0


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
