// What a page of a run answers in Python's stead: windows of long lists, and what is found.
import assert from "node:assert/strict";
import { test } from "node:test";

import { bounded, recordedDetails, recordedSelected, Recording, USUAL_OPTIONS,
  WINDOWS } from "../../calamity_lab/widgets/page/views.js";

const ROWS = Array.from({ length: 100 }, (_, place) => ({
  mark: `event ${place + 1}`,
  kind: "event",
  position: place + 1,
  stream_id: `Order-${place % 7}`,
  name: place % 2 ? "Paid" : "Placed",
  detail: `total ${place}`,
  outcome: "",
  cause: "Pay",
  depth: 1,
  decided: null,
  is_decided: false,
  correlation: "c",
  recorded_at: "",
  moment: 2 * place + 2,
  is_past: false,
}));
/** @type {any} */
const PACKED = { log: ROWS, searchable: { streams: [], rejections: [], faults: [], waits: [] }, moments: [0, 1, 2] };
/** @type {any} */
const VALUES = { agenda: { entries: [], due: [] } };

test("a window of events holds the cursor and begins at multiples of half its width", () => {
  for (let now = 0; now <= 100; now += 1) {
    const first = bounded(null, now, 100, 40);
    assert.equal(first % 20, 0);
    assert.ok(first <= now && now <= first + 40);
  }
  assert.equal(bounded(95, 0, 100, 40), 95);
});

test("a search in the log keeps those that have the text, the past ones distinguished from the others", () => {
  const { total, now, rows } = WINDOWS.log(VALUES, { only: "events", query: " PAID ", first: 0, limit: 5 }, PACKED, 20);
  assert.deepEqual([total, now, rows.map((/** @type {any} */ row) => row.position)], [50, 5, [2, 4, 6, 8, 10]]);
  assert.ok(rows.every((/** @type {any} */ row) => row.is_past));
});

test("a search in the run tells how many are found, by kind, and the nearest before and after the cursor", () => {
  const options = { ...USUAL_OPTIONS.search, query: "total 5" };
  const found = WINDOWS.search(VALUES, options, PACKED, 60);
  assert.deepEqual(found.groups, [{ kind: "event", total: 11, shown: 6 }]);
  assert.deepEqual([found.before?.position, found.after?.position], [6, 51]);
  assert.equal(WINDOWS.search(VALUES, USUAL_OPTIONS.search, PACKED, 60).total, 0);
  /** @type {any} */
  const due = [{ command_id: "c9", deadline: "Reminder", command: "RemindGuest", origin: "Held #1",
    due_at: "00:10 UTC" }];
  const set = WINDOWS.search({ agenda: { entries: [], due } }, { ...options, query: "due 00:10" }, PACKED, 60);
  assert.deepEqual(set.hits.map((/** @type {any} */ { kind, label, detail, moment }) => [kind, label, detail, moment]),
    [["deadline", "Reminder", "RemindGuest, due 00:10 UTC, Held #1", null]]);
  assert.deepEqual([set.before, set.after], [null, null]);
});

test("the values of a moment are put together from the changes up to there, whichever was asked for before", () => {
  const steps = Array.from({ length: 80 },
    (_, place) => ({ state: { sum: { v: place }, rows: { l: [place, 0, [place]] } } }));
  /** @type {any} */
  const packed = { moments: steps.map((_, place) => place), steps, rows: [] };
  const recording = new Recording(packed);
  for (const place of [70, 3, 33, 79, 0]) {
    assert.equal(recording.at(place).state.sum, place);
    assert.equal(recording.at(place).state.rows.length, place + 1);
  }
});

test("what is picked is whole: a mark and a command as Python wrote them, a range and a stream as their events", () => {
  /** @type {any} */
  const rows = [{ kind: "event", title: "Placed #3", streams: [] }, { key: "event 3" }, { kind: "stream",
    title: "Order-2", detail: "", streams: ["Order-2"] }, { kind: "type", title: "Placed" }, { key: "event:Placed" }];
  /** @type {any} */
  const packed = { log: ROWS, rows, details: { "event 3": 1 },
    selected: { marks: { "event 3": 0 }, streams: { "Order-2": 2 }, commands: { c7: [0, 1] },
      types: { "event:Placed": [3, 4] } } };
  const whole = (/** @type {any} */ picked) => recordedDetails(packed, picked, recordedSelected(packed, picked));
  for (const picked of [{ mark: "event 3" }, { position: 3 }, { command_id: "c7" }]) {
    assert.equal(whole(picked).key, "event 3");
  }
  const range = whole({ mark: "event 2", until: 4 });
  assert.deepEqual(range.events.map(({ label }) => label), ["Paid #2", "Placed #3", "Paid #4"]);
  assert.deepEqual([whole({ mark: "event 1", until: 90 }).events.length,
    whole({ mark: "event 1", until: 90 }).more_links], [40, 50]);
  assert.deepEqual(whole({ stream_id: "Order-2" }).events.map(({ mark }) => mark).slice(0, 2), ["event 3", "event 10"]);
  assert.equal(whole({ type: "event:Placed" }).key, "event:Placed");
  assert.equal(whole({ type: "event:Nothing" }).key, "");
  assert.equal(whole({}).key, "");
});
