// The rows of the timeline: the lanes in groups, one a type, of which those in sight are drawn and no others.

import { groupKey, markOf, STEP_KINDS } from "./chart.js";
import { clamp } from "./elements.js";
import { LOOKS } from "./looks.js";

/**
 * @import { Chart } from "./chart.js"
 * @import { Span } from "./span.js"
 * @import { LaneRow } from "#views"
 * @import { DrawnLabel, DrawnLine, DrawnMark, Point } from "./types.js"
 */

export const LANE = 24;

/**
 * A row is a lane, or the heading of a group of lanes.
 * @typedef {{ key: string, kind: string, category: string, all: number, lanes: number[] }} LaneGroup
 * @typedef {{
 *   key: string, group?: LaneGroup, isClosed?: boolean, lane?: LaneRow, number?: number, isAlone?: boolean,
 * }} Row
 * @typedef {{ kind: string, earliest: number, drawn: string }} Bar
 * @typedef {(kind: string, among: number, lane: number, moment: number, change?: number) => void} Each
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

  /** Puts the lanes in rows; `isInSight` is set for each lane in which something is in sight. */
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
      const key = groupKey(lanes[number]);
      const group = groups.get(key) ?? { key, kind, category, all: 0, lanes: [] };
      groups.set(key, group);
      group.all += 1;
      this.groupOf.push(group);
    }
    // Aggregates first, as they appeared; process managers are below, and then projections.
    const rank = (/** @type {LaneGroup} */ { kind }) => LOOKS.kindsOfLanes.indexOf(kind);
    this.groups = [...groups.values()].sort((one, other) => rank(one) - rank(other));
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
const { mark: MARK, gap: GAP, apart: APART } = LOOKS.lanes.label;

/**
 * The marks of a span, in the rows in sight: the point of each in pixels, and its kind.
 * @param {Chart} chart @param {Span} span @param {Lanes} lanes @param {number[]} rows @param {number} plot
 */
export function marksInSight(chart, span, lanes, [top, bottom], plot) {
  const scale = plot / span.width;
  /** @type {DrawnMark[]} */
  const marks = [];
  eachInSight(chart, span, (kind, among, lane, moment, change) => {
    const row = lanes.rowOf[lane];
    if (row < top || row >= bottom) return;
    const key = change ? markOf("change", change) : kind === "event" ? markOf("event", among) : markOf("step", moment);
    const [x, y] = [(span.at(among) - span.from) * scale, (row - top + 0.5) * LANE];
    marks.push({ key, kind, among, lane, moment, x, y });
  });
  return marks.sort((one, other) => one.x - other.x || one.moment - other.moment);
}

/** Calls `each` with the marks of a span: events, then commands, rejections and reactions, then changes. */
export function eachInSight(/** @type {Chart} */ chart, /** @type {Span} */ span, /** @type {Each} */ each) {
  const { events, steps, changes } = chart;
  const first = span.eventAt(span.from);
  const last = Math.min(span.eventAt(span.to), events.length + 1) - 1;
  for (let event = first; event <= last; event += 1) {
    each("event", event, events.lanes[event - 1], events.moments[event - 1]);
  }
  const [since, before] = chart.stepsAround(first, last);
  for (let step = since; step < before; step += 1) {
    const among = steps.halves[step] % 2 ? chart.amongAt(step) : steps.halves[step] / 2;
    const point = span.at(among);
    if (point >= span.from && point <= span.to) {
      each(STEP_KINDS[steps.kinds[step]], among, steps.lanes[step], steps.moments[step]);
    }
  }
  const upto = changes.upto("events", last);
  for (let place = changes.upto("events", first - 1); place < upto; place += 1) {
    const among = changes.events[place];
    each(STEP_KINDS[changes.kinds[place]], among, changes.lanes[place], events.moments[among - 1], place + 1);
  }
}

/** The shapes of the marks as one path for each kind, the past's and the future's apart. */
export function shapePaths(/** @type {DrawnMark[]} */ marks, /** @type {number} */ cursor) {
  /** @type {Map<string, string>} */
  const paths = new Map();
  for (const { kind, moment, x, y } of marks) {
    const key = `${kind} ${moment <= cursor ? "past" : "later"}`;
    paths.set(key, `${paths.get(key) ?? ""}M${x.toFixed(1)} ${y}${LOOKS.kinds[kind].shape}`);
  }
  return paths;
}

/**
 * The lines of the deadlines in the rows in sight, from where each was set to where it ended, `now` in pixels for one
 * that is kept. It looks at no others.
 * @param {Chart} chart @param {Span} span @param {Lanes} lanes @param {number[]} rows @param {number} plot
 * @param {number} cursor @param {number} now
 */
export function linesInSight(chart, span, lanes, [top, bottom], plot, cursor, now) {
  const first = span.eventAt(span.from);
  const last = Math.min(span.eventAt(span.to), chart.events.length + 1) - 1;
  const [since, until] = chart.momentsAround(first, last);
  const at = (/** @type {number} */ moment) => ((span.at(chart.amongStep(moment)) - span.from) * plot) / span.width;
  /** @type {DrawnLine[]} */
  const lines = [];
  for (let row = top; row < bottom; row += 1) {
    const { number, key, isClosed } = lanes.rows[row];
    const inRow = number === undefined && !isClosed ? undefined : chart.deadlinesIn(number ?? key);
    for (const each of inRow?.inSight(since, until, cursor) ?? []) {
      if (lanes.rowOf[each.lane] !== row || (each.end === "set" && each.since > cursor)) continue;
      const from = at(each.since);
      const to = each.end === "set" ? Math.max(now, from) : at(each.until);
      if (to < 0 || from > plot) continue;
      const middle = (row - top + 0.5) * LANE;
      lines.push({ key: markOf("deadline", each.number), kind: "deadline", among: 0, lane: each.lane,
        moment: each.since, x: Math.max(from, 0), y: middle + lineDown(each.number), from, to, middle, end: each.end,
        until: each.until });
    }
  }
  return lines;
}

/** The lines as paths, the past and the future apart, with a cross where a deadline was taken off. */
export function linePaths(
  /** @type {DrawnLine[]} */ lines,
  /** @type {number} */ cursor,
  /** @type {number} */ now,
) {
  const drawn = { past: "", later: "" };
  for (const { from, to, y, end, moment, until } of lines) {
    const parted = moment > cursor ? from : clamp(now, from, to);
    if (parted > from) drawn.past += `M${from.toFixed(1)} ${y}H${parted.toFixed(1)}`;
    if (to > parted) drawn.later += `M${parted.toFixed(1)} ${y}H${to.toFixed(1)}`;
    if (end === "taken off") {
      drawn[until <= cursor ? "past" : "later"] += `M${(to - 2.5).toFixed(1)} ${y - 2.5}l5 5m0-5l-5 5`;
    }
  }
  return drawn;
}

/** A clock at the end of each line of a deadline that came due. @param {DrawnLine[]} lines @returns {DrawnMark[]} */
export function clocksOf(lines) {
  return lines.filter(({ end }) => end === "came due").map(({ lane, until, to, middle }) => ({
    key: markOf("step", until),
    kind: "deadline",
    among: 0,
    lane,
    moment: until,
    x: to,
    y: middle,
  }));
}

/** How far below the middle of its row the line of a deadline is, so that those of an instance are apart. */
function lineDown(/** @type {number} */ number) {
  const { down, apart, heights } = LOOKS.lanes.deadline;
  return down + apart * ((number - 1) % heights);
}

/** A ring around marks in order of `x`; marks of a row that are close to each other share one. */
export function ringPath(/** @type {Point[]} */ marks) {
  /** @type {{ from: number, to: number, y: number }[]} */
  const rings = [];
  for (const { x, y } of marks) {
    const near = rings.findLast((ring) => ring.y === y);
    if (near && x - MARK <= near.to) near.to = x + MARK;
    else rings.push({ from: x - MARK, to: x + MARK, y });
  }
  return rings.map(({ from, to, y }) => `M${from.toFixed(1)} ${y - 10}H${to.toFixed(1)}v20H${from.toFixed(1)}z`).join(
    "",
  );
}

// By the same rules Python names the marks of its pictures, see views/lanes.py.

const RANKS = new Map([["rejected", 0], ["event", 1], ["command", 3]]);

/**
 * The names of marks that have room beside their mark, so that no name hides another or a mark. The first to choose are
 * rejections, then events, reactions and commands.
 * @param {DrawnMark[]} marks in order of `x` @param {number} plot @param {(mark: DrawnMark) => string} nameOf
 * @param {(text: string) => number} widthOf
 */
export function labelsBeside(marks, plot, nameOf, widthOf) {
  const rooms = roomsBeside(marks, plot);
  /** @type {DrawnLabel[]} */
  const labels = [];
  const rank = (/** @type {number} */ index) => RANKS.get(marks[index].kind) ?? 2;
  for (const index of [...marks.keys()].sort((one, other) => rank(one) - rank(other) || one - other)) {
    const { key, kind, moment, x, y } = marks[index];
    const [before, behind] = rooms[index];
    // Nothing is measured where not even a letter has room.
    if (Math.max(before.left, behind.left) < APART) continue;
    const text = nameOf(marks[index]);
    // A clock has no name, but takes up its room.
    if (!text) continue;
    const wide = widthOf(text);
    const room = (kind === "command" ? [before, behind] : [behind, before]).find(({ left }) => left >= wide);
    if (!room) continue;
    room.left -= wide + APART;
    const isLeft = room === before;
    labels.push({ key, moment, text, x: isLeft ? x - MARK - GAP : x + MARK + GAP, y, wide, isLeft });
  }
  return labels;
}

/** The room before and behind each mark, which neighbours in a row share. */
function roomsBeside(/** @type {DrawnMark[]} */ marks, /** @type {number} */ plot) {
  /** @type {Map<number, { x: number, room: { left: number } }>} */
  const last = new Map();
  return marks.map(({ x, y }) => {
    const neighbour = last.get(y);
    const before = neighbour?.room ?? { left: 0 };
    before.left = x - MARK - GAP - (neighbour ? neighbour.x + MARK + GAP : 0);
    const behind = { left: plot - x - MARK - GAP };
    last.set(y, { x, room: behind });
    return [before, behind];
  });
}

/**
 * Where marks are too close for shapes: a bar for all in a few pixels of a row, the higher the more. Reactions of any
 * kind share a bar, rejections keep a cross, commands are left out.
 * @param {Chart} chart @param {Span} span @param {Lanes} lanes @param {number[]} rows @param {number} plot
 */
export function denseBars(chart, span, lanes, [top, bottom], plot) {
  const [scale, cells] = [plot / span.width, Math.ceil(plot / CELL) + 1];
  const size = (bottom - top) * cells;
  /** @type {Map<string, Uint32Array>} */
  const counts = new Map();
  const earliest = new Float64Array(size).fill(Infinity);
  eachInSight(chart, span, (kind, among, lane, moment) => {
    const row = lanes.rowOf[lane];
    if (row < top || row >= bottom || kind === "command") return;
    const cell = (row - top) * cells + clamp(Math.floor(((span.at(among) - span.from) * scale) / CELL), 0, cells - 1);
    const bar = LOOKS.reactions.includes(kind) ? LOOKS.reactions[0] : kind;
    const numbers = counts.get(bar) ?? new Uint32Array(size);
    numbers[cell] += 1;
    counts.set(bar, numbers);
    if (moment < earliest[cell]) earliest[cell] = moment;
  });
  /** @type {Bar[]} */
  const bars = [];
  for (const [kind, numbers] of counts) {
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
