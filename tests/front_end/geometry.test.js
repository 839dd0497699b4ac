// Where things stand in the lanes: along the positions, along the times, in groups, and which are near.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Chart } from "../../calamity_lab/widgets/chart.js";
import { denseBars, eachInSight, Lanes, marksInSight, nearestMark,
  neighbour } from "../../calamity_lab/widgets/lanes.js";
import { Span } from "../../calamity_lab/widgets/span.js";

/** @type {import("#views").LaneRow[]} */
const LANES = [
  { stream_id: "Order-1", category: "Order", kind: "aggregate" },
  { stream_id: "Saga-1", category: "Saga", kind: "process manager" },
  { stream_id: "Order-2", category: "Order", kind: "aggregate" },
];

/** Six events in two lanes, a second apart but for an hour before the fifth; three steps in the gap before the third. */
function chart() {
  const made = new Chart();
  made.take({
    kept: [0, 0, 0, 0],
    names: ["Placed", "Place"],
    lanes: LANES,
    columns: [
      [4, 8, 20, 24, 28, 32], // moments
      [0, 2, 0, 2, 0, 2], // lanes
      [0, 0, 0, 0, 0, 0], // names
      [0, 1e3, 2e3, 3e3, 3603e3, 3604e3], // times
      [10, 12, 14], // the steps' moments
      [5, 5, 5], // twice the place among the events
      [1, 1, 1], // lanes
      [2, 3, 4], // kinds: started, continued, stopped
      [1, 1, 1], // names
    ],
  });
  return made;
}

test("a place among the events is where its event is, and steps in one gap share the room there", () => {
  const among = [1, -10, -12, -14, 3].map((place) => chart().among(place));
  assert.deepEqual(among, [1, 2.25, 2.5, 2.75, 3]);
  assert.deepEqual(chart().kinds(), ["event", "started", "continued", "stopped"]);
  assert.equal(chart().at(-12)?.kind, "continued");
  assert.equal(chart().at(-11), null);
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
  long.take({ kept: [0, 0, 0, 0], names: ["A"], lanes: LANES,
    columns: [numbers, zeros, zeros, numbers, [], [], [], [], []] });
  const span = new Span(long);
  span.fit(20);
  const starts = numbers.map((now) => {
    span.follow(now);
    return span.from;
  });
  assert.ok(new Set(starts).size <= 20);
  for (const now of numbers) assert.ok(span.at(now) >= starts[now - 1] && span.at(now) <= starts[now - 1] + span.width);
});

test("lanes are grouped by type, aggregates first, and a folded group is one row", () => {
  const lanes = new Lanes();
  lanes.lay(chart(), []);
  assert.deepEqual(lanes.rows.map(({ key }) => key), ["aggregate Order", "Order-1", "Order-2", "Saga-1"]);
  assert.deepEqual([...lanes.rowOf], [1, 3, 2]);
  lanes.toggle("aggregate Order");
  lanes.lay(chart(), []);
  assert.deepEqual([...lanes.rowOf], [0, 1, 0]);
});

test("every mark in the span is found once, and the arrow keys go from one to the next", () => {
  const [made, lanes] = [chart(), new Lanes()];
  const span = new Span(made);
  span.fit(24);
  lanes.lay(made, []);
  /** @type {number[]} */
  const places = [];
  eachInSight(made, span, (place) => places.push(place));
  assert.deepEqual(places, [1, 2, 3, 4, 5, 6, -10, -12, -14]);
  const marks = marksInSight(made, span, lanes, [0, 9], 480);
  assert.equal(marks.length, 9);
  const first = marks[0];
  assert.equal(nearestMark(marks, first.x + 3, first.y - 3), first);
  assert.equal(nearestMark(marks, first.x, first.y - 40), null);
  assert.equal(neighbour(marks, first, "ArrowRight")?.place, 2);
  assert.equal(neighbour(marks, first, "ArrowLeft"), null);
  assert.equal(denseBars(made, span, lanes, [0, 9], 480).length, 9);
});
