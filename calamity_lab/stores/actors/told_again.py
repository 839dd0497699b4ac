"""Errors of the model that were raised on another machine, as they would have been here.

They do not travel: a refusal's details may be of any type, a cause has a stack of frames. But the model is
pure, so it is asked again here, with the state that it was asked with there.
"""

from __future__ import annotations

from typing import Any

from calamity_lab.errors import ModelError
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.stores.actors.answers import NO_NEWS, Decided, Reacted
from calamity_lab.stores.actors.held_aggregates import HeldAggregates
from calamity_lab.stores.actors.held_instances import HeldInstances


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
