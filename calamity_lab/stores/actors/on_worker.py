"""What a worker of a cluster runs: the place where all its actors live."""

from __future__ import annotations

from typing import Any

from calamity_lab.kernel.stack import Stack
from calamity_lab.stores.actors.held_stack import HeldStack
from calamity_lab.stores.actors.import_paths import class_at
from calamity_lab.stores.actors.texts import Texts


class Host:
    """The actors of one worker, by name. It takes calls and gives answers as JSON.

    To Dask it is one actor: those of a worker share a thread and die together in any case, and each of its
    own costs a start by the scheduler.
    """

    def __init__(self, vocabulary: tuple[str, ...]) -> None:
        self._texts = Texts(vocabulary)
        self._actors: dict[str, Any] = {}

    async def call(self, text: bytes) -> bytes:
        """The answer of an actor to a method and what it is given; one that is not there begins.

        A call is a matter of microseconds, so it is answered where it arrives.
        """
        return self._answer(text)

    def carry_out(self, text: bytes) -> bytes:
        """The same for what takes its time: the worker can do other things meanwhile."""
        return self._answer(text)

    def _answer(self, text: bytes) -> bytes:
        try:
            name, held, method, given, ended = self._texts.read(text)
            for gone in ended:
                self.drop(gone)
            actor = self._actors.get(name)
            if actor is None:
                actor = self._actors[name] = _made(class_at(held)())
            return self._texts.write(getattr(actor, method)(*given))
        except Exception as error:  # noqa: BLE001 - whatever went wrong here, the caller must hear of it
            return self._texts.failure(error)

    def names(self) -> list[str]:
        """The actors that are here."""
        return sorted(self._actors)

    def drop(self, name: str) -> None:
        """Let an actor go. What a stack's own function opened is closed with it."""
        actor = self._actors.pop(name, None)
        if isinstance(actor, HeldStack):
            actor.close()


def _made(held: Any) -> Any:
    """What an actor holds; a stack is held by what carries out its commands."""
    return HeldStack.after_others(held, lambda stack: None) if isinstance(held, Stack) else held
