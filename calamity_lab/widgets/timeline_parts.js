// What the timeline is built of: its bar, its plot, the axis above, the tip, and the list in place of lanes.

import { button, discloses, mountHandle } from "./buttons.js";
import { clamp, count, draw, freshId, make, nameParts, put, setText, show } from "./elements.js";
import { keepInSight, keyed } from "./lists.js";
import { markOf } from "./chart.js";
import { glyph } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { Span } from "./span.js"
 * @import { Timeline } from "./timeline.js"
 * @import { Mark, Pointed } from "#views"
 * @import { ChartMark, PlacedMark } from "./types.js"
 */

export const AXIS = 20;
export const ZOOM = 1.6;
const LEAST_LABEL = 90;

export function buildTimeline(/** @type {Timeline} */ timeline) {
  const title = freshId("timeline");
  /** @param {import("./buttons.js").ButtonOptions} options */
  const small = (options) => button({ kind: "cl-small cl-quiet", title: options.label, ...options });
  const back = small({ icon: "left", label: "Earlier events", on: () => timeline.pan(-0.5, back) });
  const on = small({ icon: "right", label: "Later events", on: () => timeline.pan(0.5, on) });
  const nearer = small({ icon: "add", label: "Zoom in", on: () => timeline.zoom(1 / ZOOM) });
  const further = small({ icon: "less", label: "Zoom out", on: () => timeline.zoom(ZOOM) });
  const whole = small({ icon: "whole", label: "Show the whole run", on: () => {
    timeline.span.showAll();
    timeline.paint();
  } });
  const follow = small({ icon: "follow", label: "Follow the cursor", on: () => timeline.followCursor() });
  const sift = small({ icon: "sift", label: "Only lanes in sight", title: "Only lanes in which something is in sight",
    on: () => timeline.siftLanes() });
  const byTime = small({ icon: "clock", label: "By time", title: "By time: idle gaps are folded",
    on: () => timeline.choose(timeline.span.axis === "time" ? "position" : "time") });
  const where = make("span", { class: "cl-muted cl-where-events", title: "Positions of the events in sight" });
  const legend = mountLegend(small);
  const selection = buildSelection(timeline);
  const plot = buildPlot(timeline);
  const hint = make("p", { class: "cl-hint", text: "No event has been recorded yet." });
  const node = make("div", { class: "cl-pane cl-timeline", role: "group", "aria-labelledby": title },
    make("header", { role: "none" }, make("h2", { id: title, text: "Timeline" }), selection.chosen,
      make("span", { class: "cl-gap" }),
      make("span", { class: "cl-lane-tools" }, where, back, on, further, nearer, whole, follow, sift, byTime,
        legend.button)), plot.scroll, plot.listed.node, hint, plot.tip.node, legend.list);
  const column = mountHandle(node, plot.labels, { label: "Width of the lane names", property: "--cl-label",
    way: "width", least: LEAST_LABEL, most: () => node.clientWidth / 2, sized: () => timeline.measure() });
  node.append(column.node);
  return { ...selection, ...plot, back, on, nearer, further, whole, follow, sift, byTime, where, hint, column,
    legend: legend.list, node };
}

/** What each shape means, behind a button. @param {(options: import("./buttons.js").ButtonOptions) => HTMLElement} small */
function mountLegend(small) {
  const list = make("ul", { class: "cl-legend", id: freshId("legend"), "aria-label": "Legend" });
  const toggle = small({ icon: "legend", label: "Legend", title: "Legend: what each shape means" });
  discloses(toggle, list);
  return { button: toggle, list };
}

function buildSelection(/** @type {Timeline} */ timeline) {
  const chosenWords = make("span", { class: "cl-chosen-words" });
  const zoomToIt = button({ icon: "whole", label: "Zoom to the selection", title: "Zoom to the selection",
    kind: "cl-small cl-quiet", on: () => {
      timeline.span.showEvents(timeline.selected.first, timeline.selected.last);
      timeline.paint();
    } });
  const clear = button({ icon: "close", label: "Clear the selection", title: "Clear the selection (Escape)",
    kind: "cl-small cl-quiet", on: () => timeline.lab.select({}) });
  const chosen = make("span", { class: "cl-selection", hidden: true }, chosenWords, zoomToIt, clear);
  return { chosen, chosenWords, zoomToIt };
}

function buildPlot(/** @type {Timeline} */ timeline) {
  const lines = draw("path", { class: "cl-lane-line" });
  const future = draw("rect", { class: "cl-future" });
  const band = draw("rect", { class: "cl-band" });
  const brush = draw("rect", { class: "cl-band cl-brush", display: "none" });
  const nowLine = draw("g", { class: "cl-now" }, draw("line"));
  const paths = draw("g");
  const deadlines = ["past", "later"].map((tense) => draw("path", { class: `cl-deadlines cl-${tense}` }));
  const names = draw("g", { class: "cl-mark-names", "aria-hidden": "true" });
  const rings = draw("path", { class: "cl-rings" });
  const causes = draw("path", { class: "cl-arrow cl-cause" });
  const effects = draw("path", { class: "cl-arrow cl-effect" });
  const option = draw("g", { role: "option", tabindex: "0", class: "cl-mark" },
    draw("rect", { class: "cl-mark-target" }), draw("rect", { class: "cl-mark-ring", rx: 4 }));
  const list = draw("g", { role: "listbox", "aria-label": "What happened, in order" }, option);
  const svg = draw("svg", { class: "cl-plot" }, future, band, lines, nowLine, causes, effects, ...deadlines, names,
    paths, rings, list, brush);
  const labels = make("div", { class: "cl-lane-labels" });
  const body = make("div", { class: "cl-lane-rows" }, labels, svg);
  const axis = mountAxis();
  const scroll = make("div", { class: "cl-scroll cl-lanes", tabindex: "-1" }, axis.node, body);
  const tip = mountTip(timeline.lab);
  const listed = mountLaneList((mark, press) => timeline.lab.select({ mark, go: true }, press));
  return { lines, future, band, brush, nowLine, paths, deadlines, names, rings, causes, effects, option, list, svg,
    labels, body, axis, scroll, tip, listed };
}

/** The positions of the events above the lanes, or their times; in sight however far one scrolls. */
function mountAxis() {
  const ticks = draw("g");
  const folds = draw("path", { class: "cl-folds" });
  const tip = draw("path", { class: "cl-now-tip", d: "M-4.5 0H4.5L0 6z" });
  const svg = draw("svg", { class: "cl-axis", height: AXIS }, ticks, folds, tip);
  return {
    node: make("div", { class: "cl-axis-row", "aria-hidden": "true", title: "Drag to move along the run" }, svg),
    update(/** @type {Timeline} */ timeline, /** @type {number} */ plot) {
      const { span } = timeline;
      const scale = plot / span.width;
      const marks = (span.axis === "time" ? timeTicks : positionTicks)(span, scale).map((tick) => ({ ...tick,
        x: Math.max((span.at(tick.event) - span.from) * scale, 3.4 * tick.text.length).toFixed(1) })
      );
      put(svg, "width", plot);
      keyed(ticks, marks, ({ event, text }) => `${event} ${text}`, ({ text }) => draw("text", { y: 13, text }),
        (node, { x }) => put(node, "x", x));
      put(folds, "d", foldMarks(span, scale));
      const now = timeline.nowAt();
      put(tip, "transform", `translate(${now} ${AXIS - 6})`);
      show(tip, now >= 0 && now <= plot);
    },
  };
}

/** A caret where an idle gap is folded, where there is room for it. */
function foldMarks(/** @type {Span} */ span, /** @type {number} */ scale) {
  if (span.axis !== "time") return "";
  let [d, last] = ["", -Infinity];
  for (const event of span.folds) {
    const x = (span.at(event + 0.5) - span.from) * scale;
    if (x < 0 || x > span.width * scale || x - last < 9) continue;
    last = x;
    d += `M${(x - 3).toFixed(1)} 18l3-5 3 5`;
  }
  return d;
}

function positionTicks(/** @type {Span} */ span, /** @type {number} */ scale) {
  const [first, last] = [Math.max(span.eventAt(span.from), 1),
    Math.min(span.eventAt(span.to) - 1, span.chart.events.length)];
  if (first > last) return [];
  const { positions } = span.chart.events;
  const wide = 10 + 7 * count(positions[last - 1]).length;
  const every =
    [1, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5].find((each) => each * scale >= wide) ?? 1e6;
  const ticks = first === 1 && every > 1 ? [1] : [];
  for (let event = Math.ceil(first / every) * every; event <= last; event += every) ticks.push(event);
  return ticks.map((event) => ({ event, text: count(positions[event - 1]) }));
}

/** The time of an event every so many pixels; the day, where it is another one than before. */
function timeTicks(/** @type {Span} */ span, /** @type {number} */ scale) {
  const { times, length } = span.chart.events;
  const [first, last] = [Math.max(span.eventAt(span.from), 1), Math.min(span.eventAt(span.to) - 1, length)];
  const until = times[last - 1] - times[first - 1] < 20_000 ? 23 : 19;
  const ticks = [];
  let [day, event] = ["", first];
  while (event <= last) {
    const at = new Date(times[event - 1]).toISOString();
    const isNew = at.slice(0, 10) !== day;
    day = at.slice(0, 10);
    const text = isNew ? at.slice(0, until).replace("T", " ") : at.slice(11, until);
    ticks.push({ event, text });
    const half = 3.4 * text.length;
    const beyond = Math.max(span.at(event), span.from + half / scale) + (2 * half + 24) / scale;
    event = Math.max(event + 1, span.eventAt(beyond));
  }
  return ticks;
}

/** What is under the pointer: its name at once, and its sentence when Python has answered. */
function mountTip(/** @type {LabHandle} */ lab) {
  const node = make("div", { class: "cl-tip", hidden: true, "aria-hidden": "true" });
  /** @type {Mark | null} */
  let shown = null;
  let resting = 0;
  return {
    node,
    /** @param {PlacedMark} mark @param {string} words @param {number} x @param {number} y @param {HTMLElement} pane */
    show(mark, words, x, y, pane) {
      if (shown === mark.key && !node.hidden) return;
      shown = mark.key;
      setText(node, words);
      node.hidden = false;
      node.style.left = `${clamp(x + 12, 4, Math.max(4, pane.clientWidth - 260))}px`;
      node.style.top = `${y + 52}px`;
      clearTimeout(resting);
      resting = window.setTimeout(() => lab.setOptions("pointed", { mark: shown }), 120);
    },
    hide() {
      clearTimeout(resting);
      node.hidden = true;
      shown = null;
    },
    complete(/** @type {Pointed | undefined} */ pointed) {
      if (!node.hidden && pointed?.mark === shown && pointed?.sentence) setText(node, pointed.sentence);
    },
  };
}

// Where there is no room for lanes: what happened around the cursor as a list, the latest in the middle.

const LISTED_BEFORE = 10;
const LISTED_AFTER = 5;

function mountLaneList(/** @type {(mark: Mark, press: Event) => void} */ pick) {
  const list = make("ol", { class: "cl-lane-list" });
  return {
    node: list,
    update(/** @type {Timeline} */ timeline) {
      const { chart, cursor } = timeline;
      const latest = timeline.latest();
      const rows = marksAround(chart, timeline.now, cursor).map((mark) => ({
        ...mark,
        words: timeline.words(mark),
        stream_id: chart.lanes[mark.lane].stream_id,
        category: chart.lanes[mark.lane].category,
        isPast: mark.moment <= cursor,
        isLatest: latest !== null && mark.moment === latest.moment,
        isPicked: timeline.isSelected(mark),
      }));
      keyed(list, rows, ({ key }) => key, (row) => listedMark(row, pick), updateListed);
      timeline.lab.later(() => keepInSight(list.querySelector("[aria-current]"), list));
    },
  };
}

/**
 * The marks before and after the cursor, in order of what happened.
 * @param {import("./chart.js").Chart} chart @param {number} now @param {number} cursor
 */
function marksAround(chart, now, cursor) {
  /** @type {Mark[]} */
  const keys = [];
  const [before, last] = [Math.max(now - LISTED_BEFORE, 0), Math.min(now + LISTED_AFTER, chart.events.length)];
  for (let event = before + 1; event <= last; event += 1) keys.push(markOf("event", event));
  const changed = [chart.changes.upto("events", before), chart.changes.upto("events", last)];
  for (let change = changed[0] + 1; change <= changed[1]; change += 1) keys.push(markOf("change", change));
  const step = chart.steps.upto("moments", cursor);
  const end = Math.min(step + LISTED_AFTER, chart.steps.length);
  const moments = chart.steps.moments.subarray(Math.max(step - LISTED_BEFORE, 0), end);
  keys.push(...Array.from(moments, (moment) => markOf("step", moment)));
  const marks = keys.flatMap((key) => chart.at(key) ?? []).sort((one, other) => one.moment - other.moment);
  const at = marks.filter(({ moment }) => moment <= cursor).length;
  return marks.slice(Math.max(at - LISTED_BEFORE, 0), at + LISTED_AFTER);
}

/**
 * @typedef {ChartMark & {
 *   words: string, stream_id: string, category: string, isPast: boolean, isLatest: boolean, isPicked: boolean,
 * }} Listed
 */

/** @param {Listed} row @param {(mark: Mark, press: Event) => void} pick */
function listedMark(row, pick) {
  const name = make("span", { class: "cl-listed-name",
    text: row.position === null ? row.name : `${row.name} #${count(row.position)}` });
  const node = make("button", { type: "button", class: "cl-listed",
    on: { click: (/** @type {Event} */ press) => pick(row.key, press) } }, glyph(row.kind), name,
    make("span", { class: "cl-listed-stream cl-muted" }, ...nameParts(row)));
  return make("li", {}, node);
}

function updateListed(/** @type {Element} */ item, /** @type {Listed} */ { words, isPast, isLatest, isPicked }) {
  const node = item.children[0];
  put(node, "class", `cl-listed ${isPast ? "cl-past" : "cl-later"}`);
  put(node, "aria-label", words);
  put(node, "aria-current", isLatest ? "step" : null);
  put(node, "aria-pressed", isPicked ? "true" : "false");
}
