"""Why a value is what it is, or why a message came to be: a chain of causes, up to what was put in.

A chain follows a value through copies, as far as it can: a field of a state that equals a field of the event,
which equals a field of the command, and so on. That is read from the values alone, no model is asked. See
docs/decisions/0146.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from itertools import takewhile
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from calamity_lab.errors import CalamityError, InvalidValue, Rejected, repr_of
from calamity_lab.kernel.agenda import Pending
from calamity_lab.kernel.arguments import a_text, a_whole_number, are_equal, is_a
from calamity_lab.kernel.faults import Fault
from calamity_lab.kernel.folding import Verb, begun, fold
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.persistent import PersistentVector
from calamity_lab.kernel.recorded import RecordedEvent
from calamity_lab.kernel.schema import field_names
from calamity_lab.kernel.steps import Appended, AtProcessManager, Executed, Injected, Step
from calamity_lab.text import format_value, plain_sentence
from calamity_lab.trace.differences import ABSENT
from calamity_lab.trace.index import BLOCK, Lane, TouchedFields
from calamity_lab.trace.selection import Selection, dispatch_of, pending_of
from calamity_lab.trace.sentences import fact, origin
from calamity_lab.trace.trace import Trace
from calamity_lab.views.agenda import moment_of
from calamity_lab.views.arrows import cause_of_pending
from calamity_lab.views.chart import Mark, event_mark, ordinal, step_mark
from calamity_lab.views.details import MOST_LINKS, Answer, DetailLink, link
from calamity_lab.views.paths import count_in, differ, state_at, state_fields, within
from calamity_lab.views.process_graph import NotSent
from calamity_lab.views.selected import BEFORE, deadline_life, selected
from calamity_lab.views.versions import Present, Versions, lane_named

_VALUE = 60
_LABEL = 80
_MOST_INNER = 400
"""At most this many values inside a message are compared with the one that is followed."""
_DEEPEST = 6
_MOST_NAMED = 3
_COPIED = "copied from "
_ATOMS = (int, str, bool)

_ROOT = re.compile(r"[.\[{]")
"""Where the name of a field ends in a path."""

Kind = Literal["value", "event", "command", "deadline", "reaction", "rejection", "fault"]


@dataclass(frozen=True, slots=True)
class WhyLink:
    """One link of a chain of causes.

    ``moment`` is when it happened; None before the run began, and of a command that is pending. ``field`` is
    the path of the value that is followed, in this state or message ("" where none is), and ``value`` this
    value. ``origin`` says where the value came from: ``copied from`` one or more fields, or ``computed``.
    ``message`` is the state, recorded event, command or rejection itself, ``mark`` its mark in the lanes. A
    deadline happened when it came due; one that is kept, or was taken off, when it was set.
    """

    kind: Kind
    label: str
    sentence: str
    moment: int | None
    field: str = ""
    value: Any = ABSENT
    origin: str = ""
    message: Any = None
    mark: Mark | None = None

    @property
    def followed(self) -> str:
        """The value that is followed, and where it came from; "" where none is followed."""
        if not self.field:
            return ""
        text = f"{self.field} {format_value(self.value, _VALUE)}"
        return plain_sentence(f"{text}, {self.origin}" if self.origin else text)


class Origin(NamedTuple):
    """A message or a state that a value may have been copied from, and the name to call it by."""

    name: str
    holder: Any


class Copied(NamedTuple):
    """Where a value came from, in words, and which field of which source it was copied from, if one was."""

    words: str
    source: int | None = None
    path: str = ""


COMPUTED = Copied("computed")


def copied(value: Any, path: str, sources: Iterable[Origin], *, others: bool = True) -> Copied:
    """The field that a value was copied from: one of the same name, else the only one that is equal.

    ``others``: whether a field of another name counts. Some values, such as 0, are equal by chance too often:
    of these only a field of the same name counts.
    """
    found = [
        (number, source.name, inner)
        for number, source in enumerate(sources)
        for inner in inner_paths(source.holder, value)
    ]
    leaf = _leaf(path)
    same_path = [each for each in found if each[2] == path]
    for alike in (same_path, [each for each in found if _leaf(each[2]) == leaf]):
        nearest = [each for each in alike if each[0] == alike[0][0]]
        if len(nearest) == 1:
            return _one(*nearest[0])
        found = nearest or found
    if not found or ((not others or _is_common(value)) and _leaf(found[0][2]) != leaf):
        return COMPUTED
    if len(found) == 1:
        return _one(*found[0])
    names = [f"{name}.{inner}" for _, name, inner in found]
    more = len(names) - _MOST_NAMED
    named = ", ".join(names[:_MOST_NAMED]) if more > 0 else " or ".join(names)
    return Copied(f"{_COPIED}{named}" + (f" or {more} more" if more > 0 else ""))


def _one(number: int, name: str, inner: str) -> Copied:
    return Copied(f"{_COPIED}{name}.{inner}", number, inner)


def inner_paths(holder: Any, value: Any) -> list[str]:
    """The paths at which a message or a state has a value that equals this one."""
    waiting = [(name, item, 0) for name, item in state_fields(holder).items()]
    paths, read = list[str](), 0
    while waiting and read < _MOST_INNER:
        path, item, depth = waiting.pop(0)
        read += 1
        if item is value or (type(item) is type(value) and are_equal(item, value)):
            paths.append(path)
        elif depth < _DEEPEST and count_in(item):
            waiting += [(each.path, each.value, depth + 1) for each in within(item, path, limit=_MOST_INNER)]
    return paths


def _leaf(path: str) -> str:
    """The last name in a path: ``lines[0].price`` has ``price``, ``lines[0]`` has ``lines``."""
    return path.rpartition(".")[2].partition("[")[0].partition("{")[0]


def _is_common(value: Any) -> bool:
    """Whether a value is too common to tell by it alone where it came from."""
    if value is None or value is ABSENT or is_a(value, bool):
        return True
    if is_a(value, int, float, Decimal):
        return are_equal(value, 0) or are_equal(value, 1)
    return type(value) in (str, list, tuple, dict, set, frozenset) and not value


# What changed a state.


class Transition(NamedTuple):
    """What a state was before and after an event, or after the rejection of a command.

    ``before`` is None where there was no state. ``moment`` is 0 before the trace began. ``trigger`` is None
    where it is not known what changed the state.
    """

    moment: int
    before: Any
    after: Any
    trigger: RecordedEvent | Rejected | None


def transitions(
    trace: Trace, lane: Lane, moment: int, types: Mapping[str, type], path: str = ""
) -> Iterator[Transition]:
    """What changed the state of a lane up to a moment, the latest first.

    With a ``path``, those may be left out that did not touch the value there.
    """
    name = lane.identity.stream_id
    if lane.kind == "projection":
        changes = trace.index.projections.histories.get(name, PersistentVector())
        count = bisect_right(changes, moment, key=lambda each: each.moment)
        for change in (changes[span[0]] for span in spans(trace, name, count, path) if len(span) == 1):
            event = trace.index.events[change.event - 1]
            yield Transition(change.moment, change.before, change.after, event)
    elif lane.kind == "process manager":
        yield from _of_instance(trace, name, moment, path)
    else:
        yield from _of_aggregate(trace, lane, moment, types, path)


def spans(trace: Trace, name: str, count: int, path: str) -> Iterator[range]:
    """The first ``count`` changes of a lane, the latest first. Those that left a path alone come at once."""
    blocks = trace.index.touched.get(name, PersistentVector()) if path else PersistentVector()
    root, is_left = _ROOT.split(path, maxsplit=1)[0], dict[TouchedFields | None, bool]()

    def is_untouched(block: TouchedFields | None) -> bool:
        if block not in is_left:
            is_left[block] = block is not None and _leaves(block, root, path)
        return is_left[block]

    while count:
        first = count
        if first % BLOCK == 0 and first <= len(blocks) * BLOCK:
            while first and is_untouched(blocks[first // BLOCK - 1]):
                first -= BLOCK
        first = count - 1 if first == count else first
        yield range(first, count)
        count = first


def _leaves(block: TouchedFields, root: str, path: str) -> bool:
    """Whether the changes of a block left the value at a path as it was."""
    is_declared = root in (field_names(block.cls) or ())
    # Fields that pydantic lets in besides those of the class may have any name, also one like a path.
    is_sure = path == root or not hasattr(block.cls, "__pydantic_extra__")
    return is_declared and is_sure and root not in block.fields


def _of_instance(trace: Trace, name: str, moment: int, path: str) -> Iterator[Transition]:
    moments: PersistentVector[int] = trace.index.reactions.get(name, PersistentVector())
    later = None
    for span in spans(trace, name, bisect_right(moments, moment), path):
        at = moments[span[-1]]
        step = trace[at].step
        if not isinstance(step, AtProcessManager) or not Verb(step.verb).changes:
            continue
        stops = step.verb == Verb.STOPPED
        if stops and later is not None:
            return  # the instance that had this id before
        if later is not None and later is not step.after:
            yield Transition(at, step.after, later, None)  # it caught up with events in between
        if len(span) > 1:
            later = None  # what it caught up with before these reactions left the path alone as well
            continue
        yield Transition(at, step.before, step.before if stops else step.after, step.trigger)
        later = step.before
        if step.verb == Verb.STARTED:
            return


def _of_aggregate(
    trace: Trace, lane: Lane, moment: int, types: Mapping[str, type], path: str
) -> Iterator[Transition]:
    versions = Versions(trace, lane, types)
    moments: PersistentVector[int] = trace.index.decided.get(versions.stream_id, PersistentVector())
    upto = bisect_right(moments, moment)
    oldest = None if upto else versions.upto(moment) + 1  # the oldest version that was given so far
    recorded, untouched = trace.branch.moments, _Reader(path).untouched
    for span in spans(trace, versions.stream_id, upto, path):
        at = moments[span[-1]]
        executed, appended = (each.step for each in recorded.iterate(at - 1, at + 1))
        assert isinstance(appended, Appended), "the index knows when events were recorded"
        if not isinstance(executed, Executed):  # the trace began in between
            oldest = appended.recorded[-1].stream_version + 1
            break
        if oldest is not None:
            yield from _older(versions, appended.recorded[-1].stream_version + 1, oldest - 1)
        if len(span) > 1:
            oldest = _first_version(trace, moments[span[0]])
            continue
        states = (executed.before, *(appended.states or executed.states))
        if untouched(states):
            oldest = appended.recorded[0].stream_version
            continue
        for number in range(len(appended.recorded) - 1, -1, -1):
            yield Transition(at, states[number], states[number + 1], appended.recorded[number])
        oldest = appended.recorded[0].stream_version
    yield from _older(versions, 1, (oldest or 1) - 1)


def _first_version(trace: Trace, at: int) -> int:
    """The version of the first event that was recorded at a moment."""
    step = trace[at].step
    assert step is not None, "events are recorded by steps"
    return step.recorded[0].stream_version


class _Reader:
    """Reads the value at a path in many states; quick where the path is the name of a field."""

    def __init__(self, path: str) -> None:
        self._path, self._is_name = path, path.isidentifier()
        self._known: dict[type, bool] = {}

    def __call__(self, state: Any) -> Any:
        return getattr(state, self._path, ABSENT) if self._has(state) else state_at(state, self._path)

    def _has(self, state: Any) -> bool:
        """Whether the path is the name of a field of the state's class."""
        cls = type(state)
        if cls not in self._known:
            self._known[cls] = self._is_name and self._path in (field_names(cls) or ())
        return self._known[cls]

    def untouched(self, states: Sequence[Any]) -> bool:
        """Whether states have one and the same object in a field; False where the path is longer."""
        if not self._has(states[0]):
            return False
        cls, value = type(states[0]), getattr(states[0], self._path, ABSENT)
        for other in states:
            if type(other) is not cls or getattr(other, self._path, ABSENT) is not value:
                return False
        return True


def _older(versions: Versions, first: int, last: int) -> list[Transition]:
    """The transitions of versions that others recorded, or that are older than the trace, latest first."""
    if last < first:
        return []
    trace, name = versions.trace, versions.stream_id
    at_start = trace[0].stack.aggregates.get(name)
    found = list[Transition]()
    try:
        state = versions.at(first - 1).state
        if state is None and at_start is not None:
            return []
        stream = trace[trace.last].stack.event_store.stream(name, start_version=first)
        for event in takewhile(lambda each: each.stream_version <= last, stream):
            after = fold(state, [event])
            before = None if event.stream_version == 1 else state
            found.append(Transition(moment_of(trace, event), before, after, event))
            state = after
    except CalamityError:  # events that no class of today takes in: nothing is known of the states between
        return []
    return found[::-1]


def _latest(
    trace: Trace, lane: Lane, moment: int, types: Mapping[str, type]
) -> tuple[Transition | None, Any]:
    """What last changed the state of a lane up to a moment, and the state after it."""
    latest = next(transitions(trace, lane, moment, types), None)
    return latest, Present.of(trace, moment).state(lane) if latest is None else latest.after


class _Given(NamedTuple):
    """What gave a field its value: a transition, and how; no transition where there was none."""

    transition: Transition | None
    how: Literal["changed", "new", "before"]
    before: Any = ABSENT


def _given(lane: Lane, path: str, found: Iterable[Transition]) -> _Given:
    """The latest transition after which a field had another value, else the one that began the state."""
    oldest, read = None, _Reader(path)
    for oldest in found:
        before, after = oldest.before, oldest.after
        if before is None:
            before = _begun(lane, after)
        was = read(before)
        if _changed(was, read(after)):
            return _Given(oldest, "changed", was)
    is_known = oldest is not None and oldest.before is None
    return _Given(oldest if is_known else None, "new" if is_known else "before")


def _begun(lane: Lane, state: Any) -> Any:
    """The state before its first event, as its class makes it; None where that fails."""
    if lane.kind == "projection" or state is None:
        return None
    try:
        return begun(Identity(type(state), lane.identity.id))
    except CalamityError:
        return None


def _changed(before: Any, after: Any) -> bool:
    if before is after:
        return False
    return (
        before != after if type(before) is type(after) and type(before) in _ATOMS else differ(before, after)
    )


# The chain.


class _Node(NamedTuple):
    """Where a chain goes on: what it is about, when, and the path of the value that is followed there."""

    kind: Kind
    about: Any
    moment: int | None
    field: str = ""


@dataclass(frozen=True, slots=True)
class ChainOfCauses:
    """Why something is as it is: the links from there up to what was put in, each with its moment."""

    title: str
    links: tuple[WhyLink, ...]
    branch: str


_NO_TYPES: Mapping[str, type] = MappingProxyType({})


def why(
    trace: Trace, cursor: int, what: Any, field: Any = None, types: Mapping[str, type] = _NO_TYPES
) -> ChainOfCauses:
    """The chain of causes of what is asked about, as it is at the cursor.

    ``what`` is a lane, a recorded event, a step or a pending command.
    """
    path = "" if field is None else a_text("why(field)", field, "'balance', or 'lines[0].price'")
    asked = _Asked(trace, types)
    node = asked.begin(what, cursor, path)
    links = list[WhyLink]()
    while node is not None:
        *further, node = asked.links(node)
        links += further
    return ChainOfCauses(_title(links[0], cursor), tuple(links), trace.branch.name)


def _title(first: WhyLink, cursor: int) -> str:
    if first.kind == "value":
        of = f"{first.field} of {first.label} is {format_value(first.value, _VALUE)}" if first.field else ""
        return plain_sentence(f"{of or first.label} at step {cursor:,}")
    return plain_sentence(first.label)


class _Asked:
    """One question: the trace, and the classes for states that are older than the trace."""

    def __init__(self, trace: Trace, types: Mapping[str, type]) -> None:
        self.trace, self.types = trace, types

    def begin(self, what: Any, cursor: int, path: str) -> _Node:
        """The first node of a chain."""
        if isinstance(what, Lane):
            return _Node("value", what, cursor, path)
        if isinstance(what, RecordedEvent):
            node = _Node("event", what, moment_of(self.trace, what), path)
        elif isinstance(what, Pending):
            at, ended = dispatch_of(self.trace, what), self.trace.index.ended.get(what.command_id)
            came_due = ended is not None and ended.how == "came due" and (ended.moment or 0) <= cursor
            if ended is None or came_due:
                node = _Node("command", what, at if at is not None and at <= cursor else None, path)
            else:
                node = _Node("deadline", what, cursor, path)
        elif what.rejected is not None:
            node = _Node("rejection", what, what.index, path)
        elif what.trigger is not None:
            node = _Node("reaction", what, what.index, path)
        elif isinstance(what, Injected) or isinstance(what.command, Fault):
            node = self._fault_of(what)._replace(field=path)
        else:
            node = _Node("command", what.pending, self._start(what.index), path)
        holder = self._holder(node)
        if path and state_at(holder, path) is ABSENT:
            raise no_field(self._label(node), holder, path)
        return node

    def links(self, node: _Node) -> tuple[Any, ...]:
        """The links of a node, and after them the next node."""
        return {
            "value": self._value,
            "event": self._event,
            "command": self._command,
            "deadline": self._deadline,
            "reaction": self._reaction,
            "rejection": self._rejection,
            "fault": self._fault,
        }[node.kind](node)

    # states

    def _value(self, node: _Node) -> tuple[Any, ...]:
        """A field of a state, and the event after which it had its value."""
        lane, moment = node.about, node.moment or 0
        name = format_value(lane.identity.stream_id, _LABEL)
        latest, state = _latest(self.trace, lane, moment, self.types)
        link = WhyLink("value", name, "", moment, message=state)
        if not node.field:
            if latest is None:
                return replace(link, sentence=f"was there {BEFORE}"), None
            return replace(link, sentence=self._last(latest)), self._trigger(latest.trigger, latest.moment)
        value = state_at(state, node.field)
        if value is ABSENT:
            raise no_field(name, state, node.field)
        link = replace(link, field=node.field, value=value)
        return self._gave(link, self._given(lane, node.field, moment))

    def _given(self, lane: Lane, path: str, moment: int) -> _Given:
        return _given(lane, path, transitions(self.trace, lane, moment, self.types, path))

    @staticmethod
    def _last(latest: Transition) -> str:
        what = latest.trigger
        return f"last changed by {what.event_type}" if isinstance(what, RecordedEvent) else "last changed"

    def _gave(self, link: WhyLink, given: _Given) -> tuple[Any, ...]:
        """The link of a value with what gave it, and the next node."""
        transition, value = given.transition, link.value
        if transition is None:
            return replace(link, sentence=f"had this value {BEFORE}"), None
        if transition.trigger is None:
            return replace(link, sentence="changed while it caught up with its events"), None
        at = f"step {transition.moment:,}" if transition.moment else BEFORE
        since = f"since {at}" if transition.moment else f"from {BEFORE}"
        # Nothing plus an amount is the amount: a sum that looks like a copy.
        is_sum = is_a(given.before, int, float, Decimal) and are_equal(given.before, 0)
        others = given.how == "changed" and not is_sum
        source = self._source(transition.trigger)
        from_ = copied(value, link.field, [source], others=others)
        if given.how == "new" and from_ is COMPUTED:
            from_ = Copied(f"as {type(transition.after).__name__}.new made it")
        link = replace(link, sentence=since, origin=from_.words)
        return link, self._trigger(transition.trigger, transition.moment, from_.path)

    # messages

    def _event(self, node: _Node) -> tuple[Any, ...]:
        """An event, and the command that caused it."""
        event, moment, trace = node.about, node.moment or 0, self.trace
        link = self._link(node, event, f"recorded in {event.stream_id}", event_mark(trace, event))
        step = trace[moment].step
        if not moment or step is None:
            return replace(link, sentence=f"recorded {BEFORE}", moment=None), None
        if isinstance(step, Injected):
            return replace(link, sentence="recorded by another writer"), self._fault_of(step)
        if step.pending.command_id != event.causation_id:
            return replace(link, sentence="recorded by another writer"), None
        executed = trace[moment - 1].step
        before = executed.before if isinstance(executed, Executed) else None
        return self._led_to(node, link, step, Origin(event.stream_id, before))

    def _led_to(self, node: _Node, link: WhyLink, step: Step, state: Origin) -> tuple[Any, ...]:
        """The link of an event or a rejection, and its command, or the state that its value came from."""
        start, index = self._start(step.index), self.trace.index
        command = _Node("command", step.pending, start)
        if not node.field:
            return link, command
        sources = [Origin(step.pending.command_type, step.pending.command)]
        if state.holder is not None:
            sources.append(state._replace(name=format_value(state.name, _LABEL)))
        from_ = copied(link.value, node.field, sources)
        link, number = replace(link, origin=from_.words), index.lane_numbers.get(state.name)
        if from_.source == 1 and number is not None:
            # The chain follows the value; the command that used it is a link beside.
            beside = self._link(command, step.pending, origin(step.pending), step_mark(self.trace, step))
            return link, beside, _Node("value", index.lanes[number], start or 0, from_.path)
        return link, command._replace(field=from_.path)

    def _command(self, node: _Node) -> tuple[Any, ...]:
        """A command, and the reaction that sent it; a submitted command is the end of the chain."""
        pending, trace = node.about, self.trace
        step = None if not node.moment else trace[node.moment].step
        mark = None if step is None else step_mark(trace, step)
        link = self._link(node, pending, origin(pending), mark)
        if pending.sender is None:
            return link, None
        if pending.deadline is not None:
            return link, _Node("deadline", pending, node.moment, node.field)
        return self._sent(node, link)

    def _deadline(self, node: _Node) -> tuple[Any, ...]:
        """A deadline, and the reaction that set it; one that was set before the run began ends the chain."""
        pending, trace = node.about, self.trace
        upto = trace.last if node.moment is None else node.moment
        ended = trace.index.ended.get(pending.command_id)
        since = trace.index.deadlines[ended.number - 1].moment if ended is not None else 0
        came_due = ended is not None and ended.how == "came due" and (ended.moment or 0) <= upto
        moment = (ended.moment if ended is not None and came_due else since) or None
        mark = None if ended is None else Mark("deadline", ended.number)
        link = self._link(node._replace(moment=moment), pending, deadline_life(trace, pending, upto), mark)
        return self._sent(node, link) if since else (link, None)

    def _sent(self, node: _Node, link: WhyLink) -> tuple[Any, ...]:
        """The link of a command or of a deadline, and the reaction that sent or set it."""
        pending, trace = node.about, self.trace
        upto = trace.last if node.moment is None else node.moment
        sent = cause_of_pending(trace, pending, upto)
        if sent is None:  # it was sent before the trace began, or while its sender caught up
            cause = pending.cause
            if cause is not None:
                return link, _Node("event", cause, moment_of(trace, cause))
            return replace(link, sentence=f"{link.sentence}, {BEFORE}"), None
        reaction = trace[sent.number].step
        assert reaction is not None, "a reaction sent the command"
        if not node.field:
            return link, _Node("reaction", reaction, sent.number)
        sources = [self._source(reaction.trigger)]
        if reaction.after is not None:
            sources.append(Origin(format_value(reaction.stream_id, _LABEL), reaction.after))
        from_ = copied(link.value, node.field, sources)
        link = replace(link, origin=from_.words)
        if from_.source == 1:
            return link, _Node("reaction", reaction, sent.number, from_.path)
        through = self._reacted(_Node("reaction", reaction, sent.number))
        return link, through, self._trigger(reaction.trigger, reaction.index, from_.path)

    def _reaction(self, node: _Node) -> tuple[Any, ...]:
        """A reaction of a process manager instance, and what it reacted to."""
        step, trace = node.about, self.trace
        link = self._reacted(node)
        if not node.field:
            if isinstance(step.command, Fault):  # the event was handed on again
                return link, *self._fault(self._fault_of(step))[:-1], self._trigger(step.trigger, step.index)
            return link, self._trigger(step.trigger, step.index)
        lane = trace.index.lanes[trace.index.lane_numbers[step.stream_id]]
        found, after = self._gave(link, self._given(lane, node.field, step.index))
        if after is None:  # where the value came from is not known; what the reaction came from is
            return replace(found, sentence=link.sentence), self._trigger(step.trigger, step.index)
        return replace(found, sentence=link.sentence), after

    def _fault(self, node: _Node) -> tuple[Any, ...]:
        """A fault, which a person injected: the end of a chain."""
        return self._link(node, node.about, fact(node.about), Mark("step", node.about.index)), None

    def _fault_of(self, step: Step) -> _Node:
        """The fault that was carried out at a step, or that the step belongs to."""
        injected = step if isinstance(step, Injected) else self.trace[self._start(step.index) or 0].step
        assert isinstance(injected, Injected), "a fault begins with its own step"
        return _Node("fault", injected, injected.index)

    def _rejection(self, node: _Node) -> tuple[Any, ...]:
        """A rejection, and the command that was rejected."""
        step, trace = node.about, self.trace
        link = self._link(node, step, str(step.rejected), Mark("step", step.index))
        state = trace[step.index].stack.aggregates.get(step.stream_id)
        return self._led_to(node, link, step, Origin(step.stream_id, state))

    def _reacted(self, node: _Node) -> WhyLink:
        step = node.about
        sentence = fact(step).removeprefix(f"{step.stream_id} ")
        return self._link(node, step, sentence, Mark("step", step.index))

    def _link(self, node: _Node, message: Any, sentence: str, mark: Mark | None) -> WhyLink:
        value = state_at(self._holder(node), node.field) if node.field else ABSENT
        text = plain_sentence(sentence)
        return WhyLink(node.kind, self._label(node), text, node.moment, node.field, value, "", message, mark)

    def _label(self, node: _Node) -> str:
        match node.kind:
            case "event":
                return f"{node.about.event_type} #{node.about.position}"
            case "command":
                return str(node.about.command_type)
            case "deadline":
                return f"deadline {format_value(node.about.deadline, _LABEL)}"
            case "fault":
                return type(node.about.fault).__name__
            case "rejection":
                return f"{node.about.pending.command_type} rejected"
        return format_value(node.about.stream_id, _LABEL)

    def _holder(self, node: _Node) -> Any:
        """What has the fields of a node: the event, the command, the state, the details of the rejection."""
        match node.kind:
            case "event":
                return node.about.event
            case "command" | "deadline":
                return node.about.command
            case "fault":
                return node.about.fault
            case "rejection":
                return _details_of(node.about.rejected)
        return node.about.before if node.about.after is None else node.about.after

    def _source(self, trigger: RecordedEvent | Rejected | None) -> Origin:
        if isinstance(trigger, Rejected):
            return Origin("the rejection", _details_of(trigger))
        return Origin("", None) if trigger is None else Origin(trigger.event_type, trigger.event)

    def _trigger(self, trigger: RecordedEvent | Rejected | None, moment: int, path: str = "") -> _Node | None:
        """The event that led to what happened at a moment, or the rejection of its command."""
        if isinstance(trigger, RecordedEvent):
            return _Node("event", trigger, moment_of(self.trace, trigger), path)
        step = self._rejected(moment)
        return None if step is None else _Node("rejection", step, step.index, path)

    def _rejected(self, moment: int) -> Step | None:
        """The rejection of the command that is in progress at a moment."""
        decision = self.trace[moment].decision
        return decision if decision is not None and decision.rejected is not None else None

    def _start(self, moment: int) -> int | None:
        """The moment at which the command of a moment was dispatched; None before the trace began."""
        return self.trace.index.command_start(moment) or None


def _details_of(rejected: Rejected) -> dict[str, Any]:
    """What a rejection says, by name."""
    return {"reason": rejected.reason, **rejected.details}


def no_field(name: str, holder: Any, path: str) -> InvalidValue:
    """The error for a field that a state or a message has not; it names those that are near."""
    known = list(state_fields(holder))
    near = get_close_matches(path, known, n=2)
    meant = (
        f"Did you mean {' or '.join(map(repr, near))}?" if near else f"Fields: {', '.join(known) or 'none'}"
    )
    return InvalidValue(f"{name} has no field {repr_of(path)}. {meant}")


# The answer in a widget.


def asked_about(trace: Trace, cursor: int, selection: Selection) -> Lane | RecordedEvent | Step | Pending:
    """What is selected, as the subject of a question; raises `InvalidValue` where that is no single thing."""
    pending = pending_of(trace, selection)
    if pending is not None:
        return pending
    if selection.position is not None and selection.until is None:
        return subject(trace, cursor, selection.position)
    if selection.moment is not None and 0 < selection.moment <= trace.last:
        step = trace[selection.moment].step
        assert step is not None, "only moment 0 has no step"
        return step
    if selection.stream_id is None:
        raise InvalidValue("Select an event, a command, a rejection or a stream, to ask why")
    return subject(trace, cursor, selection.stream_id)


def why_not_answer(trace: Trace, found: NotSent) -> Answer:
    """Why a command was not sent, as an answer: a link to each process manager that could send it."""
    links = []
    if found.moment is not None:
        links.append(replace(_at(trace, found.moment), label=f"{found.command} at step {found.moment:,}"))
    for sender in found.senders:
        on = f" (sends it on {' or '.join(sender.events)})" if sender.events else ""
        said = replace(
            DetailLink("process manager", "", "") if not sender.moment else _at(trace, sender.moment),
            kind="process manager",
            label=sender.instance or sender.manager,
            detail=f"{sender.sentence.removeprefix(f'{sender.instance}: ')}{on}",
        )
        if said.mark is None:
            key = f"process manager:{sender.manager}"
            said = replace(said, stream_id=sender.instance) if sender.instance else replace(said, type=key)
        links.append(said)
    return Answer(f"Why not: {found.command}", found.sentence, tuple(links[:MOST_LINKS]))


def _at(trace: Trace, moment: int) -> DetailLink:
    """A link to what is selected by a moment."""
    mark = selected(trace, Selection(moment=moment)).mark or Mark("step", moment)
    return link(trace, mark)


def answer(trace: Trace, chain: ChainOfCauses) -> Answer:
    """A chain of causes as an answer, with a link to each message."""
    first, *others = chain.links
    found: dict[Mark | str, DetailLink] = {}
    for each in others:
        key = each.message.command_id if isinstance(each.message, Pending) and not each.mark else each.mark
        if key is None:
            continue  # a state: the link before says what was copied from it
        # A deadline says its steps itself; the link leads to where it was set.
        at = "" if each.moment is None or each.kind == "deadline" else f"step {each.moment:,}"
        detail = ", ".join(part for part in (at, each.sentence, each.followed) if part)
        if key in found:  # a rejected command has the mark of its rejection
            found[key] = replace(found[key], detail=f"{found[key].detail}; {detail}")
        elif each.mark is not None:
            found[key] = replace(link(trace, each.mark), label=each.label, detail=detail)
        else:
            found[key] = DetailLink("command", each.label, detail, command_id=each.message.command_id)
    links = tuple(found.values())
    shown = links if len(links) <= MOST_LINKS else (*links[: MOST_LINKS - 1], links[-1])
    sentence = ", ".join(part for part in (first.sentence, first.origin) if part)
    return Answer(f"Why: {chain.title}", sentence[:1].upper() + sentence[1:], shown)


# Every change of a field.


class FieldChange(NamedTuple):
    """A change of a field: its moment, the value before and after, and the event that changed it.

    ``moment`` is None before the run began, ``before`` is ABSENT where there was no value.
    """

    moment: int | None
    before: Any
    after: Any
    event: str
    position: int | None


def when(trace: Trace, lane: Lane, field: Any, types: Mapping[str, type] = _NO_TYPES) -> list[FieldChange]:
    """Every change of a field on the branch, in order."""
    path = a_text("when(field)", field, "'balance', or 'lines[0].price'")
    found, read = list[FieldChange](), _Reader(path)
    _, state = _latest(trace, lane, trace.last, types)
    seen = state_at(state, path) is not ABSENT
    for moment, before, after, trigger in transitions(trace, lane, trace.last, types, path):
        was = ABSENT if before is None else read(before)
        now = read(after)
        seen = seen or now is not ABSENT or was is not ABSENT
        if _changed(was, now):
            event = trigger if isinstance(trigger, RecordedEvent) else None
            name = "a rejection" if event is None else event.event_type
            position = None if event is None else event.position
            found.append(FieldChange(moment or None, was, now, name, position))
    if not seen:
        raise no_field(format_value(lane.identity.stream_id, _LABEL), state, path)
    return found[::-1]


# What is asked about.


def subject(trace: Trace, cursor: int, what: Any) -> Lane | RecordedEvent | Step | Pending:
    """What a question is about: a lane by its stream id, an event by its position, or a message itself."""
    index = trace.index
    if is_a(what, RecordedEvent, Step, Pending):
        message: RecordedEvent | Step | Pending = what
        _check_branch(trace, message)
        return message
    if is_a(what, int) and not is_a(what, bool):
        position = a_whole_number("why(what)", what, low=None)
        number = ordinal(trace, position)
        if not number:
            raise InvalidValue(
                f"why({repr_of(position)}): there is no event at this position on this branch; the positions "
                f"go up to {index.last_position:,}"
            )
        event: RecordedEvent = index.events[number - 1]
        return event
    if not is_a(what, str, Identity):
        raise InvalidValue(
            f"why({repr_of(what)}): give a stream id, as in why('BankAccount-1', 'balance'), the position of "
            "an event, as in why(12), or an event, a step or a pending command, as in why(lab.events[0])"
        )
    lane = lane_named(trace, what)
    if lane.since > cursor:
        raise InvalidValue(
            f"{lane.identity.stream_id} is not there yet at step {cursor:,}: it appears at step "
            f"{lane.since:,}. Go there with goto({lane.since})"
        )
    return lane


def _check_branch(trace: Trace, message: RecordedEvent | Step | Pending) -> None:
    """Raise for a message that is not on the current branch."""
    if isinstance(message, RecordedEvent):
        number = ordinal(trace, message.position)
        there = number > 0 and trace.index.events[number - 1].event_id == message.event_id
    elif isinstance(message, Step):
        there = 0 < message.index <= trace.last and trace[message.index].step is message
    else:
        is_known = message.command_id in trace.index.ended or dispatch_of(trace, message) is not None
        there = is_known or any(
            each.command_id == message.command_id for each in trace[trace.last].agenda.entries()
        )
    if not there:
        raise InvalidValue(
            f"why({repr_of(message)}): this is not on the current branch; switch(branch) goes to its branch"
        )
