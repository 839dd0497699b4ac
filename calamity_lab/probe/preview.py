"""The preview of a pending command: what its aggregate would decide now. Nothing is recorded.

The kernel is asked, on a stack that holds nothing but a copy of that aggregate; so what a callback does to
what it is given never reaches the recorded moments. The answer is remembered for as long as the aggregate is
the same. No store outside the value is read: a preview that needs one is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from time import perf_counter, thread_time
from typing import Any, Literal, NamedTuple

from calamity_lab.errors import CalamityError, InvalidValue
from calamity_lab.kernel import ask
from calamity_lab.kernel.agenda import Agenda, Pending
from calamity_lab.kernel.cases import has_no_case
from calamity_lab.kernel.clocks_and_ids import system_clock
from calamity_lab.kernel.deciding import events_missed
from calamity_lab.kernel.event_store import InMemoryEventStore
from calamity_lab.kernel.faults import ConcurrentWriter
from calamity_lab.kernel.identity import Identity
from calamity_lab.kernel.in_memory_stores import InMemoryAggregateStore, InMemoryVersionStore
from calamity_lab.kernel.memo import Memo, Slot
from calamity_lab.kernel.progress import Handling
from calamity_lab.kernel.run import Run, advance, begin
from calamity_lab.kernel.stack import Stack, changed
from calamity_lab.probe.late import LONG, Late
from calamity_lab.text import plain_sentence
from calamity_lab.trace.muted_output import muted_output
from calamity_lab.trace.purity import advance_watched
from calamity_lab.trace.trace import Trace

Outcome = Literal["records", "nothing", "rejected", "breaks", "unknown"]

_SHORT = 0.02
_REST = 50
_LENGTH = 300
_MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class Preview:
    """What a command would lead to, as a word and as a sentence; the sentence is empty if it is not known."""

    outcome: Outcome
    sentence: str


NO_PREVIEW = Preview("unknown", "")
NOT_YET = Preview("unknown", "no preview yet: the model has not answered")


class _Basis(NamedTuple):
    """What a decision depends on: the aggregate (None: not known), its version, its last event."""

    state: Any
    version: int
    last: Any


_ANSWERS = Slot[Preview](most=2_048)
_TARGETS = Slot[Identity](most=2_048)
_SCRATCHES = Slot[Stack](most=32)
# Pairs of aggregate type and command type that were found pure: these are not watched again.
_PURE = Slot[bool](most=512)
# The time before which an aggregate type is not asked, because earlier previews took long.
_RESTS = Slot[float](most=512)


# Aggregate types of which something cannot be copied: these are always watched.
_SHARED = Slot[bool](most=512)
# Pairs of aggregate type and command type that answered at once: these are not asked in a thread.
_QUICK = Slot[bool](most=512)
_LATE = Slot["_Late"](most=512)
_WAITING = Slot[list["_Late"]](most=1)
_MOST_WAITING = 4
_PATIENCE = 10.0  # seconds until another pair is asked while one has not answered


def target_of(command: Any) -> Identity:
    """The aggregate that a command goes to, as the command itself says. Raises a `CalamityError`."""
    with muted_output():
        return ask.target(command)


def other_writer(stack: Stack, command: Any) -> ConcurrentWriter:
    """Another writer who carries out a command first: with the events that it leads to now.

    Raises `InvalidValue` where it leads to none.
    """
    run, step = begin(stack, command), None
    with muted_output():
        while step is None or not step.decides:
            step, run = advance(run)
    events = getattr(step, "events", ())
    if not events or step.stream_id is None:
        why = f"is rejected: {step.rejected}" if step.rejected is not None else "leads to no event"
        raise InvalidValue(f"No other writer can come first: {step.pending.command_type} {why}")
    return ConcurrentWriter(step.stream_id, *events)


def preview(trace: Trace, cursor: int, pending: Pending) -> Preview:
    """The preview of a command as if it were the next one at the cursor.

    The first command of each type is asked about in a thread, and waited for a moment only. So a view that
    shows a preview takes no longer over a model that takes long to decide.
    """
    if not trace.has_previews:
        return NO_PREVIEW
    try:
        identity = trace.memo.once(_TARGETS, lambda: target_of(pending.command), pending)
    except CalamityError as error:
        return _breaks(error)
    basis = _basis(trace, cursor, identity)
    if basis is None:
        return NO_PREVIEW
    memo, about = trace.memo, (basis.state, basis.last, pending)
    pair = identity.type, type(pending.command)
    _take_in(memo, pair)
    found = memo.recall(_ANSWERS, *about, key=basis.version)
    if found is not None:
        return found
    if (memo.recall(_RESTS, identity.type) or 0) - perf_counter() > _REST * LONG:
        return Preview("unknown", f"no preview: {identity.category} takes too long to decide")
    stack = trace[cursor].stack

    def answer() -> Preview:
        return _timed(memo, stack, pending, identity, basis)

    if memo.recall(_QUICK, *pair):
        return memo.keep(_ANSWERS, answer(), *about, key=basis.version)
    if memo.recall(_LATE, *pair) or _must_wait(memo):
        return NOT_YET
    late = memo.keep(_LATE, _Late(Late(answer), about, basis.version), *pair)
    memo.once(_WAITING, list).append(late)
    late.answer.wait()
    _take_in(memo, pair)
    return memo.recall(_ANSWERS, *about, key=basis.version) or NOT_YET


def when_answered(trace: Trace, key: object, call: Callable[[], object]) -> None:
    """Call for each preview that is not there yet, once it is: from another thread, once per key."""
    waiting = trace.memo.once(_WAITING, list)
    for late in tuple(waiting):
        late.answer.then(key, call)


class _Late(NamedTuple):
    """The preview of a command that may come late, and what it is kept under."""

    answer: Late[Preview]
    about: tuple[Any, ...]
    key: int


def _take_in(memo: Memo, pair: tuple[type, type]) -> None:
    """Keep an answer that has come; one that came at once shows that the pair is quick."""
    late = memo.recall(_LATE, *pair)
    if late is not None and late.answer.wait():
        memo.keep(_ANSWERS, late.answer.answer, *late.about, key=late.key)
        memo.keep(_QUICK, late.answer.took < LONG, *pair)
        memo.forget(_LATE, *pair)
        memo.once(_WAITING, list).remove(late)


def _must_wait(memo: Memo) -> bool:
    """Whether no further pair may be asked now: one at a time, and few that never answer."""
    waiting = memo.once(_WAITING, list)
    return len(waiting) >= _MOST_WAITING or any(
        perf_counter() - late.answer.began < _PATIENCE for late in waiting
    )


def _basis(trace: Trace, cursor: int, identity: Identity) -> _Basis | None:
    """What the aggregate would decide on; None if only a store outside the stack knows."""
    stack, stream_id = trace[cursor].stack, identity.stream_id
    if stack.aggregates.__class__ is not InMemoryAggregateStore:
        return None
    state = stack.aggregates.get(stream_id)
    if stack.event_store.__class__ is InMemoryEventStore:
        version = stack.aggregate_versions.get(stream_id, 0)
        return _Basis(state, version, stack.event_store.last(stream_id))
    # A stream that the trace never met has no events: its aggregate is new.
    lane = trace.index.lane_numbers.get(stream_id)
    known = lane is not None and lane < trace.index.lanes_at(cursor)
    return None if state is None and known else _Basis(state, 0, None)


def _timed(memo: Memo, stack: Stack, pending: Pending, identity: Identity, basis: _Basis) -> Preview:
    start, worked = perf_counter(), thread_time()
    try:
        with muted_output():
            return _asked(memo, _kept_scratch(memo, stack, identity, basis), pending, identity)
    except Exception as error:  # noqa: BLE001 - a model may raise anything; the preview says what
        return _breaks(error)
    finally:
        waited = perf_counter() - start
        # Time that other programs take does not count, unless the model sleeps or waits.
        _let_rest(memo, identity.type, waited if waited > LONG else thread_time() - worked)


def _let_rest(memo: Memo, cls: type, took: float) -> None:
    """Let an aggregate type rest for fifty times the time that it took."""
    if took > _SHORT:
        rests = memo.recall(_RESTS, cls) or 0
        memo.keep(_RESTS, max(rests, perf_counter()) + _REST * took, cls)


def _kept_scratch(memo: Memo, stack: Stack, identity: Identity, basis: _Basis) -> Stack:
    """The scratch stack of an aggregate, made once for all its pending commands: its state may be large."""
    key = (basis.version, identity.stream_id)
    return memo.once(
        _SCRATCHES, lambda: _scratch(memo, stack, identity, basis), basis.state, basis.last, key=key
    )


def _scratch(memo: Memo, stack: Stack, identity: Identity, basis: _Basis) -> Stack:
    """A stack with a copy of the aggregate, caught up, and nothing else that a callback could harm."""
    stream_id, state = identity.stream_id, basis.state
    aggregates = InMemoryAggregateStore({} if state is None else {stream_id: _copied(memo, identity, state)})
    if basis.last is None:
        return Stack(aggregates=aggregates, clock=_clock(stack), cascade_limit=stack.cascade_limit)
    missed, version = events_missed(stack, identity)
    if missed:
        aggregates = aggregates.apply(
            identity, [replace(r, event=_copied(memo, identity, r.event)) for r in missed]
        )
        version = missed[-1].stream_version
    versions = InMemoryVersionStore({stream_id: version})
    return changed(stack, aggregates=aggregates, aggregate_versions=versions, clock=_clock(stack))


def _copied(memo: Memo, identity: Identity, value: Any) -> Any:
    """A copy, or the value itself where it cannot be copied, as with a lock: then changes are undone."""
    try:
        return deepcopy(value)
    except Exception:  # noqa: BLE001 - a foreign class may raise anything
        memo.keep(_SHARED, True, identity.type)
        return value


def _clock(stack: Stack) -> Any:
    """The stack's clock, where reading it changes nothing."""
    return stack.clock if hasattr(stack.clock, "read") else system_clock


def _asked(memo: Memo, stack: Stack, pending: Pending, identity: Identity) -> Preview:
    """The preview that the kernel gives by advancing the scratch stack until the aggregate has decided."""
    run, step = Run(stack, Agenda([replace(pending, command=_copied(memo, identity, pending.command))])), None
    watched = (identity.type, type(pending.command))
    is_trusted = memo.recall(_PURE, *watched) and not memo.recall(_SHARED, identity.type)
    while step is None or not step.decides:
        if isinstance(run.progress, Handling):
            return Preview("nothing", "would change nothing: its events are recorded already")
        step, run = (advance if is_trusted else advance_watched)(run)
    memo.keep(_PURE, True, *watched)
    if step.rejected is not None:
        return Preview("rejected", plain_sentence(f"would be rejected: {step.rejected}", _LENGTH))
    if not step.event_types:
        has_no = has_no_case(identity.type, type(pending.command))
        why = f"no case for {pending.command_type}: " if has_no else ""
        return Preview("nothing", f"{why}would change nothing")
    return Preview("records", plain_sentence(f"would record {_names(step.event_types)}", _LENGTH))


def _breaks(error: Exception) -> Preview:
    text = str(error) if isinstance(error, CalamityError) else f"{type(error).__name__}: {error}"
    return Preview("breaks", plain_sentence(f"would break: {text}", _LENGTH))


def _names(types: Iterable[str]) -> str:
    """The events' types in order, each once: "OrderPlaced, 3 × LineAdded"."""
    counts = Counter(types)
    parts = [name if count == 1 else f"{count} × {name}" for name, count in counts.items()]
    more = len(parts) - _MOST_NAMES
    return ", ".join(parts[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
