"""Exploring with several processes, which find the same as one process finds.

One process, the master, keeps the graph. It gives out states to look at, and takes in what the workers find,
in the order in which one process would have looked at these states. So the result does not depend on how many
workers there are, nor on which of them is quick.

The workers have the runs. A worker keeps the run of each state that it was the first to find, and looks at
this state itself. Where any run of a state will do, another worker that has found it keeps its run, too: then
the one with less to do looks at the state. A worker that has none left takes over states of another one: it
makes their runs again, by the ordinals of the choices that led there.

States and choices have digests, which are the same in all processes. Each is sent once; from then on it has
the number that it has at the worker.
"""

from __future__ import annotations

import gc
import os
import pickle  # noqa: S403 - for what our own workers write
import signal
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from mmap import mmap
from multiprocessing.connection import Connection, Pipe, wait
from time import monotonic
from typing import Any, NamedTuple, Protocol

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel import ask
from calamity_lab.kernel.run import Run
from calamity_lab.probe.explore import (
    ExploredChoice,
    Explorer,
    FoundElsewhere,
    Held,
    Judged,
    MetElsewhere,
    Seen,
    explained,
    stands,
)
from calamity_lab.trace.muted_output import muted_output

# One process explores until so many states wait for each worker: before that, there is not enough to share.
WIDE = 32
_AT_FIRST, _MOST_AT_ONCE = 16, 128
_ANSWERS_WITHIN = 0.1  # seconds
_COLLECTED_AFTER = 50_000
# Later than any state: where a state was met that nobody has met before.
_NEVER = 2**62


class WorkerTask(NamedTuple):
    """What a worker is given.

    ``done`` are states that it looked at before, each with the moves whose runs are to be kept, and the
    numbers of the states that they led to. ``gone`` are states that another worker looks at. ``batch`` are
    the states to look at, each with the state to begin at and the ordinals that lead on; None where the
    worker has the run.
    """

    done: Sequence[tuple[int, Sequence[tuple[int, int]]]]
    gone: Sequence[int]
    batch: Sequence[tuple[int, int, tuple[int, ...] | None]]


class WorkerAnswer(NamedTuple):
    """What a worker has found: things that it has met for the first time, in order; and the states.

    Of each of the ``ways``: its digest, the choice where it can be pickled, and the state where it was found.
    ``judged`` has the number of the judgement of each state in ``digests``. ``found`` are whole numbers: of
    each state its number, how many moves it has, and what happened; of each move its ordinal, its choice,
    what it led to as in `FoundElsewhere`, and which runs there are, as `_ONE` and `_ANY` say. ``ends`` says
    who waits in a state without moves; ``incomparable`` which states cannot be compared, in words.
    """

    ways: list[tuple[int, bytes | None, int]]
    digests: list[int]
    judged: list[int]
    judgements: list[Judged]
    errors: list[tuple[str, str]]
    happened: list[tuple[frozenset[Any], ...]]
    found: bytes
    ends: dict[int, tuple[tuple[str, ...], tuple[str, ...]]]
    incomparable: dict[int, str]


# Of a move: the worker has kept the run; any run of that state will do.
_ONE, _ANY = 1, 2


class WorkerLost(Exception):
    """A worker has died; the words say how."""


class ExploringWorker:
    """What one worker does: it looks at the states that it is given, and says what they lead to.

    ``base`` are runs that it has at the start, by the numbers of their states; ``ways`` how many choices the
    master knows by the same numbers.
    """

    def __init__(self, explorer: Explorer, base: Mapping[int, Held], ways: int) -> None:
        explorer.share()
        self._explorer, self._base, self._ways = explorer, dict(base), ways
        self._held = dict(base)
        # Of each state that was looked at, until the master has taken it in: the moves whose runs are kept.
        self._after: dict[int, list[tuple[int, int, Held]]] = {}
        # The numbers of the states that were met; and from which state each was met first (only there it may
        # be new to the master), or -1 once the master has taken that in.
        self._met: dict[Any, int] = {}
        self._first_met = array("q")
        self._digests: list[int] = []
        self._judged: list[int] = []
        self._judgements: dict[Judged, int] = {}
        self._errors: dict[tuple[str, str], int] = {}
        self._happened: dict[tuple[frozenset[Any], ...], int] = {}
        self._found_at = [0] * ways

    def work(self, task: bytes) -> bytes:
        """Look at some states; what was said in answers before has only a number."""
        done, gone, batch = pickle.loads(task)  # noqa: S301 - from our own master
        explorer = self._explorer
        known = len(self._judgements), len(self._errors), len(self._happened)
        ways, found = self._ways, array("i")
        ends: dict[int, Any] = {}
        incomparable: dict[int, str] = {}
        with ask.through(explorer.values.remembered), muted_output():
            self._settle(done, gone)
            self._rebuild(batch)
            self._found_at += [0] * (len(explorer.ways) - len(self._found_at))
            for index, _, _ in batch:
                try:
                    found.extend(self._look_at(index, ends))
                except InvalidValue as error:
                    incomparable[index] = str(error)
        new = explorer.ways_since(ways)
        self._ways += len(new)
        answer = WorkerAnswer(
            [(digest, _packed(way), self._found_at[ways + n]) for n, (digest, way) in enumerate(new)],
            self._digests,
            self._judged,
            list(self._judgements)[known[0] :],
            list(self._errors)[known[1] :],
            list(self._happened)[known[2] :],
            found.tobytes(),
            ends,
            incomparable,
        )
        packed = pickle.dumps(answer)
        self._digests, self._judged = [], []
        return packed

    def _settle(self, done: Iterable[tuple[int, Iterable[tuple[int, int]]]], gone: Iterable[int]) -> None:
        """Keep the runs of new states that this worker may look at, and no others."""
        for index, kept in done:
            numbers = dict(kept)
            for n, met, held in self._after.pop(index):
                if n in numbers:
                    self._held[numbers[n]] = held
                self._first_met[met] = -1
        for index in gone:
            self._held.pop(index, None)

    def _rebuild(self, batch: Sequence[tuple[int, int, tuple[int, ...] | None]]) -> None:
        """Make the runs of states again, those with a common beginning one after another."""
        wanted = [(base, ordinals, index) for index, base, ordinals in batch if ordinals is not None]
        runs: list[Held] = []
        at, before = -1, tuple[int, ...]()
        for base, ordinals, index in sorted(wanted):
            common = 0 if base != at else _common(before, ordinals)
            runs = runs[: common + 1] if base == at else [self._base[base]]
            for ordinal in ordinals[common:]:
                runs.append(self._explorer.after(*runs[-1], ordinal))
            self._held[index] = runs[-1]
            at, before = base, ordinals

    def _look_at(self, index: int, ends: dict[int, Any]) -> list[int]:
        explorer, (run, vector) = self._explorer, self._held.pop(index)
        explorer.seen = Seen()
        after = self._after[index] = []
        found, is_end = [index, 0, 0], True
        for n, (ordinal, way, next_, new_vector, error) in enumerate(explorer.moves(run, vector)):
            found[1] += 1
            if next_ is None:
                found += (ordinal, way, -1 - _numbered(self._errors, explained(error)), 0)
                continue
            is_end, runs = False, 0
            met = self._number(explorer.key(next_, new_vector), next_)
            if self._first_met[met] > index:
                self._first_met[met] = index
                after.append((n, met, (next_, new_vector)))
                runs = _ONE | _ANY if explorer.goes_on_alike(next_) else _ONE
            found += (ordinal, way, met, runs)
        self._found_at += [index] * (len(explorer.ways) - len(self._found_at))
        found[2] = _numbered(self._happened, tuple([frozenset(each) for each in explorer.seen.sets()]))
        if is_end:
            ends[index] = stands(run)
        return found

    def _number(self, key: Any, run: Run) -> int:
        """The number of a state that was met."""
        number = self._met.get(key)
        if number is None:
            digest = self._explorer.digest(key)
            judged = _numbered(self._judgements, self._explorer.judged(run.stack))
            number = self._met[key] = len(self._first_met)
            self._first_met.append(_NEVER)
            self._digests.append(digest)
            self._judged.append(judged)
        return number


def _numbered(numbers: dict[Any, int], value: Any) -> int:
    return numbers.setdefault(value, len(numbers))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many items two sequences have in common at their beginnings."""
    return next(
        (n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other))
    )


def _packed(way: ExploredChoice) -> bytes | None:
    """A choice as bytes; None where it cannot be pickled, as with a class of a function."""
    try:
        return pickle.dumps(way)
    except Exception:  # noqa: BLE001 - whatever it is, the master finds the choice in another way
        return None


class Connected(Protocol):
    """A worker as the master reaches it."""

    def start(self) -> None:
        """Begin, or begin again after a death."""

    def send(self, task: bytes) -> None:
        """Give the worker a task."""

    def receive(self) -> bytes:
        """Its answer. Raises `WorkerLost`."""
        ...

    def stop(self) -> None:
        """End the worker, whatever it does."""


class _Hand:
    """What the master knows of a worker."""

    def __init__(self, worker: Connected, ways: int) -> None:
        self.worker, self._known_ways = worker, ways
        # The states that it is to look at, in order, beside some that are another worker's by now.
        self.queue: deque[int] = deque()
        self.count = 0
        self.batch: list[int] = []
        # How many states it is given at once, so that its answer comes soon.
        self.most, self.since = _AT_FIRST, 0.0
        self.starts = 0
        self.begin()

    def begin(self) -> None:
        """Start the worker, which knows nothing of what was before."""
        self.starts += 1
        self.answers = 0
        # The states whose runs it has.
        self.held: set[int] = set()
        self.done: list[tuple[int, list[tuple[int, int]]]] = []
        self.gone: list[int] = []
        self.met = MetElsewhere(list(range(self._known_ways)))
        self.judgements: list[Judged] = []
        self.worker.start()


class _Found(NamedTuple):
    """What was found at a state that is not yet the first that waits: who found it, at which start.

    ``runs`` says of each move which runs there are.
    """

    hand: _Hand
    starts: int
    found: FoundElsewhere
    runs: Sequence[int]


class Crew:
    """The workers of an exploration, and what each is to do."""

    def __init__(
        self, explorer: Explorer, workers: Sequence[Connected], base: Mapping[int, Held], ways: int
    ) -> None:
        self._explorer, self._base = explorer, base
        self._hands = [_Hand(worker, ways) for worker in workers]
        self._found: dict[int, _Found | str] = {}
        # Whose it is to look at each state that nobody looks at yet.
        self._whose: dict[int, _Hand] = {}
        for n, (index, *_) in enumerate(explorer.waiting):
            if not explorer.is_too_deep(index):
                self._put(self._hands[n % len(workers)], [index])

    def go(
        self, limit: int, passing: Callable[[], object], ready: Callable[[Sequence[Any]], Sequence[Any]]
    ) -> None:
        """Look at further states, as `Explorer.go` does. Raises `WorkerLost` where a worker dies again."""
        explorer = self._explorer
        while explorer.waiting and explorer.states < limit:
            index = explorer.waiting[0][0]
            if explorer.is_too_deep(index):
                explorer.cut_off()
            elif index in self._found:
                self._take_in(index)
                passing()
            else:
                for hand in self._hands:
                    self._give(hand)
                busy = {hand.worker: hand for hand in self._hands if hand.batch}
                for worker in ready(list(busy)):
                    self._hear(busy[worker])

    def _put(self, hand: _Hand, states: Iterable[int]) -> None:
        """Let a worker look at states, which may have been another one's."""
        for index in states:
            before = self._whose.get(index)
            if before is not None:
                before.count -= 1
            self._whose[index] = hand
            hand.queue.append(index)
            hand.count += 1

    def _give(self, hand: _Hand) -> None:
        """Give a worker that is idle some states to look at."""
        if hand.batch:
            return
        if not hand.count:
            self._take_over(hand)
        count = sum([each.count for each in self._hands]) // (2 * len(self._hands))
        count = min(max(count, 1), hand.most, hand.count)
        while len(hand.batch) < count:
            index = hand.queue.popleft()
            if self._whose.get(index) is hand:
                del self._whose[index]
                hand.batch.append(index)
        if hand.batch:
            hand.count -= count
            for other in self._hands:
                if other is not hand:
                    gone = other.held.intersection(hand.batch)
                    other.gone += gone
                    other.held -= gone
            self._send(hand)

    def _take_over(self, hand: _Hand) -> None:
        """Let a worker that has nothing to do look at states of another one, as far as that saves time.

        Where it has no run of them, it makes the runs again, which takes as long as their paths are.
        """
        other = max(self._hands, key=lambda each: each.count)
        if not other.count:
            return
        explorer = self._explorer
        waiting = [index for index in dict.fromkeys(other.queue) if self._whose.get(index) is other]
        ways_out = max(explorer.transitions / max(explorer.states - explorer.left, 1), 1)
        path = len(self._path(waiting[-1])[1])
        count = int(len(waiting) / (2 + path / ways_out)) if len(waiting) >= WIDE or not path else 0
        held = [index for index in waiting if index in hand.held][: len(waiting) // 2]
        self._put(hand, held if len(held) >= count else waiting[len(waiting) - count :])

    def _send(self, hand: _Hand) -> None:
        batch = [
            (index, 0, None) if index in hand.held else (index, *self._path(index)) for index in hand.batch
        ]
        task = pickle.dumps(WorkerTask(hand.done, hand.gone, batch))
        hand.done, hand.gone = [], []
        hand.held.difference_update(hand.batch)
        hand.since = monotonic()
        with suppress(OSError):  # a worker that is dead gives no answer either
            hand.worker.send(task)

    def _path(self, state: int) -> tuple[int, tuple[int, ...]]:
        """A state whose run all workers have, and the ordinals of the choices that lead on from there."""
        explorer, ordinals = self._explorer, []
        while state not in self._base:
            ordinals.append(explorer.ordinals[state])
            state = explorer.parents[state]
        return state, tuple(ordinals[::-1])

    def _hear(self, hand: _Hand) -> None:
        """Note what a worker has found, and give it more to do at once."""
        try:
            answer: WorkerAnswer = pickle.loads(hand.worker.receive())  # noqa: S301 - from our own worker
        except WorkerLost as lost:
            hand.worker.stop()
            if hand.starts > 1 and not hand.answers:
                raise WorkerLost(f"a worker process died twice: {lost}") from lost
            hand.begin()
            self._send(hand)
            return
        rate = len(hand.batch) / max(monotonic() - hand.since, 1e-6)
        hand.most = max(1, min(int(rate * _ANSWERS_WITHIN), 2 * hand.most, _MOST_AT_ONCE))
        hand.batch = []
        hand.answers += 1
        self._give(hand)
        met = hand.met
        met.ways += [self._way(*each) for each in answer.ways]
        met.digests += answer.digests
        met.states.extend([-1] * len(answer.digests))
        hand.judgements += answer.judgements
        met.judged += [hand.judgements[judged] for judged in answer.judged]
        met.errors += answer.errors
        met.happened += answer.happened
        self._found.update(answer.incomparable)
        numbers = array("i")
        numbers.frombytes(answer.found)
        at = 0
        while at < len(numbers):
            index, count, happened = numbers[at : at + 3]
            moves = numbers[at + 3 : at + 3 + 4 * count]
            at += 3 + len(moves)
            each = zip(moves[::4], moves[1::4], moves[2::4], strict=True)
            stands = answer.ends.get(index, ((), ()))
            found = FoundElsewhere(met, list(each), happened, stands)
            self._found[index] = _Found(hand, hand.starts, found, moves[3::4])

    def _way(self, digest: int, packed: bytes | None, state: int) -> int:
        """The number of a choice that a worker has found."""
        explorer = self._explorer
        known = explorer.way_of(digest)
        if known is None and packed is not None:
            return explorer.note_way(digest, pickle.loads(packed))  # noqa: S301 - from our own worker
        if known is None:  # then it is found here as it was found there
            with ask.through(explorer.values.remembered), muted_output():
                base, ordinals = self._path(state)
                held = self._base[base]
                for ordinal in ordinals:
                    held = explorer.after(*held, ordinal)
                for move in explorer.moves(*held):
                    if move.after is not None:
                        explorer.key(move.after, move.vector)
            known = explorer.way_of(digest)
            assert known is not None, "the model is not pure"
        return known

    def _take_in(self, index: int) -> None:
        known = self._found[index]
        if isinstance(known, str):
            raise InvalidValue(known)
        hand, starts, found, runs = known
        explorer = self._explorer
        new = explorer.merge(index, found)
        del self._found[index]
        kept = [(n, state) for state, n in new if not explorer.is_too_deep(state)]
        self._put(hand, [state for _, state in kept])
        if starts != hand.starts:
            return
        states, whose = found.met.states, self._whose
        for n, there_are in enumerate(runs):
            other = whose.get(states[found.moves[n][2]]) if there_are == _ONE | _ANY else hand
            if other is not None and other is not hand:
                state = states[found.moves[n][2]]
                kept.append((n, state))
                if other.count > hand.count + 1:
                    self._put(hand, [state])
        hand.held.update([state for _, state in kept])
        hand.done.append((index, kept))


class RemoteExplorer(ExploringWorker):
    """A worker of a cluster, which makes its own explorer; it has the run of the start only."""

    def __init__(self, make: Callable[[], Explorer]) -> None:
        explorer = make()
        super().__init__(explorer, {0: explorer.first}, 0)


class ForkedWorker:
    """A worker in a process of its own, forked from this one, so that it has the classes of a notebook."""

    def __init__(
        self, explorer: Explorer, base: Mapping[int, Held], ways: int, shared: mmap, at: int
    ) -> None:
        self._explorer, self._base, self._ways = explorer, base, ways
        self._shared, self._at = shared, at
        self._pid = 0
        self.connection: Any = None

    def start(self) -> None:
        self.connection, there = Pipe()
        self._shared[self._at] = 0
        with warnings.catch_warnings():
            # Python warns of threads, whose locks the child finds locked; it takes none of theirs.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            self._pid = pid
            there.close()
        else:
            code = 1
            try:
                self._serve(there)
                code = 0
            finally:
                os._exit(code)  # nothing of what this program does at its end

    def _serve(self, there: Connection) -> None:
        """What the child does, until the master goes."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the master
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        gc.freeze()  # what the parent has is not collected here: it may be a connection
        gc.set_threshold(_COLLECTED_AFTER)  # nearly all that is made is kept
        os.closerange(3, there.fileno())
        os.closerange(there.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        self._explorer.asked, self._explorer.asked_at = self._shared, self._at
        worker = ExploringWorker(self._explorer, self._base, self._ways)
        with suppress(EOFError, OSError):
            while True:
                there.send_bytes(worker.work(there.recv_bytes()))

    def send(self, task: bytes) -> None:
        self.connection.send_bytes(task)

    def receive(self) -> bytes:
        try:
            answer: bytes = self.connection.recv_bytes()
        except (EOFError, OSError) as error:
            self._explorer.asked[0] = self._shared[self._at]
            raise WorkerLost(self._how_it_ended()) from error
        return answer

    def _how_it_ended(self) -> str:
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        code = os.waitstatus_to_exitcode(status)
        how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
        if -code == signal.SIGKILL:
            how += ", as where there is no memory left"
        name = self._explorer.asking
        return f"{how}, while {name!r} was asked" if name else how

    def stop(self) -> None:
        if self.connection is not None:
            self.connection.close()
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0


def explore_with(
    explorer: Explorer,
    limit: int,
    passing: Callable[[], object],
    count: int,
    connect: Callable[[Mapping[int, Held]], Sequence[Connected]],
    ready: Callable[[Sequence[Any]], Sequence[Any]],
) -> None:
    """Go on with so many workers, once there is enough for each of them. Raises `WorkerLost`.

    ``connect`` makes them; they begin with the run of the start. ``ready`` waits until some of those that it
    gets have answered.
    """
    if not _is_wide(explorer, limit, passing, count):
        return
    base = {0: explorer.first}
    workers = connect(base)
    try:
        Crew(explorer, workers, base, 0).go(limit, passing, ready)
    finally:
        for worker in workers:
            worker.stop()


def _is_wide(explorer: Explorer, limit: int, passing: Callable[[], object], count: int) -> bool:
    """Go on alone until there is enough for so many workers; whether there is."""
    if not explorer.is_shared:
        explorer.go(limit, passing, count * WIDE)
    if not explorer.left or explorer.states >= limit:
        return False
    explorer.share()
    return True


class ForkedCrew:
    """So many processes of this machine that explore; they are kept from one `go` to the next.

    They have the runs that this process has when they are started.
    """

    def __init__(self, explorer: Explorer, count: int) -> None:
        self._explorer, self._count = explorer, count
        self._shared = mmap(-1, count)
        self._workers: list[ForkedWorker] = []
        self._crew: Crew | None = None

    def go(self, limit: int, passing: Callable[[], object]) -> None:
        """Look at further states, as `Explorer.go` does. Raises `WorkerLost` where a worker dies again."""
        explorer = self._explorer
        try:
            if self._crew is None and _is_wide(explorer, limit, passing, self._count):
                base = {index: (run, vector) for index, run, vector in explorer.waiting if run}
                base[0] = explorer.first
                self._workers += [
                    ForkedWorker(explorer, base, len(explorer.ways), self._shared, at)
                    for at in range(self._count)
                ]
                self._crew = Crew(explorer, self._workers, base, len(explorer.ways))
            if self._crew is not None:
                self._crew.go(limit, passing, self._ready)
        except KeyboardInterrupt:
            explorer.asked[0] = explorer.asked[0] or max(self._shared)
            raise

    @staticmethod
    def _ready(workers: Sequence[ForkedWorker]) -> list[ForkedWorker]:
        waiting = {worker.connection: worker for worker in workers}
        return [waiting[each] for each in wait(list(waiting))]

    def stop(self) -> None:
        """End the processes; another `go` starts new ones."""
        self._crew = None
        while self._workers:
            self._workers.pop().stop()
