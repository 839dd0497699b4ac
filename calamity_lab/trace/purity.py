"""Whether a model's callbacks change what they are given, or answer twice differently: it is not believed.

Before the kernel asks a callback, this asks it twice, looks whether anything that it was given has changed,
and puts it back where it has; so a broken model never harms the moments that were recorded.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from calamity_lab.errors import CalamityError, ImpureModel, Rejected
from calamity_lab.kernel import ask
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.messages import Start, Stop
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import Executing, Handling, Run
from calamity_lab.kernel.schema import fields_of, is_record
from calamity_lab.kernel.steps import Appended, Dispatched, Refused
from calamity_lab.text import format_value
from calamity_lab.trace.differences import differences

_ATOMS = frozenset({type(None), bool, int, float, complex, str, bytes})


def check(run: Run) -> None:
    """Raise `ImpureModel` when the callbacks that come next in a run are not pure."""
    try:
        match run.progress:
            case Dispatched(pending=pending, identity=identity):
                if run.stack.aggregates.get(identity.stream_id) is not None:  # else it is caught up first
                    _check_aggregate(run, identity, pending.command)
            case Executing(pending=pending, identity=identity):
                _check_aggregate(run, identity, pending.command)
            case Appended(recorded=recorded):
                _check_managers(run, recorded, 0)
            case Handling(recorded=recorded, event=event, manager=manager):
                _check_managers(run, recorded[event:], manager)
            case Refused(pending=pending, rejected=rejected):
                _check_compensation(run, pending.sender, rejected)
    except ImpureModel as error:
        error.run = run
        raise
    except CalamityError:
        return  # a callback that raises or misanswers is told by the kernel, which asks it next


def _check_aggregate(run: Run, identity: Identity, command: Any) -> None:
    state = run.stack.aggregates.get(identity.stream_id)
    if state is None:
        state = _asked_twice("new", identity.type, ask.new, identity.type, identity.id)
    for event in _asked_twice("execute", type(state), ask.execute, state, command):
        state = _asked_twice("apply", type(state), ask.apply, state, event)


def _check_managers(run: Run, recorded: Sequence[RecordedEvent], first: int) -> None:
    """The callbacks of the next type that is interested; those after it are checked at their own step."""
    for event in [entry.event for entry in recorded]:
        for manager in run.stack.process_manager_types[first:]:
            interest = _asked_twice("interested", manager, ask.interested, manager, event)
            if interest is not None:
                instance = run.stack.process_managers.get(Identity(manager, interest.id).stream_id)
                _check_reaction(manager, instance, interest, event)
                return
        first = 0


def _check_reaction(manager: type, instance: Any, interest: Any, event: Any) -> None:
    if isinstance(interest, Stop) or (instance is None and not isinstance(interest, Start)):
        return
    if instance is None:
        instance = _asked_twice("new", manager, ask.new, manager, interest.id)
    instance = _asked_twice("apply", manager, ask.apply, instance, event)
    _asked_twice("handle", manager, ask.handle, instance, event)


def _check_compensation(run: Run, sender: Identity | None, rejected: Rejected) -> None:
    instance = None if sender is None else run.stack.process_managers.get(sender.stream_id)
    if hasattr(instance, "handle_rejection"):
        _asked_twice("handle_rejection", type(instance), ask.handle_rejection, instance, rejected)


def _asked_twice(method: str, cls: type, ask: Callable[[Any, Any], Any], subject: Any, message: Any) -> Any:
    """The answer to a question, once it is clear that asking changed nothing and gives the same again."""
    name = f"{cls.__name__}.{method}"
    answers = []
    for _ in range(2):
        remembered = [(given, _copied(given)) for given in (subject, message) if not isinstance(given, type)]
        try:
            answers.append(_outcome(ask, subject, message))
        finally:
            for given, before in remembered:
                _check_unchanged(name, given, before, is_subject=given is subject)
    _check_same(name, message, *answers)
    if isinstance(answers[0], Rejected):
        raise answers[0]
    return answers[0]


def _outcome(ask: Callable[[Any, Any], Any], subject: Any, message: Any) -> Any:
    try:
        return ask(subject, message)
    except Rejected as rejected:
        return rejected


def _check_unchanged(name: str, given: Any, before: dict[str, Any], *, is_subject: bool) -> None:
    found = next(differences(before, fields_of(given)), None)
    if found is None:
        return
    for field, value in before.items():
        with suppress(AttributeError, TypeError):  # a field that cannot be set was not changed either
            object.__setattr__(given, field, value)
    whose = "self" if is_subject else type(given).__name__
    method = name.rpartition(".")[2]
    old, new = format_value(found.before, 60), format_value(found.after, 60)
    advice = (
        f"leave the state as it is and return a new one: `return replace(self, {found.field}=...)`"
        if method == "apply"
        else "it only decides; return an event (or a command), and make the change in `apply`, as a new value"
    )
    raise ImpureModel(
        name,
        found.path,
        f"changed {whose}.{found.path} in place ({old} → {new}); {advice}; "
        "a class declared @dataclass(frozen=True), with tuples for lists, cannot be changed by accident",
    )


def _check_same(name: str, message: Any, first: Any, second: Any) -> None:
    found = next(differences(_comparable(first), _comparable(second)), None)
    if found is None:
        return
    where = f" in {found.path}" if found.path else ""
    asked = type(message).__name__ if is_record(message) else repr(message)
    raise ImpureModel(
        name,
        found.path,
        f"gave two answers to {asked}{where}: "
        f"{format_value(found.before, 60)}, then {format_value(found.after, 60)}; a callback must depend on "
        "nothing but what it is given: let times, ids and random numbers come in as fields of the command",
    )


def _comparable(answer: Any) -> Any:
    if isinstance(answer, Rejected):
        return {"rejected": type(answer).__name__, "reason": answer.reason, **answer.details}
    if isinstance(answer, tuple) and len(answer) == 1:
        return answer[0]
    return answer


def _copied(given: Any) -> dict[str, Any]:
    """The fields of a value as they are now, safe from changes in place."""
    return {
        name: value if type(value) in _ATOMS else copy.deepcopy(value)
        for name, value in fields_of(given).items()
    }
