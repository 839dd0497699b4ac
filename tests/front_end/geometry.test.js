// Where things stand in the lanes: along the positions, along the times, in groups, and which are near.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Chart, markOf, namedAt, nearestMark, neighbour, readMark,
  STEP_KINDS } from "../../calamity_lab/widgets/chart.js";
import { denseBars, eachInSight, labelsBeside, Lanes, marksInSight,
  ringPath } from "../../calamity_lab/widgets/lanes.js";
import { cutName } from "../../calamity_lab/widgets/elements.js";
import { LOOKS } from "../../calamity_lab/widgets/looks.js";
import { Span } from "../../calamity_lab/widgets/span.js";

/** @type {import("#views").LaneRow[]} */
const LANES = [
  { stream_id: "Order-1", category: "Order", kind: "aggregate" },
  { stream_id: "Saga-1", category: "Saga", kind: "process manager" },
  { stream_id: "Order-2", category: "Order", kind: "aggregate" },
  { stream_id: "Totals", category: "Totals", kind: "projection" },
];

/**
 * Six events in two lanes, a second apart but for an hour before the fifth; three steps in the gap before the third;
 * the changes of a projection as columns.
 * @param {number[][]} changes @param {number[][]} deadlines
 */
function chart(changes = [[], [], []], deadlines = [[], [], [], [], []]) {
  const made = new Chart();
  made.take({
    kept: [0, 0, 0, 0, 0, 0],
    names: ["Placed", "Place", "→ Ship"],
    lanes: LANES,
    columns: [
      [4, 8, 20, 24, 28, 32], // moments
      [0, 2, 0, 2, 0, 2], // lanes
      [0, 0, 0, 0, 0, 0], // names
      [0, 1e3, 2e3, 3e3, 3603e3, 3604e3], // times
      [1, 2, 3, 10, 11, 12], // positions, of which some are missing
      [10, 12, 14], // the steps' moments
      [5, 5, 5], // twice the place among the events
      [1, 1, 1], // lanes
      ["started", "continued", "stopped"].map((kind) => STEP_KINDS.indexOf(kind)),
      [1, 1, 1], // names
      [2, 2, 2], // labels
      ...changes,
      ...deadlines,
    ],
  });
  return made;
}

test("a mark stands where its event is, and steps in one gap share the room there", () => {
  const marks = [markOf("event", 1), ...[10, 12, 14].map((moment) => markOf("step", moment)), markOf("event", 3)].map((
    mark,
  ) => chart().at(mark));
  assert.deepEqual(marks.map((mark) => mark?.key), ["event 1", "step 10", "step 12", "step 14", "event 3"]);
  assert.deepEqual(marks.map((mark) => mark?.among), [1, 2.25, 2.5, 2.75, 3]);
  assert.deepEqual(marks.map((mark) => mark?.moment), [4, 10, 12, 14, 20]);
  assert.deepEqual(chart().kinds(), ["event", "started", "continued", "stopped"]);
  assert.equal(chart().at("step 12")?.kind, "continued");
});

/** So many deadlines in one lane: the first is kept, each other one is taken off where the next one is set. */
function withDeadlines(/** @type {number} */ many) {
  const [set, off] = ["set", "taken off"].map((end) => LOOKS.lanes.deadline.ends.indexOf(end));
  const items = [[0, 1, set, 0, 1]];
  for (let number = 2; number <= many; number += 1) {
    items.push([number, 1, set, 0, number], [number + 1, 1, off, 0, number]);
  }
  return chart(undefined, [0, 1, 2, 3, 4].map((column) => items.map((item) => item[column])));
}

/** What is in sight between two moments, and how many ends of deadlines are read for it. */
function sought(/** @type {number} */ many, /** @type {number} */ since, /** @type {number} */ until) {
  const inRow = withDeadlines(many).deadlinesIn(1);
  assert.ok(inRow);
  let reads = 0;
  inRow.latest = inRow.latest.map((ends) =>
    new Proxy(ends, { get(target, name) {
      reads += 1;
      return Reflect.get(target, name);
    } })
  );
  const found = inRow.inSight(since, until, many).map(({ number }) => number);
  return { found: found.sort((one, other) => one - other), reads };
}

test("of very many deadlines those in sight are found by reading few", () => {
  const [few, many] = [sought(100, 50, 55), sought(100_000, 50_000, 50_005)];
  assert.deepEqual(few.found, [1, 49, 50, 51, 52, 53, 54, 55]);
  assert.deepEqual(many.found, [1, 49_999, 50_000, 50_001, 50_002, 50_003, 50_004, 50_005]);
  assert.ok(many.reads < 4 * few.reads, `${many.reads} and ${few.reads}`);
});

test("an event has its position, which is not its number where positions are missing", () => {
  assert.deepEqual([3, 4, 6].map((event) => chart().at(markOf("event", event))?.position), [3, 10, 12]);
  assert.equal(chart().at("step 12")?.position, null);
});

test("a mark that the run does not have is nothing, also where another kind has that number", () => {
  for (const mark of [markOf("event", 0), markOf("event", 7), markOf("event", 10), markOf("step", 0), markOf("step", 4),
    markOf("step", 11)])
  {
    assert.equal(chart().at(mark), null, mark);
  }
});

test("a change of a projection stands where the event is that made it, in the lane of the projection", () => {
  const kinds = ["projection", "rejected"].map((kind) => STEP_KINDS.indexOf(kind));
  const made = chart([[2, 5], [3, 3], kinds]);
  const [changed, broken] = [markOf("change", 1), markOf("change", 2)].map((mark) => made.at(mark));
  assert.deepEqual(changed, { key: "change 1", kind: "projection", name: "Placed", label: "Placed", position: null,
    among: 2, lane: 3, moment: 8 });
  assert.deepEqual([broken?.kind, broken?.among, broken?.moment], ["rejected", 5, 28]);
  assert.equal(made.at(markOf("change", 3)), null);
  assert.deepEqual(made.kinds(), ["event", "started", "continued", "stopped", "projection"]);
  /** @type {any[]} */
  const found = [];
  const span = Object.assign(new Span(made), { from: 1.5, width: 2 });
  eachInSight(made, span, (...mark) => found.push(mark));
  assert.deepEqual(found.filter(([, , , , change]) => change), [["projection", 2, 3, 8, 1]]);
});

test("a mark is read as the event, the step or the change that it names", () => {
  assert.deepEqual([markOf("event", 12), markOf("step", 12), markOf("change", 12), null].map(readMark), [{ event: 12 },
    { step: 12 }, {
    change: 12,
  }, {}]);
});

test("how many events are past follows from the moment", () => {
  assert.deepEqual([0, 4, 19, 20, 99].map((moment) => chart().past(moment)), [0, 1, 2, 3, 6]);
});

test("the event at a point along the run is the one that stands there, by position and by time", () => {
  const span = new Span(chart());
  for (const axis of /** @type {const} */ (["position", "time"])) {
    span.choose(axis);
    for (let event = 1; event <= 6; event += 1) assert.equal(span.eventAt(span.at(event)), event, `${axis} ${event}`);
  }
});

test("along the time an idle gap is folded, and its place is noted", () => {
  const span = new Span(chart());
  span.choose("time");
  assert.deepEqual(span.folds, [4]);
  assert.ok(span.length < 15, `an hour takes ${span.length} units`);
});

test("a zoom leaves the point under the pointer where it is", () => {
  const span = new Span(chart());
  span.fit(24);
  const point = span.from + 0.25 * span.width;
  span.zoom(0.5, 0.25);
  assert.equal(span.from + 0.25 * span.width, point);
});

test("the window follows the cursor in strides, so that it seldom moves", () => {
  const long = new Chart();
  const numbers = Array.from({ length: 200 }, (_, place) => place + 1);
  const zeros = numbers.map(() => 0);
  long.take({ kept: [0, 0, 0, 0, 0, 0], names: ["A"], lanes: LANES,
    columns: [numbers, zeros, zeros, numbers, numbers, ...Array.from({ length: 14 }, () => [])] });
  const span = new Span(long);
  span.fit(20);
  const starts = numbers.map((now) => {
    span.follow(now);
    return span.from;
  });
  assert.ok(new Set(starts).size <= 20);
  for (const now of numbers) assert.ok(span.at(now) >= starts[now - 1] && span.at(now) <= starts[now - 1] + span.width);
});

test("lanes are grouped by type, aggregates first, projections last, and a folded group is one row", () => {
  const lanes = new Lanes();
  lanes.lay(chart(), []);
  assert.deepEqual(lanes.rows.map(({ key }) => key), ["aggregate Order", "Order-1", "Order-2", "Saga-1", "Totals"]);
  assert.deepEqual([...lanes.rowOf], [1, 3, 2, 4]);
  lanes.toggle("aggregate Order");
  lanes.lay(chart(), []);
  assert.deepEqual([...lanes.rowOf], [0, 1, 0, 2]);
});

test("every mark in the span is found once, and the arrow keys go from one to the next", () => {
  const [made, lanes] = [chart(), new Lanes()];
  const span = new Span(made);
  span.fit(24);
  lanes.lay(made, []);
  /** @type {number[]} */
  const moments = [];
  eachInSight(made, span, (_kind, _among, _lane, moment) => moments.push(moment));
  assert.deepEqual(moments, [4, 8, 20, 24, 28, 32, 10, 12, 14]);
  const marks = marksInSight(made, span, lanes, [0, 9], 480);
  assert.deepEqual(marks.map(({ key }) => key), ["event 1", "event 2", "step 10", "step 12", "step 14", "event 3",
    "event 4", "event 5", "event 6"]);
  const first = marks[0];
  assert.equal(nearestMark(marks, first.x + 3, first.y - 3), first);
  assert.equal(nearestMark(marks, first.x, first.y - 40), null);
  assert.equal(neighbour(marks, first, "ArrowRight")?.key, "event 2");
  assert.equal(neighbour(marks, first, "ArrowLeft"), null);
});

test("where marks stand too close, reactions of any kind share a bar, rejections keep a cross, commands are left out", () => {
  const [made, lanes] = [chart(), new Lanes()];
  const span = new Span(made);
  span.fit(24);
  lanes.lay(made, []);
  const bars = (/** @type {string} */ kind) => {
    made.steps.kinds.fill(STEP_KINDS.indexOf(kind));
    return denseBars(made, span, lanes, [0, 9], 480).filter((bar) => bar.kind !== "event");
  };
  const reactions = LOOKS.reactions.map(bars);
  assert.equal(reactions[0].length, 3);
  for (const other of reactions) assert.deepEqual(other, reactions[0]);
  assert.deepEqual(bars("rejected").map(({ kind }) => kind), ["rejected", "rejected", "rejected"]);
  assert.notEqual(bars("rejected")[0].drawn, reactions[0][0].drawn);
  assert.deepEqual(bars("command"), []);
});

/** @returns {import("../../calamity_lab/widgets/types.js").DrawnMark} */
function drawn(/** @type {number} */ event, /** @type {string} */ kind, /** @type {number} */ x, y = 12) {
  return { key: markOf("event", event), kind, among: event, lane: 0, moment: event, x, y };
}

/** The names of marks, each 100 pixels wide, by the number of their mark. */
function names(/** @type {ReturnType<typeof drawn>[]} */ marks, plot = 400) {
  const labels = labelsBeside(marks, plot, ({ kind }) => kind, () => 100);
  return Object.fromEntries(labels.map((label) => [label.key, label.isLeft ? "left" : "right"]));
}

test("a name has its place beside its mark, a command's before it, and none over a mark, a name or an edge", () => {
  assert.deepEqual(names([drawn(1, "command", 185), drawn(2, "event", 200)]), { "event 1": "left",
    "event 2": "right" });
  assert.deepEqual(names([drawn(1, "event", 350)]), { "event 1": "left" });
  assert.deepEqual(names([drawn(1, "event", 20), drawn(2, "event", 143)], 160), {});
  assert.deepEqual(names([drawn(1, "event", 20), drawn(2, "event", 144)], 160), { "event 1": "right" });
  assert.deepEqual(names([drawn(1, "command", 20), drawn(2, "rejected", 250)], 260), { "event 2": "left" });
  assert.deepEqual(names([drawn(1, "event", 20), drawn(2, "event", 30, 36)], 160), { "event 1": "right",
    "event 2": "right" });
});

test("a press on a name is one on its mark", () => {
  const labels = labelsBeside([drawn(1, "command", 185), drawn(2, "event", 200)], 400, ({ kind }) => kind, () => 100);
  assert.equal(namedAt(labels, 120, 15)?.key, "event 1");
  assert.equal(namedAt(labels, 250, 9)?.key, "event 2");
  assert.equal(namedAt(labels, 350, 9), undefined);
  assert.equal(namedAt(labels, 250, 40), undefined);
});

test("marks that are close to each other in a row share a ring", () => {
  assert.equal(ringPath([drawn(1, "command", 50), drawn(2, "event", 65)]), "M41.0 2H74.0v20H41.0z");
  assert.equal(ringPath([drawn(1, "command", 50), drawn(2, "event", 65, 36)]).match(/M/g)?.length, 2);
  assert.equal(ringPath([drawn(1, "command", 50), drawn(2, "event", 90)]).match(/M/g)?.length, 2);
});

test("the command at a moment is the last one that was dispatched or rejected", () => {
  const made = chart();
  made.steps.kinds.set(["command", "continued", "rejected"].map((kind) => STEP_KINDS.indexOf(kind)));
  assert.deepEqual([9, 10, 12, 13, 14, 99].map((moment) => made.commandBefore(moment)), [0, 10, 10, 10, 14, 14]);
});

test("of a long name of a stream the type and the id can be read", () => {
  const measure = { getContext: () => ({ measureText: (/** @type {string} */ text) => ({ width: 6 * text.length }) }) };
  Object.assign(globalThis, { document: { createElement: () => measure } });
  assert.equal(cutName("BankAccount", "-bob", 90, 12), "BankAccount-bob");
  assert.equal(cutName("BankAccount", "-bob", 72, 12), "BankAcc…-bob");
  assert.equal(cutName("", "order-of-2024-0017", 60, 12), "order…0017");
  assert.equal(cutName("Order", "-of-a-very-long-id-0017", 60, 12), "Order…0017");
});
