"""Exploring with several processes, which find the same as one process finds.

One process, the master, keeps the graph. It gives out states to look at, and takes in what the workers find,
in the order in which one process would have looked at these states. So the result does not depend on how many
workers there are, nor on which of them is quick.

The workers have the runs. A worker keeps the run of each state that it was the first to find, and looks at
this state itself. A worker that has none left takes over states of another one: it makes their runs again, by
the ordinals of the choices that led there. States have digests, which are the same in all processes.
"""

from __future__ import annotations

import gc
import os
import pickle  # noqa: S403 - for what our own workers write
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from mmap import mmap
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, NamedTuple, Protocol

from calamity_lab.errors import InvalidValue
from calamity_lab.kernel import ask
from calamity_lab.kernel.run import Run
from calamity_lab.probe.explore import (
    ExploredChoice,
    Explorer,
    FoundElsewhere,
    Judged,
    Seen,
    explained,
    stands,
)
from calamity_lab.trace.muted_output import muted_output

# One process explores until so many states wait for each worker: before that, there is not enough to share.
WIDE = 32
_MOST_AT_ONCE = 64

Held = tuple[Run, tuple[int, ...]]


class WorkerTask(NamedTuple):
    """What a worker is given.

    ``done`` are states that it looked at before, each with its moves that led to new states, and the numbers
    of these. ``gone`` are states that another worker looks at. ``batch`` are the states to look at, each with
    the state to begin at and the ordinals that lead on; None where the worker has the run.
    """

    done: Sequence[tuple[int, Sequence[tuple[int, int]]]]
    gone: Sequence[int]
    batch: Sequence[tuple[int, int, tuple[int, ...] | None]]


class WorkerAnswer(NamedTuple):
    """What a worker has found: choices, judgements and what happened, as far as they are new; and the states.

    Of each choice: its digest, the choice where it can be pickled, and the state where it was found. Of each
    state: its number, its moves, the number of what happened, and who waits; or an error in words.
    """

    ways: list[tuple[bytes, bytes | None, int]]
    judgements: list[Judged]
    happened: list[tuple[frozenset[Any], ...]]
    states: list[tuple[Any, ...]]


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
        # Of each state that was looked at, until the master has taken it in: the runs after its moves.
        self._after: dict[int, list[tuple[int, bytes, Held]]] = {}
        # Of each state that was met: the number of its judgement; and from which state it was met first (only
        # there it may be new to the master), or -1 once the master has taken that in.
        self._met: dict[bytes, int] = {}
        self._first_met: dict[bytes, int] = {}
        self._judgements: dict[Judged, int] = {}
        self._happened: dict[tuple[frozenset[Any], ...], int] = {}
        self._found_at = [0] * ways

    def work(self, task: bytes) -> bytes:
        """Look at some states; what was said in answers before has only a number."""
        done, gone, batch = pickle.loads(task)  # noqa: S301 - from our own master
        explorer = self._explorer
        judgements, happened, ways = len(self._judgements), len(self._happened), self._ways
        with ask.through(explorer.values.remembered), muted_output():
            self._settle(done, gone)
            self._rebuild(batch)
            self._found_at += [0] * (len(explorer.ways) - len(self._found_at))
            states = [self._look_at(index) for index, _, _ in batch]
        new = explorer.ways_since(ways)
        self._ways += len(new)
        return pickle.dumps(
            WorkerAnswer(
                [(digest, _packed(way), self._found_at[ways + n]) for n, (digest, way) in enumerate(new)],
                list(self._judgements)[judgements:],
                list(self._happened)[happened:],
                states,
            )
        )

    def _settle(self, done: Iterable[tuple[int, Iterable[tuple[int, int]]]], gone: Iterable[int]) -> None:
        """Keep the runs of new states that this worker will look at, and no others."""
        for index, kept in done:
            numbers = dict(kept)
            for n, digest, held in self._after.pop(index):
                if n in numbers:
                    self._held[numbers[n]] = held
                self._first_met[digest] = -1
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

    def _look_at(self, index: int) -> tuple[Any, ...]:
        explorer, (run, vector) = self._explorer, self._held.pop(index)
        explorer.seen = Seen()
        moves: list[tuple[Any, ...]] = []
        after = self._after[index] = []
        is_end = True
        try:
            for n, (ordinal, way, next_, new_vector, error) in enumerate(explorer.moves(run, vector)):
                if next_ is None:
                    moves.append((ordinal, way, b"", 0, explained(error)))
                    continue
                is_end = False
                digest = explorer.digest(next_, new_vector)
                judgement = self._met.get(digest)
                if judgement is None:
                    judgement = self._met[digest] = _numbered(self._judgements, explorer.judged(next_.stack))
                if self._first_met.get(digest, index + 1) > index:
                    self._first_met[digest] = index
                    after.append((n, digest, (next_, new_vector)))
                moves.append((ordinal, way, digest, judgement, None))
        except InvalidValue as error:
            return index, str(error)
        self._found_at += [index] * (len(explorer.ways) - len(self._found_at))
        happened = tuple([frozenset(each) for each in explorer.seen.sets()])
        return index, moves, _numbered(self._happened, happened), stands(run) if is_end else ((), ())


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
        self.queue: deque[int] = deque()
        self.batch: list[int] = []
        self.starts = 0
        self.begin()

    def begin(self) -> None:
        """Start the worker, which knows nothing of what was before."""
        self.starts += 1
        self.answers = 0
        self.held: set[int] = set()
        self.done: list[tuple[int, list[tuple[int, int]]]] = []
        self.gone: list[int] = []
        self.ways = list(range(self._known_ways))
        self.judgements: list[Judged] = []
        self.happened: list[Any] = []
        self.worker.start()


class Crew:
    """The workers of an exploration, and what each is to do."""

    def __init__(
        self, explorer: Explorer, workers: Sequence[Connected], base: Mapping[int, Held], ways: int
    ) -> None:
        self._explorer, self._base = explorer, base
        self._hands = [_Hand(worker, ways) for worker in workers]
        # What was found at states that are not yet the first that waits: who found it, at which start.
        self._found: dict[int, tuple[_Hand, int, FoundElsewhere | str]] = {}
        queues = [hand.queue for hand in self._hands]
        for n, (index, *_) in enumerate(explorer.waiting):
            if not explorer.is_too_deep(index):
                queues[n % len(queues)].append(index)

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

    def _give(self, hand: _Hand) -> None:
        """Give a worker that is idle some states to look at."""
        if hand.batch:
            return
        if not hand.queue:
            self._take_over(hand)
        count = sum([len(each.queue) for each in self._hands]) // (2 * len(self._hands))
        count = min(max(count, 1), _MOST_AT_ONCE, len(hand.queue))
        if count:
            hand.batch = [hand.queue.popleft() for _ in range(count)]
            self._send(hand)

    def _take_over(self, hand: _Hand) -> None:
        """Let a worker that has nothing to do look at states of another one, as far as that saves time.

        It makes their runs again, which takes as long as their paths are.
        """
        other = max(self._hands, key=lambda each: len(each.queue))
        if not other.queue:
            return
        explorer = self._explorer
        ways_out = max(explorer.transitions / max(explorer.states - explorer.left, 1), 1)
        path = len(self._path(other.queue[-1])[1])
        count = int(len(other.queue) / (2 + path / ways_out)) if len(other.queue) >= WIDE or not path else 0
        taken = [other.queue.pop() for _ in range(count)][::-1]
        other.gone += [index for index in taken if index in other.held]
        other.held.difference_update(taken)
        hand.queue.extend(taken)

    def _send(self, hand: _Hand) -> None:
        batch = [
            (index, 0, None) if index in hand.held else (index, *self._path(index)) for index in hand.batch
        ]
        task = pickle.dumps(WorkerTask(hand.done, hand.gone, batch))
        hand.done, hand.gone = [], []
        hand.held.difference_update(hand.batch)
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
        hand.batch = []
        hand.answers += 1
        self._give(hand)
        hand.ways += [self._way(*each) for each in answer.ways]
        hand.judgements += answer.judgements
        hand.happened += answer.happened
        for index, *found in answer.states:
            self._found[index] = hand, hand.starts, _read(hand, *found)

    def _way(self, digest: bytes, packed: bytes | None, state: int) -> int:
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
                        explorer.digest(move.after, move.vector)
            known = explorer.way_of(digest)
            assert known is not None, "the model is not pure"
        return known

    def _take_in(self, index: int) -> None:
        hand, starts, found = self._found[index]
        if isinstance(found, str):
            raise InvalidValue(found)
        explorer = self._explorer
        new = explorer.merge(index, found)
        del self._found[index]
        new = [each for each in new if not explorer.is_too_deep(each[0])]
        hand.queue += [state for state, _ in new]
        if starts == hand.starts:
            hand.held.update([state for state, _ in new])
            hand.done.append((index, [(n, state) for state, n in new]))


def _read(hand: _Hand, moves: Any, happened: int = 0, stands: Any = ()) -> FoundElsewhere | str:
    """What was found at a state, with the numbers that it has at the master."""
    if isinstance(moves, str):
        return moves
    return FoundElsewhere(
        [
            (ordinal, hand.ways[way], digest, hand.judgements[judged] if raised is None else Judged(), raised)
            for ordinal, way, digest, judged, raised in moves
        ],
        hand.happened[happened],
        stands,
    )


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
    *,
    is_forked: bool,
) -> None:
    """Go on with so many workers, once there is enough for each of them. Raises `WorkerLost`.

    ``connect`` makes them, from the runs that all of them have; ``ready`` waits until some of those that it
    gets have answered. Forked workers have what this process has; others have the run of the start.
    """
    if not explorer.is_shared:
        explorer.go(limit, passing, count * WIDE)
    if not explorer.left or explorer.states >= limit:
        return
    explorer.share()
    base = {0: explorer.first}
    if is_forked:
        base.update({index: (run, vector) for index, run, vector in explorer.waiting if run})
    workers = connect(base)
    try:
        Crew(explorer, workers, base, len(explorer.ways) if is_forked else 0).go(limit, passing, ready)
    finally:
        for worker in workers:
            worker.stop()


def explore_forked(explorer: Explorer, limit: int, passing: Callable[[], object], count: int) -> None:
    """Go on with so many processes of this machine; see `explore_with`."""
    shared = mmap(-1, count)

    def connect(base: Mapping[int, Held]) -> list[ForkedWorker]:
        return [ForkedWorker(explorer, base, len(explorer.ways), shared, at) for at in range(count)]

    def ready(workers: Sequence[ForkedWorker]) -> list[ForkedWorker]:
        waiting = {worker.connection: worker for worker in workers}
        return [waiting[each] for each in wait(list(waiting))]

    try:
        explore_with(explorer, limit, passing, count, connect, ready, is_forked=True)
    except KeyboardInterrupt:
        explorer.asked[0] = explorer.asked[0] or max(shared)
        raise
