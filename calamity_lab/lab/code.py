"""A moment as code: as a test in the words of scenarios, and as a cell that makes the same lab."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from calamity_lab.errors import InvalidValue, Rejected
from calamity_lab.kernel import ask
from calamity_lab.kernel.arguments import are_equal
from calamity_lab.kernel.clocks_and_ids import SeededIds, TickingClock, read
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.faults import Fault, Lose, Redeliver
from calamity_lab.kernel.identity import Identity, identify, stored_name
from calamity_lab.kernel.in_memory_stores import InMemoryProcessManagerStore
from calamity_lab.kernel.protocols import ALL
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.run import Run
from calamity_lab.kernel.schema import fields_of
from calamity_lab.kernel.second_arguments import takes_context_or_record, takes_record
from calamity_lab.kernel.stack import Stack
from calamity_lab.kernel.steps import AtProcessManager
from calamity_lab.model import Model
from calamity_lab.testing.scenarios import Scenario, answered, given
from calamity_lab.text import Call, Chain, Source, code_lines
from calamity_lab.trace.inputs import Armed, Chosen, Dropped, Entry, IdsApart, Submitted, TakenBack, Waited
from calamity_lab.trace.trace import Trace

_MOST_EVENTS = 40
"""With more events than that, a test begins with the state that they give."""
_WIDTH = 96


class Code(str):
    """Python code as a text, which a cell shows as code."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        fence = "`" * (3 + max((len(ticks) for ticks in re.findall("`+", self)), default=0))
        return f"{fence}python\n{self}\n{fence}"


# A moment as a test.


class _Found(NamedTuple):
    """A scenario, and the call that says what it leads to."""

    scenario: Scenario
    call: str
    given: tuple[Any, ...]
    named: Mapping[str, Any]
    name: str


def to_test(trace: Trace, moment: int) -> Code:
    """What the command of that moment led to, or what the process manager made of an event, as a test."""
    step = trace[moment].step
    if step is None:
        raise InvalidValue(
            "to_test(): nothing has happened at moment 0. Go to a step of the command that the test is "
            "about, as in lab.goto(-1)"
        )
    if not isinstance(step, AtProcessManager) and (
        isinstance(step.pending.command, Fault) or step.pending.command is None
    ):
        raise InvalidValue(
            f"to_test(): step {moment:,} belongs to no command. Go to a step of the command that the test is "
            "about"
        )
    found = _of_manager(trace, step) if isinstance(step, AtProcessManager) else _of_command(trace, moment)
    source = Source()
    code = found.scenario.code(source)
    then = source.call(f".{found.call}", found.given, found.named)
    body = [f"    {line}" for line in code_lines(Chain((*code.calls, then)), _WIDTH)]
    imports = ["from calamity_lab.testing import given", *_imports(source)]
    return Code("\n".join([*imports, "", "", f"def test_{found.name}() -> None:", *body, ""]))


def _imports(source: Source) -> list[str]:
    here = source.at_home()
    note = [f"# Import {', '.join(here)} from where you keep the classes of the notebook."] if here else []
    return [*source.imports(), *note]


def _of_command(trace: Trace, moment: int) -> _Found:
    """The command of a moment, after the events of its aggregate."""
    start = trace.index.command_start(moment)
    steps = [trace[n].step for n in range(start, trace.command_end(start) + 1)]
    decisions = [step for step in steps if step is not None and step.decides]
    if not decisions:
        raise InvalidValue(
            "to_test(): the command is not decided yet. Finish it, as with lab.step(), or go to another one"
        )
    decision, pending = decisions[-1], decisions[-1].pending
    identity, stack = ask.target(pending.command), trace[decision.index].stack
    before = _before(trace, identity, stack)
    rejected = decision.rejected
    names: dict[str, Any] = {}
    now = None
    if takes_context_or_record(identity.type):
        recorded = [each for step in steps if step is not None for each in step.recorded]
        now = recorded[0].recorded_at if recorded else read(stack.clock)[0]
        names["command_id"] = pending.command_id
    if pending.metadata:
        names["metadata"] = dict(pending.metadata)
    scenario = given(*before, now=now).when(pending.command, **names)
    name = _snake(pending.command_type)
    if rejected is not None:
        details = {key: value for key, value in rejected.details.items() if key.isidentifier()}
        return _Found(scenario, "then_rejected", (str(rejected.reason),), details, f"{name}_is_rejected")
    events = tuple(getattr(decision, "events", ()))
    if not events:
        return _Found(scenario, "then_nothing", (), {}, f"{name}_leads_to_nothing")
    led = "_and_".join(dict.fromkeys(_snake(stored_name(type(event))) for event in events))
    return _Found(scenario, "then", events, {}, f"{name}_leads_to_{led}")


def _before(trace: Trace, identity: Identity, stack: Stack) -> list[Any]:
    """What a test gives: the events of the aggregate, or its state where they do not tell it."""
    stream_id = identity.stream_id
    events = list(stack.event_store.stream(stream_id))
    first = trace[0].stack
    known = len(list(first.event_store.stream(stream_id)))
    is_given = stream_id in first.aggregates and not known
    if is_given or len(events) > _MOST_EVENTS:
        return [stack.aggregates[stream_id]]
    return events if takes_record(identity.type) else [each.event for each in events]


def _of_manager(trace: Trace, step: AtProcessManager) -> _Found:
    """What a process manager made of an event, or of a rejection, after the events of that instance."""
    identity, trigger, pending = step.subject, step.trigger, step.pending
    manager = identity.type
    cause = trigger if isinstance(trigger, RecordedEvent) else pending.cause
    last = 0 if cause is None else cause.position - (cause is trigger)
    moments = trace.index.reactions.get(identity.stream_id, ())
    seen = [trace[n].step.trigger for n in moments if n < step.index]  # type: ignore[union-attr]
    if cause is trigger and trigger in seen:  # it was delivered a second time
        last = max(each.position for each in seen if isinstance(each, RecordedEvent))
    events = [
        each
        for each in trace[step.index].stack.event_store.stream(ALL)
        if each.position <= last and _concerns(manager, each, identity)
    ]
    dressed = takes_record(manager)
    before: list[Any] = list(events) if dressed else [each.event for each in events]
    reached = _folded(manager, events).get(identity.stream_id)
    if len(events) > _MOST_EVENTS or not are_equal(reached, step.before):
        before = [] if step.before is None else [step.before]  # the events do not tell its state
    scenario: Any = given(*before, manager=manager)
    name = _snake(stored_name(manager))
    if isinstance(trigger, Rejected) and step.before is None:
        raise InvalidValue(
            f"to_test(): at step {step.index:,} {identity.stream_id} has ended, so nobody answers the "
            "rejection. Go to a step at which it runs"
        )
    if isinstance(trigger, Rejected):
        details = {key: value for key, value in trigger.details.items() if key.isidentifier()}
        scenario = scenario.when_rejected(trigger.command, str(trigger.reason), **details)
        name = f"{name}_answers_the_rejection_of_{_snake(stored_name(type(trigger.command)))}"
    else:
        scenario = scenario.when(trigger if dressed else trigger.event)
        name = f"{name}_answers_{_snake(trigger.event_type)}"
    sent = tuple(answered([step]))
    if isinstance(trigger, RecordedEvent) and len(ask.interested(manager, trigger.event, trigger)) > 1:
        sent = tuple(scenario.sent)  # what the other instances send, too
    return _Found(scenario, "then_sends" if sent else "then_nothing", sent, {}, name)


def _folded(manager: type, events: Sequence[RecordedEvent]) -> InMemoryProcessManagerStore:
    """The instances of a process manager after these events."""
    store = InMemoryProcessManagerStore()
    for recorded in events:
        _, store = store.handle_event(recorded, (manager,))
    return store


def _concerns(manager: type, recorded: RecordedEvent, identity: Identity) -> bool:
    interests = ask.interested(manager, recorded.event, recorded)
    return any(identify(manager, each.id) == identity for each in interests)


def _snake(name: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"\W", "_", words).lower()


# A moment as a cell.


def to_code(trace: Trace, cursor: int, model: Model) -> Code:
    """A cell that makes the same lab, puts the same inputs in, and goes to the same moment."""
    source = Source()
    lines = _cell(source, trace, cursor, model)
    return Code("\n".join([*_imports(source), "", *lines]))


def to_path_test(
    began: Trace, cursor: int, path: Trace, model: Model, holds: Callable[..., Any], name: str
) -> Code:
    """A test that does all again that led to where an invariant breaks, and fails there.

    ``path`` is a trace that begins where ``began`` stands at the ``cursor``, and ends where it breaks.
    """
    source = Source()
    lines = _cell(source, began, cursor, model)
    lines += _inputs(source, path, path.branch.inputs, len(path) - 1)
    lines.append(f"assert {source.name(holds)}(lab.stack)")
    body = [f"    {line}" for line in lines]
    return Code("\n".join([*_imports(source), "", "", f"def test_{_snake(name)}() -> None:", *body, ""]))


def _cell(source: Source, trace: Trace, cursor: int, model: Model) -> list[str]:
    """The lines that make the lab of a trace, and go to a moment of it."""
    source.name(_LAB)
    entries = [entry for entry in trace.branch.inputs if entry.at <= cursor]
    return [
        *code_lines(_lab(source, trace.branch.start, model), _WIDTH),
        *_inputs(source, trace, entries, cursor),
    ]


def _inputs(source: Source, trace: Trace, entries: Iterable[Entry], cursor: int) -> list[str]:
    """The lines that put inputs in, and go from moment 0 to another one."""
    lines: list[str] = []
    at = 0
    for entry in entries:
        lines += _on(at, entry.at, entry.before)
        at = entry.at
        if isinstance(entry.input, Waited):
            if at == cursor:  # it is before the time passed
                continue
            at += 1  # a wait makes its own step
        if not isinstance(entry.input, IdsApart):  # ids of its own are no matter here
            lines += code_lines(_put(source, entry, trace), _WIDTH)
    return [*lines, *_on(at, cursor, trace[cursor].run)]


class _Public:
    """A name that users import from the package itself."""

    def __init__(self, name: str) -> None:
        self.__qualname__, self.__module__ = name, "calamity_lab"


_LAB, _STACK = _Public("Lab"), _Public("Stack")
_TICKING, _SEEDED = _Public("ticking_clock"), _Public("seeded_ids")


def _lab(source: Source, first: Run, model: Model) -> Call:
    parts: list[Any] = []
    for part in ("aggregates", "process_managers", "commands", "projections"):
        classes = getattr(model, part)
        if classes:
            listed = Call("[", tuple(source.name(cls) for cls in classes), "]")
            parts.append(Call(f"{part}=[", listed.parts, "]"))
    stack = first.stack
    parts += _stack(source, first)
    if type(stack.clock) is TickingClock:
        now, seconds = stack.clock.now.isoformat(), stack.clock.tick.total_seconds()
        call = source.call(source.name(_TICKING), [now], {} if seconds == 1 else {"seconds": seconds})
        parts.append(f"clock={call}")
    if type(stack.ids) is SeededIds and (stack.ids.seed or stack.ids.drawn):
        call = source.call(source.name(_SEEDED), [stack.ids.seed])
        parts.append(f"ids={call}" + (f"._replace(drawn={stack.ids.drawn})" if stack.ids.drawn else ""))
    return Call("lab = Lab(", tuple(parts))


def _stack(source: Source, first: Run) -> list[Any]:
    """What the lab began with, where that is not an empty stack."""
    stack = first.stack
    is_busy = first.agenda or first.progress is not None or stack.deadlines
    if is_busy or type(stack.event_store) is not InMemoryEventStore:
        raise InvalidValue(
            "to_code(): this lab began with a run that has pending commands or deadlines, or over a store "
            "that keeps its events, and no code makes these again. lab.save(path) saves a run"
        )
    held = {
        "aggregates": dict(stack.aggregates),
        "process_managers": dict(stack.process_managers),
        "aggregate_versions": dict(stack.aggregate_versions),
        "process_manager_versions": dict(stack.process_manager_versions),
        "event_store": list(stack.event_store.stream(ALL)),
    }
    given = {name: value for name, value in held.items() if value}
    return [] if not given else [_named("stack", source.call(source.name(_STACK), (), given))]


def _named(name: str, call: Call) -> Call:
    return replace(call, opening=f"{name}={call.opening}")


def _on(at: int, to: int, run: Run) -> list[str]:
    """The move from one moment to a later one; ``run`` is the run there, before the next input."""
    if to == at:
        return []
    return ["lab.resume()"] if run.idle else [f"lab.resume(limit={to - at})"]


def _put(source: Source, entry: Entry, trace: Trace) -> Call | str:
    put: Any = entry.input
    pending = [each.command_id for each in entry.before.agenda.entries()]
    if isinstance(put, Submitted):
        named = {"metadata": dict(put.metadata)} if put.metadata else {}
        return source.call("lab.send", put.commands, named)
    if isinstance(put, Chosen):
        return f"lab.choose({pending.index(put.command_id)})"
    if isinstance(put, Dropped):
        return f"lab.drop({pending.index(put.command_id)})"
    if isinstance(put, TakenBack):
        armed = [each.fault_id for each in entry.before.faults]
        return f"lab.take_back({armed.index(put.fault_id)})"
    if isinstance(put, Waited):
        return source.call("lab.wait", [] if put.to is None else [put.to], {})
    if isinstance(put, Armed):
        return Call("lab.inject(", (_fault(source, put.fault, pending, entry.before),))
    raise InvalidValue(
        f"to_code(): the code of {type(put).__name__} is not known. lab.save(path) saves a run"
    )


def _fault(source: Source, fault: Fault, pending: list[str], before: Run) -> Call | str:
    name = source.name(type(fault))
    if isinstance(fault, Redeliver) and isinstance(fault.event, RecordedEvent):
        events = [each.event_id for each in before.stack.event_store.stream(ALL)]
        return f"{name}(lab.events[{events.index(fault.event.event_id)}])"
    if isinstance(fault, Lose) and fault.command_id in pending:
        return f"{name}(lab.agenda.pending[{pending.index(fault.command_id)}])"
    held = fields_of(fault)
    given: list[Any] = [held.pop(key) for key in ("stream_id",) if key in held]
    given += held.pop("events", ())
    held.pop("command_id", None)
    return source.call(name, [*given, *held.values()])
