// How lists keep what has not changed, and what the front end puts together from patches.
import assert from "node:assert/strict";
import { test } from "node:test";

import { namesOf, plural } from "../../calamity_lab/widgets/elements.js";
import { nameRoom } from "../../calamity_lab/widgets/branches.js";
import { densityOf } from "../../calamity_lab/widgets/controls.js";
import { canMove, waitingSentence, withRows } from "../../calamity_lab/widgets/lab_handle.js";
import { longestAscent } from "../../calamity_lab/widgets/lists.js";

test("the nodes that stay in place are the longest ascent, so that as few as possible move", () => {
  const kept = (/** @type {number[]} */ numbers) => longestAscent(numbers).map((index) => numbers[index]);
  assert.deepEqual(kept([0, 1, 2, 3]), [0, 1, 2, 3]);
  assert.deepEqual(kept([3, 0, 1, 2]), [0, 1, 2]);
  assert.deepEqual(kept([1, 2, 3, 0]), [1, 2, 3]);
  assert.deepEqual(kept([-1, 4, -1, 2, 5, -1]), [2, 5]);
  assert.deepEqual(kept([]), []);
});

test("rows that come as an index are the rows that had this index before", () => {
  const before = { rows: [{ id: "a" }, { id: "b" }] };
  const changed = { total: 3, rows: { rows: [1, { id: "c" }, 0] } };
  assert.deepEqual(withRows(before, changed), { total: 3, rows: [{ id: "b" }, { id: "c" }, { id: "a" }] });
});

test("a patch that counts on rows which are not known is not taken", () => {
  assert.equal(withRows(undefined, { rows: { rows: [0] } }), null);
  assert.equal(withRows({ rows: [] }, { rows: { rows: [0] } }), null);
});

test("a move is possible where something is before or after the cursor", () => {
  const controls = (/** @type {any} */ where, underWay = "") => ({ values: { controls: where }, underWay });
  const start = canMove(controls({ cursor: 0, last: 5, at_end: false }));
  assert.deepEqual(["step_back", "restart", "end", "step_over"].map(start), [false, false, true, true]);
  const end = canMove(controls({ cursor: 5, last: 5, at_end: true }));
  assert.deepEqual(["step_back", "restart", "end", "resume"].map(end), [true, true, false, false]);
  const running = canMove(controls({ cursor: 2, last: 5, at_end: false }, "resume"));
  assert.deepEqual(["step_back", "restart", "end", "resume"].map(running), [false, false, false, false]);
  assert.equal(canMove({ values: {}, underWay: "" })("step_over"), false);
});

test("a number and its noun agree", () => {
  assert.deepEqual([0, 1, 2, 12_000].map((number) => plural(number, "event")), ["0 events", "1 event", "2 events",
    "12,000 events"]);
});

test("a stream's name is its category and the rest; a name that does not begin with it is the rest", () => {
  assert.deepEqual(namesOf({ stream_id: "Order-1-2", category: "Order" }), ["Order", "-1-2"]);
  assert.deepEqual(namesOf({ stream_id: "x", category: "Order" }), ["", "x"]);
});

test("what waits for Python is named, the same thing once, and what a person did not ask for is left out", () => {
  const asked = [{ verb: "ready" }, { verb: "step_over" }, { verb: "step_over" }, { verb: "goto", moment: 1200 }, {
    verb: "set_options",
  }, { verb: "step_over" }, { verb: "send", command: "OpenAccount" }];
  assert.equal(waitingSentence(asked, false),
    "Waiting for Python: Step over (2 times), Go to step 1,200, Step over, Send OpenAccount");
  assert.equal(waitingSentence([{ verb: "ready" }], false),
    "Python is busy. What you press waits until Python is free.");
  assert.equal(waitingSentence([{ verb: "resume" }], true),
    "Waiting for Python: Resume. Python is busy, or the kernel was stopped. If it was stopped, run the cell again.");
});

test("where commands are too many to be seen apart, each part of the run shows how many it has", () => {
  assert.deepEqual(densityOf([0, 1, 2, 3, 9], 9, 2), [1, 0.25]);
  assert.deepEqual(densityOf([], 0, 3), [0, 0, 0]);
  assert.deepEqual(densityOf([0], 0, 0), [1]);
});

test("the name of a branch is put where all of it has room: before its line, behind it, or over it", () => {
  assert.deepEqual(nameRoom(200, 400, 900, 84), [100, 100]);
  assert.deepEqual(nameRoom(50, 400, 900, 84), [400, 100]);
  assert.deepEqual(nameRoom(50, 800, 900, 84), [58, 100]);
  const [left, width] = nameRoom(8, 200, 260, 400);
  assert.ok(left >= 0 && left + width <= 200, "a name that has no room is cut");
});
