// The rows of the timeline: the lanes in groups, one a type, of which those in sight are drawn and no others.

import { clamp } from "./kit.js";
import { LOOKS } from "./looks.js";

/**
 * @import { Chart } from "./chart.js"
 * @import { Span } from "./span.js"
 * @import { LaneRow } from "#views"
 * @import { DrawnMark } from "./types.js"
 */

export const LANE = 24;

/**
 * A row is a lane, or the heading of a group of lanes.
 * @typedef {{ key: string, kind: string, category: string, all: number, lanes: number[] }} LaneGroup
 * @typedef {{
 *   key: string, group?: LaneGroup, isClosed?: boolean, lane?: LaneRow, number?: number, isAlone?: boolean,
 * }} Row
 * @typedef {{ kind: string, earliest: number, drawn: string }} Bar
 * @typedef {(place: number, among: number, lane: number, kind: number, moment: number) => void} Each
 */

export class Lanes {
  constructor() {
    /** @type {Set<string>} */
    this.closed = new Set();
    /** @type {LaneRow[]} */
    this.lanes = [];
    /** @type {LaneGroup[]} */
    this.groupOf = [];
    /** @type {LaneGroup[]} */
    this.groups = [];
    /** @type {Row[]} */
    this.rows = [];
    this.rowOf = new Int32Array(0);
    /** @type {boolean | null} */
    this.isSifted = null;
  }

  /** Whether only lanes are shown in which something is in sight: with many, unless a person chose. */
  sifts(/** @type {Chart} */ chart) {
    return this.isSifted ?? chart.lanes.length > LOOKS.lanes.most;
  }

  /** Puts the lanes in rows; `isInSight` tells of which lanes something is in sight. */
  lay(/** @type {Chart} */ chart, /** @type {ArrayLike<number>} */ isInSight) {
    const sifts = this.sifts(chart);
    this.group(chart.lanes);
    for (const group of this.groups) group.lanes = [];
    for (let number = 0; number < chart.lanes.length; number += 1) {
      if (!sifts || isInSight[number]) this.groupOf[number].lanes.push(number);
    }
    this.rowOf = new Int32Array(chart.lanes.length).fill(-1);
    this.rows = [];
    for (const group of this.groups) if (group.lanes.length) this.layGroup(chart, group);
  }

  /** Finds the group of each lane; of those that were there before, it is known. */
  group(/** @type {LaneRow[]} */ lanes) {
    if (this.lanes === lanes) return;
    if (!this.lanes.every((lane, number) => lane === lanes[number])) [this.groups, this.groupOf] = [[], []];
    const groups = new Map(this.groups.map((group) => [group.key, group]));
    for (let number = this.groupOf.length; number < lanes.length; number += 1) {
      const { kind, category } = lanes[number];
      const key = `${kind} ${category}`;
      const group = groups.get(key) ?? { key, kind, category, all: 0, lanes: [] };
      groups.set(key, group);
      group.all += 1;
      this.groupOf.push(group);
    }
    // Aggregates first, as they appeared; what watches them stands below.
    this.groups = [...groups.values()].sort((one, other) =>
      (one.kind === "aggregate" ? 0 : 1) - (other.kind === "aggregate" ? 0 : 1)
    );
    this.lanes = lanes;
  }

  layGroup(/** @type {Chart} */ chart, /** @type {LaneGroup} */ group) {
    const isClosed = this.closed.has(group.key);
    const isAlone = group.all === 1;
    const heading = this.rows.length;
    if (!isAlone) this.rows.push({ key: group.key, group, isClosed });
    for (const number of group.lanes) {
      this.rowOf[number] = isClosed && !isAlone ? heading : this.rows.length;
      if (!isClosed || isAlone) {
        this.rows.push({ key: chart.lanes[number].stream_id, lane: chart.lanes[number], number, isAlone });
      }
    }
  }

  toggle(/** @type {string} */ key) {
    if (!this.closed.delete(key)) this.closed.add(key);
  }

  /** The first row in sight and the one behind the last. */
  inSight(/** @type {{ top: number, height: number }} */ { top, height }) {
    const first = clamp(Math.floor(top / LANE), 0, this.rows.length);
    const last = clamp(Math.ceil((top + height) / LANE), first, this.rows.length);
    return [first, last];
  }
}

// The marks in sight, and how they are drawn: one path for each kind, however many there are.

export const MARK_STEP = 30;
export const DENSE = 12;
const CELL = 3;
const REACH = 14;

/**
 * The marks of a span, in the rows in sight: where each stands in pixels, and what it is.
 * @param {Chart} chart @param {Span} span @param {Lanes} lanes @param {number[]} rows @param {number} plot
 */
export function marksInSight(chart, span, lanes, [top, bottom], plot) {
  const scale = plot / span.width;
  /** @type {DrawnMark[]} */
  const marks = [];
  eachInSight(chart, span, (place, among, lane, kind, moment) => {
    const row = lanes.rowOf[lane];
    if (row < top || row >= bottom) return;
    marks.push({ place, kind, lane, moment, x: (span.at(among) - span.from) * scale, y: (row - top + 0.5) * LANE });
  });
  return marks.sort((one, other) => one.x - other.x || one.moment - other.moment);
}

/** Calls `each` with what stands in a span: the events, then commands, rejections and reactions. */
export function eachInSight(/** @type {Chart} */ chart, /** @type {Span} */ span, /** @type {Each} */ each) {
  const { events, steps } = chart;
  const first = span.eventAt(span.from);
  const last = Math.min(span.eventAt(span.to), events.length + 1) - 1;
  for (let event = first; event <= last; event += 1) {
    each(event, event, events.lanes[event - 1], 0, events.moments[event - 1]);
  }
  const [since, upto] = chart.stepsAround(first, last);
  for (let step = since; step < upto; step += 1) {
    const among = steps.halves[step] % 2 ? chart.amongAt(step) : steps.halves[step] / 2;
    const point = span.at(among);
    if (point >= span.from && point <= span.to) {
      each(-steps.moments[step], among, steps.lanes[step], 1 + steps.kinds[step], steps.moments[step]);
    }
  }
}

/** The shapes of the marks as one path for each kind, the past's and the future's apart. */
export function shapePaths(/** @type {DrawnMark[]} */ marks, /** @type {number} */ cursor) {
  /** @type {Map<string, string>} */
  const paths = new Map();
  for (const { kind, moment, x, y } of marks) {
    const key = `${LOOKS.inLanes[kind]} ${moment <= cursor ? "past" : "later"}`;
    paths.set(key, `${paths.get(key) ?? ""}M${x.toFixed(1)} ${y}${LOOKS.kinds[LOOKS.inLanes[kind]].shape}`);
  }
  return paths;
}

/**
 * Where marks stand too close for shapes: a bar for all in a few pixels of a row, the higher the more; rejections keep a cross.
 * @param {Chart} chart @param {Span} span @param {Lanes} lanes @param {number[]} rows @param {number} plot
 */
export function denseBars(chart, span, lanes, [top, bottom], plot) {
  const [scale, cells] = [plot / span.width, Math.ceil(plot / CELL) + 1];
  const size = (bottom - top) * cells;
  const counts = { event: new Uint32Array(size), continued: new Uint32Array(size), rejected: new Uint32Array(size) };
  const earliest = new Float64Array(size).fill(Infinity);
  eachInSight(chart, span, (_place, among, lane, kind, moment) => {
    const row = lanes.rowOf[lane];
    if (row < top || row >= bottom || kind === 1) return;
    const cell = (row - top) * cells + clamp(Math.floor(((span.at(among) - span.from) * scale) / CELL), 0, cells - 1);
    counts[kind === 0 ? "event" : kind === 2 ? "rejected" : "continued"][cell] += 1;
    if (moment < earliest[cell]) earliest[cell] = moment;
  });
  /** @type {Bar[]} */
  const bars = [];
  for (const [kind, numbers] of Object.entries(counts)) {
    numbers.forEach((number, cell) => {
      if (!number) return;
      const [x, y] = [(cell % cells) * CELL, (Math.floor(cell / cells) + 0.5) * LANE];
      const high = Math.min(16, 5 + 3 * Math.log2(number));
      const drawn = kind === "rejected"
        ? `M${x - 2} ${y - 10}l5 5m0-5l-5 5`
        : `M${x} ${(y - high / 2).toFixed(1)}h${CELL}v${high.toFixed(1)}h${-CELL}z`;
      bars.push({ kind, earliest: earliest[cell], drawn });
    });
  }
  return bars;
}

/** The bars as one path for each kind, the past's and the future's apart. */
export function densePaths(/** @type {Bar[]} */ bars, /** @type {number} */ cursor) {
  /** @type {Map<string, string[]>} */
  const drawn = new Map();
  for (const bar of bars) {
    const key = `${bar.kind} ${bar.earliest <= cursor ? "past" : "later"} dense`;
    const parts = drawn.get(key) ?? [];
    parts.push(bar.drawn);
    drawn.set(key, parts);
  }
  return new Map([...drawn].map(([key, parts]) => [key, parts.join("")]));
}

/** The mark that is nearest to a point, within reach. */
export function nearestMark(/** @type {DrawnMark[]} */ marks, /** @type {number} */ x, /** @type {number} */ y) {
  /** @type {{ mark: DrawnMark, far: number } | null} */
  let best = null;
  for (const mark of marks) {
    const far = Math.hypot(mark.x - x, mark.y - y);
    if (far <= REACH && (!best || far < best.far)) best = { mark, far };
  }
  return best?.mark ?? null;
}

/** The next mark from one in a direction that an arrow key tells. */
export function neighbour(/** @type {DrawnMark[]} */ marks, /** @type {DrawnMark} */ from, /** @type {string} */ key) {
  const sideways = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  /** @param {DrawnMark} mark */
  const far = (
    mark,
  ) => (sideways ? sign * (mark.x - from.x || (mark.moment - from.moment) / 1e9) : sign * (mark.y - from.y));
  /** @param {DrawnMark} mark */
  const off = (mark) => (sideways ? Math.abs(mark.y - from.y) * 0.001 : Math.abs(mark.x - from.x) * 0.01);
  /** @type {{ mark: DrawnMark, cost: number } | null} */
  let best = null;
  for (const mark of marks) {
    if (far(mark) <= 0 || mark.place === from.place) continue;
    const cost = far(mark) + off(mark);
    if (!best || cost < best.cost) best = { mark, cost };
  }
  return best?.mark ?? null;
}
