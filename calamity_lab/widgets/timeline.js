// The timeline: a lane for each stream, a mark for each thing that happened to it, the future greyed.
// It holds the whole run (chart.js), so that it can be dragged along without asking Python.

import { disable, isDisabled } from "./buttons.js";
import { Chart, markOf } from "./chart.js";
import { choiceOf, clamp, count, cutName, draw, make, namesOf, put, setText, show, widthOf } from "./elements.js";
import { NOTHING_SELECTED } from "./lab_handle.js";
import { clocksOf, DENSE, denseBars, densePaths, eachInSight, labelsBeside, LANE, Lanes, linePaths, linesInSight,
  MARK_STEP, marksInSight, ringPath, shapePaths } from "./lanes.js";
import { keyed } from "./lists.js";
import { LOOKS } from "./looks.js";
import { glyph, icon, kindClass, setGlyph, showStop, stopSign, stopsOf, stopWords } from "./signs.js";
import { LEAST_ZOOM, Span } from "./span.js";
import { listen } from "./timeline_input.js";
import { AXIS, buildTimeline } from "./timeline_parts.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { Stops } from "./signs.js"
 * @import { Mark } from "#views"
 * @import { DrawnLabel, DrawnLine, DrawnMark, PlacedMark, Point } from "./types.js"
 */

// What a lane's name has beside it in the column, and the size of its letters, in pixels.
const LABEL_FRAME = 56;
const NAME_SIZE = 12;
const STOP_ROOM = 18;
// The lane of the waits, which is no stream: it cannot be selected.
const CLOCK = "time passed";

export function mountTimeline(/** @type {HTMLElement} */ root, /** @type {LabHandle} */ lab) {
  const timeline = new Timeline(lab);
  root.append(timeline.nodes.node);
  return timeline;
}

export class Timeline {
  parts = ["controls", "fact", "chart", "selected", "pointed", "stops"];

  constructor(/** @type {LabHandle} */ lab) {
    this.lab = lab;
    this.chart = new Chart();
    this.span = new Span(this.chart);
    this.lanes = new Lanes();
    /** @type {DrawnMark[]} */
    this.marks = [];
    /** @type {DrawnLine[]} */
    this.lines = [];
    this.rows = [0, 0];
    this.plot = 480;
    this.labelWidth = 158;
    this.view = { top: 0, height: 8 * LANE };
    this.isListed = false;
    this.isScrolledHere = false;
    /** @type {Mark | null} */
    this.active = null;
    /** @type {number | null} */
    this.anchor = null;
    /** @type {DrawnMark | null} */
    this.focused = null;
    /** @type {number | null} */
    this.shownCursor = null;
    this.isPlanned = false;
    this.laidFor = "";
    /** @type {{ drawnFor: string, bars: ReturnType<typeof denseBars> } | null} */
    this.dense = null;
    /** @type {{ drawnFor: string, labels: DrawnLabel[] } | null} */
    this.named = null;
    this.now = 0;
    this.nodes = buildTimeline(this);
    listen(this);
    this.observer = new ResizeObserver(() => this.measure());
    for (const node of [this.nodes.scroll, this.nodes.node]) this.observer.observe(node);
  }

  close() {
    this.observer.disconnect();
    this.nodes.column.close();
  }

  /** The marks and the lines that can be walked to, in order. */
  get inSight() {
    return [...this.marks, ...this.lines].sort((one, other) => one.x - other.x || one.moment - other.moment);
  }

  get cursor() {
    return this.lab.ahead ?? (this.lab.values.controls ?? this.lab.values.fact)?.cursor ?? 0;
  }

  get selected() {
    return this.lab.values.selected ?? NOTHING_SELECTED;
  }

  update(/** @type {any} */ _value, /** @type {any} */ patch, /** @type {string} */ part) {
    if (part === "chart") {
      this.chart.take(patch);
      this.span.refresh();
      this.span.fit(this.span.room);
    }
    if (part === "pointed") this.nodes.tip.complete(this.lab.values.pointed);
    // All parts of an answer are drawn at once.
    this.paintSoon();
  }

  /** The scrubber is ahead of Python: the lanes go with it. */
  goesAhead() {
    this.paintSoon();
  }

  paintSoon() {
    if (this.isPlanned) return;
    this.isPlanned = true;
    queueMicrotask(() => {
      this.isPlanned = false;
      this.paint();
    });
  }

  measure() {
    this.labelWidth = this.nodes.labels.offsetWidth;
    const width = this.nodes.scroll.clientWidth - this.labelWidth;
    this.nodes.column.node.style.setProperty("--cl-edge-height", `${this.nodes.scroll.clientHeight}px`);
    // Measured here only: to measure while drawing costs a layout of the whole page.
    const height = Math.max(this.nodes.scroll.clientHeight - AXIS, 0);
    // Other rows may be in sight now; and what was off the page has forgotten how far it was scrolled.
    if (height !== this.view.height || width !== this.plot) this.shownCursor = null;
    this.view.height = height;
    this.scrollLater();
    // Where they are a list instead, the lanes have no width.
    this.isListed = width < 100 && this.nodes.node.clientWidth > 0;
    if (width >= 100) {
      this.plot = width;
      this.span.fit(clamp(Math.floor(this.plot / MARK_STEP), 8, 200));
    }
    this.paint();
  }

  paint() {
    const { chart, span } = this;
    const isEmpty = !chart.lanes.length;
    show(this.nodes.hint, isEmpty);
    show(this.nodes.scroll, !isEmpty);
    show(this.nodes.column.node, !isEmpty);
    this.now = chart.past(this.cursor);
    if (span.isFollowing) span.follow(this.now);
    this.layRows();
    this.followLane();
    this.paintRows();
    if (this.isListed) this.nodes.listed.update(this);
    this.paintBar();
  }

  /** The rows change with what is in sight, and so seldom. */
  layRows() {
    const { chart, span, lanes } = this;
    const laidFor = [chart.edition, span.axis, span.from, span.width, lanes.sifts(chart), ...lanes.closed].join();
    if (this.laidFor === laidFor) return;
    this.laidFor = laidFor;
    const isInSight = new Uint8Array(chart.lanes.length);
    if (lanes.sifts(chart)) {
      eachInSight(chart, span, (_kind, _among, lane) => {
        isInSight[lane] = 1;
      });
    }
    lanes.lay(chart, isInSight);
    const height = `${lanes.rows.length * LANE}px`;
    if (this.nodes.body.style.height !== height) this.nodes.body.style.height = height;
  }

  /** Scrolls to the lanes in which the command at the cursor did something, when the cursor has moved. */
  followLane() {
    if (this.shownCursor === this.cursor || !this.span.isFollowing) return;
    const rows = this.rowsConcerned();
    this.shownCursor = this.cursor;
    if (!rows) return;
    const { top, height } = this.view;
    const [from, to] = [rows[0] * LANE, (rows[1] + 1) * LANE];
    if (from >= top && to <= top + height) return;
    this.view.top = clamp(LANE * Math.round((from + to - height) / 2 / LANE), 0,
      Math.max(0, this.lanes.rows.length * LANE - height));
    this.scrollLater();
  }

  /** Scrolls to what is drawn. This has the page laid out at once, so everything else is drawn before. */
  scrollLater() {
    this.lab.later(() => {
      const before = this.nodes.scroll.scrollTop;
      this.nodes.scroll.scrollTop = this.view.top;
      this.isScrolledHere = this.nodes.scroll.scrollTop !== before;
    });
  }

  /** The first and the last row of what the command did; where these have no room together, of what happened last. */
  rowsConcerned() {
    const { chart, lanes } = this;
    const last = this.latest();
    if (last === null) return null;
    const [row, begun] = [lanes.rowOf[last.lane], chart.at(markOf("step", chart.commandBefore(this.cursor)))];
    const other = begun ? lanes.rowOf[begun.lane] : -1;
    const isNear = other >= 0 && (Math.abs(row - other) + 1) * LANE <= this.view.height;
    return isNear ? [Math.min(row, other), Math.max(row, other)] : [row, row];
  }

  /** What happened last at the cursor or before it; what there was before the trace began is not meant. */
  latest() {
    const { chart } = this;
    const step = chart.steps.upto("moments", this.cursor) - 1;
    const moments = [this.now > 0 ? chart.events.moments[this.now - 1] : 0, step >= 0 ? chart.steps.moments[step] : 0];
    const moment = Math.max(...moments);
    if (!moment) return null;
    return chart.at(moments[0] === moment ? markOf("event", this.now) : markOf("step", moment));
  }

  paintRows() {
    this.rows = this.lanes.inSight(this.view);
    const [top, bottom] = this.rows;
    const height = (bottom - top) * LANE;
    const shown = this.lanes.rows.slice(top, bottom);
    for (const { style } of [this.nodes.labels, this.nodes.svg]) {
      if (style.top !== `${top * LANE}px`) style.top = `${top * LANE}px`;
    }
    put(this.nodes.svg, "width", this.plot);
    put(this.nodes.svg, "height", height);
    this.paintLabels(shown);
    this.paintMarks(top, bottom, height);
    this.nodes.axis.update(this, this.plot);
  }

  paintLabels(/** @type {import("./lanes.js").Row[]} */ shown) {
    const streams = new Set(this.selected.streams);
    const stops = stopsOf(this.lab.values.stops);
    const rows = shown.map((row) => labelOf(row, streams, this.labelWidth - LABEL_FRAME, stops));
    keyed(this.nodes.labels, rows, ({ key }) => key,
      (row) => (isGroup(row) ? this.groupLabel(row) : this.laneLabel(row)), updateLabel,
      ({ label }, next) => isGroup(label) === isGroup(next));
    put(this.nodes.lines, "d", shown.map((_row, place) => `M0 ${(place + 0.5) * LANE}H${this.plot}`).join(""));
  }

  groupLabel(/** @type {Label} */ first) {
    const node = make("button", { type: "button", class: "cl-lane-label cl-lane-group", on: { click: () => {
      this.lanes.toggle(label.label.key);
      this.paint();
    } } }, icon("down"), make("span", { class: "cl-name-category" }), make("span", { class: "cl-muted" }), stopSign());
    const label = Object.assign(node, { label: first });
    return label;
  }

  laneLabel(/** @type {Label} */ first) {
    const isChosen = (/** @type {string} */ id) => this.selected.kind === "stream" && this.selected.streams[0] === id;
    const press = () =>
      isDisabled(label) || this.lab.select(isChosen(label.label.stream_id) ? {} : { stream_id: label.label.stream_id });
    const node = make("button", { type: "button", class: "cl-lane-label", on: { click: press } },
      make("span", { class: "cl-lane-name" }), stopSign());
    const label = Object.assign(node, { label: first });
    return label;
  }

  paintMarks(/** @type {number} */ top, /** @type {number} */ bottom, /** @type {number} */ height) {
    const { chart, span, plot, cursor } = this;
    const isDense = plot / span.width < DENSE;
    this.marks = isDense && span.width > 2000 ? [] : marksInSight(chart, span, this.lanes, [top, bottom], plot);
    const now = this.nowAt();
    this.lines = isDense ? [] : linesInSight(chart, span, this.lanes, [top, bottom], plot, cursor, now);
    const [drawn, clocks] = [linePaths(this.lines, cursor, now), clocksOf(this.lines)];
    put(this.nodes.deadlines[0], "d", drawn.past);
    put(this.nodes.deadlines[1], "d", drawn.later);
    const paths = isDense
      ? densePaths(this.bars([top, bottom]), cursor)
      : shapePaths([...clocks, ...this.marks], cursor);
    keyed(this.nodes.paths, [...paths], ([key]) => key, ([key]) => draw("path", { class: pathClass(key) }),
      (path, [, d]) => put(path, "d", d));
    this.paintNames(isDense, [top, bottom], [...this.marks, ...clocks].sort((one, other) => one.x - other.x));
    put(this.nodes.future, "x", clamp(now, 0, plot));
    put(this.nodes.future, "width", Math.max(0, plot - Math.max(now, 0)));
    put(this.nodes.future, "height", height);
    put(this.nodes.nowLine, "transform", `translate(${now} 0)`);
    put(this.nodes.nowLine.children[0], "y2", height);
    show(this.nodes.nowLine, now >= 0 && now <= plot);
    this.paintLatest();
    this.paintSelection(top, height);
    this.paintActive();
  }

  /** The names of the marks, which stay where they are at a step: only what becomes past gets another ink. */
  paintNames(/** @type {boolean} */ isDense, /** @type {number[]} */ rows, /** @type {DrawnMark[]} */ marks) {
    const { cursor, chart, plot } = this;
    const drawnFor = [this.laidFor, plot, isDense, ...rows].join();
    if (this.named?.drawnFor !== drawnFor) {
      const nameOf = (/** @type {DrawnMark} */ { key, kind }) => kind === "deadline" ? "" : chart.at(key)?.label ?? "";
      const wide = (/** @type {string} */ text) => widthOf(text, LOOKS.lanes.label.size);
      this.named = { drawnFor, labels: isDense ? [] : labelsBeside(marks, plot, nameOf, wide) };
    }
    const labels = this.named.labels.map((label) => ({ ...label, tense: label.moment <= cursor ? "past" : "later" }));
    keyed(this.nodes.names, labels, ({ key }) => key, ({ text }) => draw("text", { text }), updateName);
  }

  /** The bars for marks that are too close; they stay the same wherever the cursor is. */
  bars(/** @type {number[]} */ rows) {
    const { chart, span, lanes, plot } = this;
    const drawnFor = [this.laidFor, plot, ...rows].join();
    if (this.dense?.drawnFor !== drawnFor) this.dense = { drawnFor, bars: denseBars(chart, span, lanes, rows, plot) };
    return this.dense.bars;
  }

  /** Where the past ends, in pixels. */
  nowAt() {
    const { chart, span, plot } = this;
    return ((span.at(chart.amongCursor(this.cursor)) - span.from) * plot) / span.width;
  }

  /** The rings around what the command at the cursor has done so far. */
  paintLatest() {
    const since = this.chart.commandBefore(this.cursor) || this.latest()?.moment || Infinity;
    put(this.nodes.rings, "d", ringPath(this.marks.filter(({ moment }) => moment >= since && moment <= this.cursor)));
  }

  paintSelection(/** @type {number} */ top, /** @type {number} */ height) {
    const { span, selected, plot } = this;
    const scale = plot / span.width;
    const isRange = selected.kind === "range";
    const [from, to] = isRange
      ? [span.at(selected.first - 0.4), span.at(selected.last + 0.4)].map((point) => (point - span.from) * scale)
      : [0, 0];
    put(this.nodes.band, "x", from);
    put(this.nodes.band, "width", Math.max(0, to - from));
    put(this.nodes.band, "height", height);
    show(this.nodes.band, isRange);
    const path = (/** @type {boolean} */ leads) =>
      selected.arrows.filter((arrow) => arrow.leads_here === leads).map(({ cause, effect }) =>
        arrowPath(this.pixelsOf(cause, top), this.pixelsOf(effect, top))
      ).join("");
    put(this.nodes.causes, "d", path(true));
    put(this.nodes.effects, "d", path(false));
  }

  pixelsOf(/** @type {Mark} */ mark, /** @type {number} */ top) {
    const found = this.chart.at(mark);
    const row = found ? this.lanes.rowOf[found.lane] : -1;
    if (!found || row < 0) return null;
    return { x: (this.span.at(found.among) - this.span.from) * (this.plot / this.span.width),
      y: (row - top + 0.5) * LANE };
  }

  /**
   * One mark can have the focus; the arrow keys move it. Where nobody chose, it is the line that is selected, else what
   * happened last.
   */
  paintActive() {
    const marks = this.inSight;
    const chosen = this.lines.find((line) => this.isSelected(line));
    const wanted = this.active ?? chosen?.key ?? this.latest()?.key;
    const mark = marks.find(({ key }) => key === wanted) ?? marks.findLast(({ moment }) => moment <= this.cursor)
      ?? marks[0];
    show(this.nodes.list, mark !== undefined);
    if (!mark) return;
    this.focused = mark;
    put(this.nodes.option, "transform", `translate(${mark.x.toFixed(1)} ${mark.y})`);
    const line = this.lines.find(({ key }) => key === mark.key);
    for (const node of this.nodes.option.children) ringAround(node, line, this.plot);
    put(this.nodes.option, "aria-selected", this.selected.kind && this.isSelected(mark) ? "true" : "false");
    put(this.nodes.option, "aria-label", this.words(mark));
    put(this.nodes.option, "aria-posinset", marks.indexOf(mark) + 1);
    put(this.nodes.option, "aria-setsize", marks.length);
    put(this.nodes.option, "class", this.isSelected(mark) ? "cl-mark cl-chosen" : "cl-mark");
  }

  isSelected(/** @type {PlacedMark} */ { key, kind, among }) {
    const { selected } = this;
    if (selected.kind !== "range") return selected.mark === key;
    return kind === "event" && among >= selected.first && among <= selected.last;
  }

  words(/** @type {PlacedMark} */ mark) {
    const found = this.chart.at(mark.key);
    if (!found) return "";
    const { name, lane, kind, position } = found;
    const isChange = this.chart.lanes[lane].kind === "projection";
    const names = { event: `${name} #${count(position ?? 0)}`, command: `command ${name}`,
      rejected: isChange ? `broken by ${name}` : name, projection: `changed by ${name}`,
      "time passed": `${name} passed`, deadline: `deadline ${name}` };
    const what = choiceOf(kind, names) ?? `${kind} by ${name}`;
    const there = kind === CLOCK ? "" : ` in ${this.chart.lanes[lane].stream_id}`;
    return `${what}${there}${mark.moment <= this.cursor ? "" : " (not yet)"}`;
  }

  paintBar() {
    const { span, chart, selected } = this;
    const total = chart.events.length;
    const first = clamp(span.eventAt(span.from), 1, Math.max(total, 1));
    const last = Math.min(span.eventAt(span.to) - 1, total);
    const position = (/** @type {number} */ event) => count(chart.events.positions[event - 1]);
    setText(this.nodes.where,
      total ? `${position(first)}–${position(Math.max(last, first))} of ${position(total)}` : "");
    disable(this.nodes.back, span.from <= 0);
    disable(this.nodes.on, span.to >= span.length);
    disable(this.nodes.nearer, span.width <= LEAST_ZOOM);
    disable(this.nodes.further, span.width >= Math.max(span.length + 1, span.room));
    put(this.nodes.follow, "aria-pressed", span.isFollowing ? "true" : "false");
    put(this.nodes.sift, "aria-pressed", this.lanes.sifts(chart) ? "true" : "false");
    put(this.nodes.byTime, "aria-pressed", span.axis === "time" ? "true" : "false");
    show(this.nodes.sift, chart.lanes.length > 6);
    keyed(this.nodes.legend, this.chart.kinds(), (kind) => kind,
      (kind) => make("li", {}, glyph(kind), make("span", { text: LOOKS.kinds[kind].short })), () => {});
    show(this.nodes.chosen, Boolean(selected.kind));
    setText(this.nodes.chosenWords,
      selected.kind === "range" ? `${selected.title}, ${selected.detail}` : selected.title);
    put(this.nodes.chosenWords, "title", selected.detail);
    show(this.nodes.zoomToIt, selected.kind === "range");
  }

  /** @param {number} share @param {Element} [node] */
  pan(share, node) {
    if (node && isDisabled(node)) return;
    this.span.pan(share);
    this.paint();
  }

  /** @param {number} factor @param {number} [share] */
  zoom(factor, share) {
    this.span.zoom(factor, share);
    this.paint();
  }

  followCursor() {
    this.span.reset();
    this.span.fit(this.span.room);
    this.shownCursor = null;
    this.paint();
  }

  /** The run begins to play: they go along, as near as they are. */
  plays() {
    this.span.isFollowing = true;
    this.paint();
  }

  /** Along the positions of the events, or along their times. */
  choose(/** @type {"position" | "time"} */ axis) {
    this.span.choose(axis);
    this.span.fit(this.span.room);
    this.paint();
  }

  siftLanes() {
    this.lanes.isSifted = !this.lanes.sifts(this.chart);
    this.paint();
  }
}

/** What is around the mark that has the focus: of a line, all of the line. */
function ringAround(/** @type {Element} */ node, /** @type {DrawnLine | undefined} */ line,
  /** @type {number} */ plot)
{
  const [wide, high] = node.classList.contains("cl-mark-ring") ? [18, 20] : [24, 24];
  put(node, "x", line ? -4 : -wide / 2);
  put(node, "y", line ? -4 : -high / 2);
  put(node, "width", line ? Math.min(line.to, plot) - line.x + 8 : wide);
  put(node, "height", line ? 8 : high);
}

/** @param {SVGTextElement} node @param {DrawnLabel & { tense: string }} label */
function updateName(node, { text, x, y, isLeft, tense }) {
  setText(node, text);
  put(node, "x", x.toFixed(1));
  put(node, "y", y + 4);
  put(node, "class", `cl-${tense}${isLeft ? " cl-leftwards" : ""}`);
}

function pathClass(/** @type {string} */ key) {
  // The word of a kind may have a space.
  const [, kind, tense, dense] = /^(.+) (past|later)( dense)?$/.exec(key) ?? ["", "", ""];
  return `cl-marks ${kindClass(kind)} cl-${tense}${dense ? " cl-dense" : ""}`;
}

/**
 * What a label in front of the lanes says: of a lane, or of a group of lanes, which has no stream.
 * @typedef {{
 *   key: string, kind: string, category: string, all: number, shown: number, stream_id: string, isClosed?: boolean,
 *   name: string, isSelected: boolean, stop: string,
 * }} Label
 * @typedef {HTMLElement & { label: Label }} LabelNode
 */

/**
 * @param {import("./lanes.js").Row} row @param {Set<string>} selected @param {number} room @param {Stops} stops
 * @returns {Label}
 */
function labelOf({ key, group, lane, isClosed, isAlone }, selected, room, stops) {
  if (group) {
    const { kind, category, all, lanes } = group;
    const stop = stops.get(`${kind}:${category}`) ?? (isClosed ? stopIn(category, stops) : "");
    return { key, kind, category, all, shown: lanes.length, stream_id: "", name: "", isClosed, isSelected: false,
      stop };
  }
  const { kind = "", category = "", stream_id = "" } = lane ?? {};
  const [type, id] = namesOf({ stream_id, category });
  const stop = stops.get(`stream:${stream_id}`) ?? ((isAlone && stops.get(`${kind}:${category}`)) || "");
  const left = room - (stop ? STOP_ROOM : 0);
  const name = isAlone
    ? cutName(type, id, left, NAME_SIZE)
    : cutName("", id.replace(/^-/, "") || stream_id, left, NAME_SIZE);
  return { key: `lane ${key}`, kind, category, all: 1, shown: 1, stream_id, name, isSelected: selected.has(stream_id),
    stop };
}

/** The breakpoint of a lane that is folded away with its group. @param {string} category @param {Stops} stops */
function stopIn(category, stops) {
  const inside = [...stops].filter(([key]) => key.startsWith(`stream:${category}-`)).map(([, stop]) => stop);
  return inside.includes("on") ? "on" : inside[0] ?? "";
}

function isGroup(/** @type {Label} */ label) {
  return label.stream_id === "";
}

function updateLabel(/** @type {LabelNode} */ node, /** @type {Label} */ row) {
  node.label = row;
  disable(node, row.kind === CLOCK);
  if (isGroup(row)) updateGroupLabel(node, row);
  else updateLaneLabel(node, row);
}

function updateGroupLabel(/** @type {Element} */ node, /** @type {Label} */ row) {
  put(node, "aria-expanded", row.isClosed ? "false" : "true");
  setText(node.children[1], row.category);
  const lanes = row.shown === row.all ? count(row.all) : `${count(row.shown)} of ${count(row.all)}`;
  setText(node.children[2], lanes);
  const words = `${row.category} ${lanes} ${row.all === 1 ? "lane" : "lanes"}`;
  put(node, "aria-label", row.stop ? `${words}, ${stopWords(row.stop)}` : words);
  showStop(node.children[3], row.stop);
  put(node, "title", row.isClosed ? `Show the lanes of ${row.category}` : `Fold the lanes of ${row.category} into one`);
}

function updateLaneLabel(/** @type {Element} */ node, /** @type {Label} */ row) {
  setGlyph(node, row.kind);
  setText(node.children[1], row.name);
  put(node, "title", row.stream_id);
  put(node, "aria-label", row.stop ? `${row.stream_id}, ${stopWords(row.stop)}` : row.stream_id);
  showStop(node.children[2], row.stop);
  put(node, "aria-pressed", row.isSelected ? "true" : "false");
}

/** From mark to mark, bent where both are in one row, and with a head at the effect. */
function arrowPath(/** @type {Point | null} */ from, /** @type {Point | null} */ to) {
  if (!from || !to) return "";
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const far = Math.hypot(dx, dy);
  if (far < 12) return "";
  const [ux, uy] = [dx / far, dy / far];
  const [start, end] = [{ x: from.x + 8 * ux, y: from.y + 8 * uy }, { x: to.x - 9 * ux, y: to.y - 9 * uy }];
  const head = (/** @type {number} */ turn) => {
    const [sin, cos] = [Math.sin(turn), Math.cos(turn)];
    return `L${(end.x - 5 * (ux * cos - uy * sin)).toFixed(1)} ${(end.y - 5 * (uy * cos + ux * sin)).toFixed(1)}`;
  };
  const point = `${end.x.toFixed(1)} ${end.y.toFixed(1)}`;
  return `M${start.x.toFixed(1)} ${start.y.toFixed(1)}L${point}${head(0.6)}M${point}${head(-0.6)}`;
}
