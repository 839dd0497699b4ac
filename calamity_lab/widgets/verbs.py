"""What a person does at a widget, as a call of the stepper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from calamity_lab.errors import InvalidFields, InvalidValue
from calamity_lab.stepper import Stepper
from calamity_lab.views.parsing import parse
from calamity_lab.widgets.looks import read
from calamity_lab.widgets.play import play
from calamity_lab.widgets.selecting import select
from calamity_lab.widgets.sight import Sight

_MOVES: Mapping[str, Callable[[Stepper], object]] = {
    "step_in": Stepper.step_in,
    "step_over": Stepper.step_over,
    "step_out": Stepper.step_out,
    "resume": Stepper.resume,
    "step_back": Stepper.step_back,
    "step_back_over": Stepper.step_back_over,
    "restart": Stepper.restart,
    "end": lambda stepper: stepper.goto(stepper.trace.last),
    "abandon": Stepper.abandon,
}


def perform(sight: Sight, message: Mapping[str, Any]) -> None:
    """Do what a message from the front end asks for; raises what the stepper raises."""
    verb = message.get("verb")
    if verb == "look":
        return _look(sight, message)
    if verb == "select":
        return select(sight, message)
    sight.hush()
    move, act = _MOVES.get(str(verb)), _ACTS.get(str(verb))
    if move is not None:
        move(sight.desk.stepper)
    elif act is not None:
        act(sight, message)
    else:
        raise InvalidValue(
            f"a widget knows no verb {verb!r}; it knows: {', '.join([*_MOVES, *_ACTS, 'look', 'select'])}"
        )
    return None


def _look(sight: Sight, message: Mapping[str, Any]) -> None:
    given = {name: value for name, value in message.items() if name not in {"verb", "view", "seq"}}
    sight.look(message.get("view", ""), read(message.get("view"), given))
    if message.get("view") == "found":
        sight.tell_found()


def _ready(sight: Sight, _message: Mapping[str, Any]) -> None:
    sight.forget()


def _goto(sight: Sight, message: Mapping[str, Any]) -> None:
    sight.desk.stepper.goto(_number(message, "moment"))


def _choose(sight: Sight, message: Mapping[str, Any]) -> None:
    place = _number(message, "place")
    sight.desk.stepper.choose(place)
    sight.tell(f"{_first_command(sight)} goes next", "plain")


def _drop(sight: Sight, message: Mapping[str, Any]) -> None:
    sight.desk.stepper.drop(_number(message, "place"))
    sight.tell("Taken off the agenda", "plain")


def _play(sight: Sight, message: Mapping[str, Any]) -> None:
    play(sight.desk.stepper, by=message.get("by"), times=message.get("times"))


def _switch(sight: Sight, message: Mapping[str, Any]) -> None:
    sight.desk.stepper.switch(str(message.get("branch")))


def _send(sight: Sight, message: Mapping[str, Any]) -> None:
    """Put a command on the agenda, or tell what is wrong with its fields."""
    cls = sight.desk.model.command(str(message.get("command")))
    fields = message.get("fields")
    try:
        command = parse(cls, fields if isinstance(fields, Mapping) else {}, classes=sight.desk.model)
    except InvalidFields as error:
        sight.form = replace(sight.form, errors=dict(error.errors))
        # Each field tells its own; the sentence would be as long as the form.
        return sight.tell(_not_sent(error) if len(error.errors) > 1 else str(error), "error")
    sight.desk.send(command)
    sight.form = replace(sight.form, errors={}, sent=sight.form.sent + 1)
    return sight.tell(f"{cls.__name__} is on the agenda", "plain")


def _not_sent(error: InvalidFields) -> str:
    return f"{error.command} was not sent: {len(error.errors)} of its fields are not right yet, each says why"


def _first_command(sight: Sight) -> str:
    return next(sight.desk.stepper.moment.agenda.entries()).command_type


def _number(message: Mapping[str, Any], name: str) -> int:
    value = message.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidValue(f"{message.get('verb')} needs a whole number as {name!r}; found {value!r}")
    return value


_ACTS: Mapping[str, Callable[[Sight, Mapping[str, Any]], None]] = {
    "ready": _ready,
    "goto": _goto,
    "choose": _choose,
    "drop": _drop,
    "switch": _switch,
    "play": _play,
    "send": _send,
}
