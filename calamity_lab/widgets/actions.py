"""What a person does at a widget, as a call of the stepper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from calamity_lab.errors import InvalidFields, InvalidValue, repr_of
from calamity_lab.kernel import ask
from calamity_lab.kernel.arguments import are_equal
from calamity_lab.kernel.identity import stored_name
from calamity_lab.kernel.run import due_from_now
from calamity_lab.text import plain_sentence, plural
from calamity_lab.trace.replay import Edits, submitted_numbers, submitted_on
from calamity_lab.trace.selection import NOTHING, Selection, pending_of
from calamity_lab.trace.stepper import DEFAULT_LIMIT, Journey, Stepper
from calamity_lab.trace.stops import Breakpoint, Condition, EndsCascade, Times, ends_command, target_of
from calamity_lab.trace.trace import Trace
from calamity_lab.trace.watches import FieldOf, Watch
from calamity_lab.views.agenda import fault_of
from calamity_lab.views.branches import answer_of
from calamity_lab.views.chart import Mark, change_of
from calamity_lab.views.controls import Tone
from calamity_lab.views.details import Answer
from calamity_lab.views.exploring import arguments, offered
from calamity_lab.views.form import Editing, written
from calamity_lab.views.parsing import parse
from calamity_lab.views.process_graph import not_sent, waiting
from calamity_lab.views.selected import selected
from calamity_lab.views.why import answer, asked_about, why, why_not_answer
from calamity_lab.widgets.contents import Contents
from calamity_lab.widgets.options import optional, read_options, switch, taken, text, whole

MOST = 10
"""At most this many moves are put into one answer."""

ENOUGH = 0.1
"""After this many seconds no other move begins, so that Pause acts at once."""

PART = 0.25
"""A move that takes longer than so many seconds is made in parts, each when the front end asks for it."""

SLICE = 0.15
"""Exploring goes on for so many seconds at a time, and then lets cells and other requests go first."""

_FORWARD: Mapping[str, Callable[[], Condition]] = {
    "step_over": lambda: ends_command,
    "step_out": EndsCascade,
    "resume": lambda: Times(DEFAULT_LIMIT),
}
_MOVES: Mapping[str, Callable[[Stepper], object]] = {
    "step_in": Stepper.step_in,
    "step_back": Stepper.step_back,
    "step_back_over": Stepper.step_back_over,
    "reverse": Stepper.reverse,
    "restart": Stepper.restart,
    "end": lambda stepper: stepper.goto(stepper.trace.last),
    "abandon": Stepper.abandon,
}
_PACES: Mapping[str, Callable[[Stepper], object]] = {
    "step_in": Stepper.step_in,
    "step_over": Stepper.step_over,
}
"""The moves that Play can make."""


def perform(contents: Contents, message: Mapping[str, Any]) -> None:
    """Do what a message from the front end asks for; raises what the stepper raises."""
    verb = message.get("verb")
    if verb == "set_options":
        return _options(contents, message)
    if verb == "select":
        return select(contents, message)
    if str(verb) in _EXPLORES:  # neither what the foot says nor a move that is under way ends
        return _EXPLORES[str(verb)](contents, message)
    contents.hush()
    if verb == "go_on":
        return _go_on(contents)
    if str(verb) in _STOPS:  # a move that is under way goes on
        return _STOPS[str(verb)](contents, message)
    contents.journey = None
    move, act = _MOVES.get(str(verb)), _ACTS.get(str(verb))
    if str(verb) in _FORWARD:
        _set_out(contents, str(verb))
    elif move is not None:
        move(contents.lab.stepper)
    elif act is not None:
        act(contents, message)
    else:
        known = ", ".join([*_FORWARD, *_MOVES, *_ACTS, *_STOPS, *_EXPLORES, "go_on", "set_options", "select"])
        raise InvalidValue(f"There is no verb {verb!r} for a widget. Verbs: {known}")
    return None


def _options(contents: Contents, message: Mapping[str, Any]) -> None:
    given = {name: value for name, value in message.items() if name not in {"verb", "view", "seq"}}
    contents.set_options(message.get("view", ""), read_options(message.get("view"), given))
    if message.get("view") == "search":
        contents.say_matches()


def _set_out(contents: Contents, verb: str) -> None:
    stepper = contents.lab.stepper
    if verb == "resume" and stepper.at_end:
        return
    contents.journey = Journey(verb, stepper, _FORWARD[verb]())
    _go_on(contents)


def _go_on(contents: Contents) -> None:
    """Make another part of the move that is under way, and say how far it is."""
    if not contents.under_way or contents.journey is None:
        return
    journey = contents.journey
    journey.go_on(PART)
    if journey.is_open:
        contents.say(_progress(journey, len(contents.lab.stepper.moment.agenda)), "plain")


def _progress(journey: Journey, pending: int) -> str:
    done = plural(journey.commands, "command") if journey.commands else plural(journey.steps, "step")
    left = f", {pending:,} pending" if journey.verb == "resume" else ""
    return f"{journey.verb.replace('_', ' ').capitalize()}: {done} so far{left}"


def _pause(contents: Contents, _message: Mapping[str, Any]) -> None:
    """Nothing goes on any more; say where the run stands."""
    sentence, tone = contents.fact
    contents.say(f"Paused. {sentence}", tone)


def _ready(_contents: Contents, _message: Mapping[str, Any]) -> None:
    """Nothing is done: the answer is what the front end does not have yet."""


def _goto(contents: Contents, message: Mapping[str, Any]) -> None:
    moment = taken(message, "moment", whole)
    if contents.lab.stepper.is_fixed:
        _stay(contents)
    else:
        contents.lab.stepper.goto(moment)


def _stay(contents: Contents) -> None:
    """Say what is selected in a view that is fixed at its moment, and that it stays."""
    stepper = contents.lab.stepper
    title = selected(stepper.trace, stepper.selection).title
    picked = f"{title} is selected. " if title else ""
    contents.say(f"{picked}This view stays at step {stepper.cursor:,}. To move, use the lab", "plain")


def _goto_note(contents: Contents, message: Mapping[str, Any]) -> None:
    stepper, number = contents.lab.stepper, taken(message, "number", whole)
    if not 0 <= number < len(stepper.notes):
        raise InvalidValue(f"There is no note {number}; notes: {len(stepper.notes)}")
    stepper.goto_note(stepper.notes[number])


def _choose(contents: Contents, message: Mapping[str, Any]) -> None:
    contents.lab.stepper.choose(_which(message))
    contents.say(f"{_first_command(contents)} goes next", "plain")


def _drop(contents: Contents, message: Mapping[str, Any]) -> None:
    contents.lab.stepper.drop(_which(message))
    contents.say("The command was taken off the agenda", "plain")


def _inject(contents: Contents, message: Mapping[str, Any]) -> None:
    """Arm the fault that a person chose, and say what it waits for."""
    stepper = contents.lab.stepper
    stepper.inject(fault_of(stepper.trace, stepper.cursor, message))
    fault = stepper.moment.run.faults[-1].fault
    contents.say(f"{type(fault).__name__} waits for {fault.waits_for}", "plain")


def _take_back(contents: Contents, message: Mapping[str, Any]) -> None:
    contents.lab.stepper.take_back(str(message.get("fault_id")))
    contents.say("The fault was taken back", "plain")


def _play(contents: Contents, message: Mapping[str, Any]) -> None:
    play(contents.lab.stepper, by=message.get("by"), times=message.get("times"))


def _rename(contents: Contents, message: Mapping[str, Any]) -> None:
    old, new = str(message.get("branch")), str(message.get("name"))
    contents.lab.stepper.rename(old, new)
    contents.say(f"{old!r} is now called {new.strip()!r}", "plain")


def _remove(contents: Contents, message: Mapping[str, Any]) -> None:
    name = str(message.get("branch"))
    contents.lab.stepper.remove(name)
    contents.say(f"The branch {name!r} was removed", "plain")


def _why(contents: Contents, message: Mapping[str, Any]) -> None:
    """Say why what is selected is as it is; ``stream_id`` and ``field`` select a value first."""
    lab, field = contents.lab, message.get("field")
    if message.get("stream_id") is not None:
        lab.stepper.select(selection_from(lab.stepper.trace, message))
    trace, cursor = lab.stepper.trace, lab.stepper.cursor
    asked = asked_about(trace, cursor, lab.stepper.selection)
    found, stream_id = (
        answer(trace, why(trace, cursor, asked, field, contents.types)),
        lab.stepper.selection.stream_id,
    )
    if field is None and stream_id is not None:
        waits = waiting(trace, cursor, lab.model, stream_id)
        found = replace(found, sentence=f"{waits}. {found.sentence}" if waits else found.sentence)
    contents.answer_with(found)


def _why_not(contents: Contents, message: Mapping[str, Any]) -> None:
    """Say why a command was not sent; ``type`` selects its type first."""
    lab, of_type = contents.lab, taken(message, "type", optional(text))
    command = lab.model.command(taken(message, "name", text))
    if of_type is not None:
        lab.stepper.select(Selection(type=of_type))
    trace, cursor = lab.stepper.trace, lab.stepper.cursor
    contents.answer_with(why_not_answer(trace, not_sent(trace, cursor, lab.model, command)))


def _note(contents: Contents, message: Mapping[str, Any]) -> None:
    """Keep a text with the moment that is shown, and with what is selected."""
    stepper = contents.lab.stepper
    stepper.note(taken(message, "text", text))
    contents.say(f"The note is kept with step {stepper.cursor:,}", "plain")


def _wait(contents: Contents, message: Mapping[str, Any]) -> None:
    """Let time pass: to the next deadline, to the one that ``which`` names, for ``seconds``, or to a time.

    The time is ``to``. With ``through``, time passes until no deadline is left.
    """
    stepper, to = contents.lab.stepper, taken(message, "to", optional(text))
    which, seconds = taken(message, "which", optional(text)), taken(message, "seconds", optional(whole))
    if message.get("through") is True:
        stepper.resume(wait=True)
    elif which is not None:
        stack = stepper.moment.stack
        stepper.wait(due_from_now(stack, stack.deadlines.find(which)))
    elif to is not None:
        stepper.wait(_time(to))
    else:
        stepper.wait(None if seconds is None else timedelta(seconds=seconds))


def _time(written: str) -> datetime:
    """The time that a person wrote, in UTC unless it says otherwise."""
    try:
        time = datetime.fromisoformat(written.strip())
    except ValueError as error:
        raise InvalidValue(
            f"{written!r} is not a time. Write a date and a time, as in 2026-03-01 09:00; it is in UTC"
        ) from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _copy(contents: Contents, message: Mapping[str, Any]) -> None:
    """Show the moment of what is selected as code, to be copied."""
    lab, moment = contents.lab, taken(message, "moment", whole)
    if message["verb"] == "copy_test":
        sentence = "Copy it into a file of tests: pytest runs it"
        contents.answer_with(Answer("As a test", sentence, text=str(lab.to_test(moment))))
    else:
        sentence = "Copy it into a notebook: it makes the same lab and goes to this moment"
        contents.answer_with(Answer("As a cell", sentence, text=str(lab.to_code(moment))))


def _show_in_log(contents: Contents, message: Mapping[str, Any]) -> None:
    """Show the rows of the log that name a type, in the place of the details."""
    asked = read_options("log", {"only": message.get("only"), "query": message.get("query"), "first": None})
    contents.set_options("log", asked)
    contents.set_options("tabs", {"shown": "log"})
    contents.set_options("details", {"shown": False})


def _switch(contents: Contents, message: Mapping[str, Any]) -> None:
    contents.lab.stepper.switch(str(message.get("branch")))


def _send(contents: Contents, message: Mapping[str, Any]) -> None:
    """Put a command on the agenda, or say what is wrong with its fields."""
    try:
        command = _typed(contents, message)
    except InvalidFields as error:
        contents.form = replace(contents.form, errors=dict(error.errors))
        # Each field says what is wrong with it; one sentence for all would be as long as the form.
        return contents.say(_not_sent(error) if len(error.errors) > 1 else str(error), "error")
    editing = contents.form.editing
    if editing is None:
        contents.lab.send(command)
        contents.say(f"{stored_name(type(command))} is on the agenda", "plain")
    else:
        ask.target(command)  # raises for a command that goes nowhere
        number, _ = _submitted(contents, editing.command_id)
        change = Edits(edit={number: command}) if editing.is_change else Edits(insert={number: (command,)})
        _replay(contents, change, editing.command_id)
    contents.form = replace(contents.form, errors={}, sent=contents.form.sent + 1, editing=None)
    return None


def _typed(contents: Contents, message: Mapping[str, Any]) -> Any:
    """The command that a message has in the fields of its form; raises `InvalidFields`."""
    model, fields = contents.lab.model, message.get("fields")
    cls = model.command(str(message.get("command")))
    return parse(cls, fields if isinstance(fields, Mapping) else {}, classes=model)


def _leave_out(contents: Contents, message: Mapping[str, Any]) -> None:
    number, _ = _submitted(contents, message.get("which"))
    _replay(contents, Edits(without=frozenset({number})))


def _move(contents: Contents, message: Mapping[str, Any]) -> None:
    number, _ = _submitted(contents, message.get("which"))
    _replay(contents, Edits(move={number: number + taken(message, "by", whole)}), message["which"])


def _open_form(contents: Contents, message: Mapping[str, Any]) -> None:
    """Open the form for another command in the place of a submitted one, or before it."""
    command_id, is_change = str(message.get("which")), message.get("verb") == "change"
    _, command = _submitted(contents, command_id)
    model, name, before = contents.lab.model, stored_name(type(command)), contents.form.editing
    names = {cls.__name__: cls for cls in model}
    editing = Editing(
        is_change,
        command_id,
        f"{'Change' if is_change else 'Insert before'} {name}",
        name if is_change else "",
        written(command, names) if is_change else {},
        1 if before is None else before.turn + 1,
    )
    contents.form = replace(contents.form, errors={}, editing=editing)
    contents.say(f"{editing.title}: fill in the form, then press Replay", "plain")


def _close_form(contents: Contents, _message: Mapping[str, Any]) -> None:
    contents.form = replace(contents.form, errors={}, editing=None)


def _submitted(contents: Contents, command_id: Any) -> tuple[int, Any]:
    """The number of a submitted command of the branch, and the command."""
    trace = contents.lab.stepper.trace
    number = submitted_numbers(trace).get(command_id) if isinstance(command_id, str) else None
    if number is None:
        raise InvalidValue(
            f"There is no such submitted command on the branch {trace.branch.name!r}. Select one, or go to "
            "the branch on which it was submitted"
        )
    return number, submitted_on(trace.branch)[number].command


def _replay(contents: Contents, edits: Edits, command_id: str | None = None) -> None:
    """Decide everything again with the edits, say what came of it, and select that command there."""
    stepper = contents.lab.stepper
    replayed = stepper.replay(edits)
    stepper.select(_command_on(stepper.trace, command_id))
    contents.answer_with(answer_of(replayed))
    if replayed.error is None:
        contents.say(replayed.sentence, "plain")
    else:
        contents.say(f"{replayed.sentence}. The replay stopped: {replayed.error}", "error")


def _not_sent(error: InvalidFields) -> str:
    return (
        f"{error.command} was not sent: {len(error.errors)} of its fields are not valid. Each field says why"
    )


def _command_on(trace: Trace, command_id: str | None) -> Selection:
    """The selection of a submitted command at the end of a branch; of nothing where it is not there."""
    pending = Selection(moment=trace.last, command=command_id)
    if pending_of(trace, pending) is not None:
        return pending
    found = None if command_id is None else trace.index.cascades.get(command_id)
    decision = None if found is None else trace[trace.command_end(found[0])].decision
    return NOTHING if decision is None else Selection(moment=decision.index)


def _first_command(contents: Contents) -> str:
    return next(contents.lab.stepper.moment.agenda.entries()).command_type


def _which(message: Mapping[str, Any]) -> int | str:
    """The pending command that a message names: by its id, or by its index."""
    which = message.get("which")
    return which if isinstance(which, str) else taken(message, "index", whole)


def _open_found(contents: Contents, message: Mapping[str, Any]) -> None:
    """Go to the moment where a check breaks, or where an instance waits for ever, on a branch of its own."""
    found = _found(contents, message)
    found.open_in(contents.lab)
    if message.get("kind") == "stuck":
        contents.say(plain_sentence(f"Nothing can happen here: {found.who_waits}"), "plain")
    else:
        contents.say(plain_sentence(f"Here it breaks: {found.invariant}"), "rejected")


def _copy_violation(contents: Contents, message: Mapping[str, Any]) -> None:
    sentence = "Copy it into a file of tests. Where it says what the last command leads to now, correct it"
    contents.answer_with(Answer("As a test", sentence, text=str(_found(contents, message).to_test())))


def _found(contents: Contents, message: Mapping[str, Any]) -> Any:
    """The violation of the check that a message names, or the stuck state with its number."""
    found, name = contents.lab.exploration, taken(message, "name", text)
    is_stuck, known = message.get("kind") == "stuck", dict[str, Any]()
    if found is not None and not found.is_open:
        stuck = {str(number): each for number, each in enumerate(found.stuck)}
        known = stuck if is_stuck else {each.invariant: each for each in found.violations}
    if name not in known:
        what = "No stuck state has the number" if is_stuck else "Nothing that was found is called"
        raise InvalidValue(f"{what} {name!r}. Explore again")
    return known[name]


_ACTS: Mapping[str, Callable[[Contents, Mapping[str, Any]], None]] = {
    "ready": _ready,
    "goto": _goto,
    "goto_note": _goto_note,
    "choose": _choose,
    "drop": _drop,
    "why": _why,
    "wait": _wait,
    "why_not": _why_not,
    "note": _note,
    "show_in_log": _show_in_log,
    "copy_test": _copy,
    "copy_cell": _copy,
    "switch": _switch,
    "rename": _rename,
    "remove": _remove,
    "play": _play,
    "pause": _pause,
    "inject": _inject,
    "take_back": _take_back,
    "send": _send,
    "leave_out": _leave_out,
    "move": _move,
    "change": _open_form,
    "insert": _open_form,
    "close_form": _close_form,
    "open_found": _open_found,
    "copy_violation": _copy_violation,
}


def _break_on(contents: Contents, message: Mapping[str, Any]) -> None:
    """Set a breakpoint on a class, a stream, or a field."""
    stepper = contents.lab.stepper
    kind, name = taken(message, "kind", text), taken(message, "name", text)
    what = (name, taken(message, "field", text)) if kind == "field" else name or kind
    point = stepper.stops.add(*target_of(what, stepper.trace))
    contents.say(f"B{str(point)[1:]} is set", "plain")


def _watch_field(contents: Contents, message: Mapping[str, Any]) -> None:
    """Watch a field of a stream, under its own name."""
    stops = contents.lab.stepper.stops
    stream_id, path = taken(message, "name", text), taken(message, "field", text)
    watch = stops.watch("watch", f"{stream_id}.{path}", FieldOf(stream_id, path, stops.read), must_hold=False)
    contents.say(f"{watch.name} is watched", "plain")


def _switch_stop(contents: Contents, message: Mapping[str, Any]) -> None:
    on = taken(message, "on", switch)
    _stop(contents, message).is_on = on


def _remove_stop(contents: Contents, message: Mapping[str, Any]) -> None:
    stop = _stop(contents, message)
    stop.remove()
    name = f"{stop.kind} {stop.name!r}" if isinstance(stop, Watch) else str(stop)
    contents.say(f"The {name} was removed", "plain")


def _stop(contents: Contents, message: Mapping[str, Any]) -> Breakpoint | Watch:
    """The breakpoint or the watch that a message names by its key."""
    stops, key = contents.lab.stepper.stops, taken(message, "key", text)
    known: dict[str, Breakpoint | Watch] = {each.key: each for each in stops.breakpoints}
    known |= {f"watch {name}": each for name, each in stops.watches.items()}
    if key not in known:
        raise InvalidValue(f"there is no {key!r} any more")
    return known[key]


_STOPS: Mapping[str, Callable[[Contents, Mapping[str, Any]], None]] = {
    "break_on": _break_on,
    "watch_field": _watch_field,
    "switch_stop": _switch_stop,
    "remove_stop": _remove_stop,
}
"""What is done with breakpoints and watches."""


def _explore(contents: Contents, message: Mapping[str, Any]) -> None:
    """Begin to explore from the moment of the cursor; the front end asks for the parts."""
    lab = contents.lab
    given = arguments(lab.stepper.trace, lab.stepper.stops.watches, contents.chosen)
    lab.explore(at_once=False, **given)
    contents.say(f"Exploring from step {lab.stepper.cursor:,}", "plain")
    _explore_on(contents, message)


def _explore_on(contents: Contents, _message: Mapping[str, Any]) -> None:
    """Look at further states, for a part of a second."""
    found = contents.lab.exploration
    if found is not None and found.is_open and not found.go_on(SLICE):
        _say_verdict(contents)


def _explore_further(contents: Contents, message: Mapping[str, Any]) -> None:
    """Raise the limit by as much as a person chose, and go on."""
    found, more = contents.lab.exploration, contents.chosen.limit
    if found is not None:
        found.set_limit(more if contents.chosen.strategy == "random" else found.states + more)
        _explore_on(contents, message)


def _explore_stop(contents: Contents, _message: Mapping[str, Any]) -> None:
    """End it, and keep what was found."""
    found = contents.lab.exploration
    if found is not None and found.is_open:
        found.stop()
        _say_verdict(contents)


def _say_verdict(contents: Contents) -> None:
    view = contents.explored
    if view is not None:
        tones: Mapping[str, Tone] = {"holds": "good", "broken": "rejected"}
        contents.say(f"Explored: {view.verdict}; {view.reason}", tones.get(view.verdict, "plain"))


def _offer(contents: Contents, message: Mapping[str, Any]) -> None:
    """Offer the command in the form to the exploring, or say what is wrong with its fields."""
    command = _typed(contents, message)
    ask.target(command)  # raises for a command that goes nowhere
    if not any(are_equal(command, each) for each in contents.typed):
        contents.typed = (*contents.typed, command)
    key = next(iter(offered(contents.lab.stepper.trace, contents.typed[-1:])))
    chosen = contents.chosen.commands
    contents.set_options("exploring", {"commands": tuple(dict.fromkeys((*chosen, key)))})
    contents.say(f"{stored_name(type(command))} may be sent in each state", "plain")


_EXPLORES: Mapping[str, Callable[[Contents, Mapping[str, Any]], None]] = {
    "explore": _explore,
    "explore_on": _explore_on,
    "explore_further": _explore_further,
    "explore_stop": _explore_stop,
    "offer": _offer,
}
"""What is done with an exploration: nothing moves."""


def play(stepper: Stepper, *, by: Any, times: Any) -> None:
    """Move on ``times`` times, by moments or by commands; fewer at the end, or where that takes long."""
    if by not in tuple(_PACES):
        raise InvalidValue(f"play goes by one of {', '.join(_PACES)}; found {repr_of(by)}")
    if isinstance(times, bool) or not isinstance(times, int) or not 1 <= times <= MOST:
        raise InvalidValue(f"play goes on 1 to {MOST} times before it answers; found {repr_of(times)}")
    end = monotonic() + ENOUGH
    for _ in range(times):
        if stepper.at_end:
            return
        _PACES[by](stepper)
        if stepper.stopped or monotonic() > end:
            return


def select(contents: Contents, message: Mapping[str, Any]) -> None:
    """Select what a message names, and go there if it says ``go``; without a name, nothing is selected.

    ``mark`` is a mark in the lanes; with ``until`` the events from the one marked to the one of that number.
    ``position`` is an event's own, ``stream_id`` a stream's, ``command_id`` that of a pending command,
    ``type`` the key of a type of the model. With ``details`` it is shown whole, too.
    """
    stepper = contents.lab.stepper
    if message.get("details") is True:
        contents.set_options("details", {"shown": True})
    selection = selection_from(stepper.trace, message)
    if selection.command is not None:
        selection = selection._replace(moment=stepper.cursor)
    stepper.select(selection)
    moment = selected(stepper.trace, selection).moment or 0 if message.get("mark") is not None else 0
    # What was recorded before the trace began is true at every moment.
    if message.get("go") is True and 0 < moment <= stepper.trace.last:
        contents.hush()
        if stepper.is_fixed:
            _stay(contents)
        else:
            stepper.goto(moment)


def selection_from(trace: Trace, message: Mapping[str, Any]) -> Selection:
    """What a message selects."""
    mark, until = taken(message, "mark", optional(Mark.read)), taken(message, "until", optional(whole))
    events = trace.index.events
    if mark is not None and mark.kind == "step":
        return Selection(moment=mark.number)
    if mark is not None and mark.kind == "event" and 0 < mark.number <= len(events):
        last = None if until is None else events[min(max(until, mark.number), len(events)) - 1].position
        return Selection(position=events[mark.number - 1].position, until=last)
    change = None if mark is None else change_of(trace, mark)
    if change is not None:
        return Selection(change.identity.stream_id, events[change.event - 1].position)
    if mark is not None and mark.kind == "deadline":
        return Selection(deadline=mark.number)
    return Selection(
        stream_id=taken(message, "stream_id", optional(text)),
        position=taken(message, "position", optional(whole)),
        command=taken(message, "command_id", optional(text)),
        type=taken(message, "type", optional(text)),
    )
