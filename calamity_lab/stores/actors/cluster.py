"""Actors on the workers of a cluster, by dask.distributed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, Self

from calamity_lab.stores.actors.hosts import Hosted, Hosts
from calamity_lab.stores.actors.import_paths import path_of
from calamity_lab.stores.actors.references import ActorDied
from calamity_lab.stores.actors.texts import Texts
from calamity_lab.stores.actors.told_again import told_again

# How often a caller who waits looks whether the actor's worker is still there, in seconds.
_LOOK = 0.5


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
