// The table of events: past ones, and future ones greyed; a press goes to the moment of the record, and shows the event whole.

import { button, pager, searchBox } from "./buttons.js";
import { count, make, nameParts, plural, put, setText, show } from "./elements.js";
import { addPicked, isPosition, keepInSight, keyed } from "./lists.js";
import { glyph } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { EventRow, EventTable } from "#views"
 */

const EVENT_PAGE = 40;
const EVENT_COLUMNS = ["#", "Stream", "Event", "Fields", "Command", "Time"];

export function mountEvents(/** @type {HTMLElement} */ root, /** @type {LabHandle} */ lab) {
  const search = searchBox("Search the events", (query) => lab.setOptions("events", { query, first: null }));
  const total = make("span", { class: "cl-muted" });
  const pages = pager("events", (first) => {
    lab.setOptions("events", { first });
    show(follow, true);
  });
  const follow = button({ icon: "follow", text: "Follow", title: "Follow the cursor", kind: "cl-small", on: () => {
    lab.setOptions("events", { first: null });
    show(follow, false);
  } });
  const body = make("tbody");
  const table = make("table", { class: "cl-table" },
    make("thead", {}, make("tr", {}, ...EVENT_COLUMNS.map((text) => make("th", { scope: "col", text })))), body);
  const hint = make("p", { class: "cl-hint" });
  const scroll = make("div", { class: "cl-scroll cl-view-body cl-events", tabindex: "-1" }, table, hint);
  show(follow, false);
  addPicked(lab, "events", body, scroll,
    (/** @type {ReturnType<typeof eventRow>} */ node, selected) => isPosition(node.position(), selected));
  root.append(make("div", { class: "cl-bar" }, search, total, make("span", { class: "cl-gap" }), follow, pages.node),
    scroll);
  return {
    parts: ["events"],
    search,
    update(/** @type {EventTable} */ { rows, total: all, now, first }, /** @type {Partial<EventTable>} */ patch) {
      setText(total, all ? `${count(now)} of ${plural(all, "event")} so far` : "");
      pages.update(first, rows.length, all, EVENT_PAGE);
      show(table, rows.length > 0);
      show(hint, !rows.length);
      setText(hint, search.value ? "No matches" : "No event has been recorded yet.");
      if (patch.rows) keyed(body, rows, (row) => row.position, (row) => eventRow(row, lab), updateEventRow);
      if (patch.first !== undefined || patch.now !== undefined) markLatest(body, rows, scroll, lab);
    },
  };
}

function eventRow(/** @type {EventRow} */ first, /** @type {LabHandle} */ lab) {
  let row = first;
  const jump = make("button", { type: "button", class: "cl-link",
    title: "See this event whole, and go to its moment" });
  const line = make("tr", { on: { click: (/** @type {Event} */ press) => pickEvent(row, lab, press) } },
    make("td", { class: "cl-figure" }, jump), make("td", {}, make("span", { class: "cl-stream" })),
    make("td", {}, glyph("event"), make("span")), make("td", { class: "cl-event-fields" }), make("td"),
    make("td", { class: "cl-time" }));
  return Object.assign(line, {
    setRow(/** @type {EventRow} */ changed) {
      row = changed;
    },
    position: () => row.position,
  });
}

/** @param {EventRow} row @param {LabHandle} lab @param {Event} press */
function pickEvent({ position, moment }, lab, press) {
  lab.select({ position }, press);
  lab.goto(moment);
}

function updateEventRow(/** @type {ReturnType<typeof eventRow>} */ node, /** @type {EventRow} */ row) {
  node.setRow(row);
  const [position, stream, type, fields, command, time] = node.children;
  put(node, "class", row.is_past ? "cl-past" : "cl-later");
  put(position.children[0], "aria-label", `Go to event ${row.position}, ${row.type}${row.is_past ? "" : " (not yet)"}`);
  setText(position.children[0], count(row.position));
  // Without room, the type is cut first: the id distinguishes the streams.
  stream.children[0].replaceChildren(...nameParts({ stream_id: row.stream_id, category: row.stream_id.split("-")[0] }));
  put(stream, "title", `${row.stream_id}, version ${count(row.version)}`);
  setText(type.children[1], row.type);
  setText(fields, row.fields);
  put(fields, "title", row.fields);
  setText(command, row.command);
  setText(time, row.recorded_at.replace(/^\d{4}-\d\d-\d\d /, "").replace(/(\.\d+)?(\+00:00)?$/, ""));
  put(time, "title", `${row.recorded_at}, correlation ${row.correlation}`);
}

/**
 * Marks the last of the past events, and keeps it in sight.
 * @param {Element} body @param {EventRow[]} rows @param {Element} scroll @param {LabHandle} lab
 */
function markLatest(body, rows, scroll, lab) {
  const current = rows.findLastIndex((row) => row.is_past);
  [...body.children].forEach((node, index) => put(node, "aria-current", index === current ? "true" : null));
  lab.later(() => keepInSight(body.children[current], scroll, 28));
}
