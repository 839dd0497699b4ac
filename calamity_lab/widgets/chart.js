// The marks in the lanes, of the whole run, as columns that only grow: any part of it is drawn without asking.

import { LOOKS } from "./looks.js";

/**
 * @import { LaneRow, Mark } from "#views"
 * @import { ChartMark, ChartPatch, DrawnLabel, DrawnLine, DrawnMark } from "./types.js"
 */

export const STEP_KINDS = LOOKS.inLanes.slice(1);
// A wait stands in the run where a command does: what comes behind it belongs to it.
const COMMANDS = new Set(["command", "rejected", "time passed"]);
/** @type {ColumnName[]} */
export const OF_EVENTS = ["moments", "lanes", "names", "times", "positions"];
/** @type {ColumnName[]} */
export const OF_STEPS = ["moments", "halves", "lanes", "kinds", "names", "labels"];

/** @type {ColumnName[]} */
export const OF_CHANGES = ["events", "lanes", "kinds"];

/** @type {ColumnName[]} */
export const OF_DEADLINES = ["moments", "lanes", "kinds", "names", "numbers"];
const GROUPS = [OF_EVENTS, OF_STEPS, OF_CHANGES, OF_DEADLINES];

/**
 * @typedef {"moments" | "lanes" | "names" | "times" | "positions" | "halves" | "kinds" | "labels" | "events" | "numbers"} ColumnName
 */

/**
 * A deadline from where it was set to where it ended; `until` is Infinity, and `end` "set", where it is kept.
 * @typedef {{ lane: number, name: string, since: number, until: number, end: string, number: number }} DeadlineSpan
 */

/** Columns of whole numbers, of which those that are named grow together. */
class Columns {
  length = 0;
  moments = new Float64Array(256);
  lanes = new Float64Array(256);
  names = new Float64Array(256);
  times = new Float64Array(256);
  halves = new Float64Array(256);
  kinds = new Float64Array(256);
  events = new Float64Array(256);
  positions = new Float64Array(256);
  labels = new Float64Array(256);
  numbers = new Float64Array(256);

  constructor(/** @type {ColumnName[]} */ columns) {
    this.columns = columns;
  }

  /** Keeps the first `kept` items and puts others behind them. */
  take(/** @type {number} */ kept, /** @type {ArrayLike<number>[]} */ columns) {
    this.length = kept + columns[0].length;
    this.columns.forEach((name, place) => {
      if (this[name].length < this.length) {
        const grown = new Float64Array(2 * this.length);
        grown.set(this[name].subarray(0, kept));
        this[name] = grown;
      }
      this[name].set(columns[place], kept);
    });
  }

  /** How many of the items have a value in that column of at most `most`; the column never falls. */
  upto(/** @type {ColumnName} */ name, /** @type {number} */ most) {
    return lowest(this.length, (place) => this[name][place] > most);
  }
}

/** The lowest of `length` places at which something holds that goes on to hold; `length` where it never does. */
export function lowest(/** @type {number} */ length, /** @type {(place: number) => boolean} */ holds) {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

export class Chart {
  constructor() {
    this.events = new Columns(OF_EVENTS);
    this.steps = new Columns(OF_STEPS);
    this.changes = new Columns(OF_CHANGES);
    this.deadlines = new Columns(OF_DEADLINES);
    /** @type {LaneRow[]} */
    this.lanes = [];
    /** @type {string[]} */
    this.names = [];
    /** @type {Set<number>} */
    this.met = new Set();
    /** @type {{ half: number, first: number, last: number } | null} */
    this.gap = null;
    this.looked = 0;
    /** @type {DeadlineSpan[]} */
    this.spans = [];
    /** @type {Map<number | string, RowDeadlines>} */
    this.deadlineRows = new Map();
    this.inRows = 0;
    this.edition = 0;
  }

  /**
   * Takes what Python sends; a patch that does not continue what is here belongs to another view's answer.
   * @param {Omit<ChartPatch, "count">} patch
   */
  take({ kept: [events, steps, lanes, names, changes, deadlines], columns, lanes: newLanes, names: newNames }) {
    if (events > this.events.length || steps > this.steps.length || lanes > this.lanes.length) return;
    const rest = [...columns];
    this.events.take(events, rest.splice(0, OF_EVENTS.length));
    this.steps.take(steps, rest.splice(0, OF_STEPS.length));
    this.changes.take(changes, rest.splice(0, OF_CHANGES.length));
    this.deadlines.take(deadlines, rest);
    if (deadlines < this.inRows) [this.spans, this.deadlineRows, this.inRows] = [[], new Map(), 0];
    this.gap = null;
    this.edition += 1;
    this.looked = Math.min(this.looked, steps);
    if (newLanes.length || lanes < this.lanes.length) this.lanes = [...this.lanes.slice(0, lanes), ...newLanes];
    this.names = [...this.names.slice(0, names), ...newNames];
  }

  /** Which kinds there are. */
  kinds() {
    for (const { kinds, length } = this.steps; this.looked < length; this.looked += 1) this.met.add(kinds[this.looked]);
    const isMet = (/** @type {string} */ kind, /** @type {number} */ place) =>
      this.met.has(place) || (kind === "projection" && this.changes.length > 0);
    const ofDeadlines = this.deadlines.length ? ["deadline"] : [];
    return [...(this.events.length ? ["event"] : []), ...STEP_KINDS.filter(isMet), ...ofDeadlines];
  }

  /** The deadlines of a lane, by its number, or of a group of lanes, by its key. */
  deadlinesIn(/** @type {number | string} */ row) {
    this.putInRows();
    return this.deadlineRows.get(row);
  }

  /** Puts the deadlines that are new into their rows. */
  putInRows() {
    const { moments, lanes, kinds, names, numbers, length } = this.deadlines;
    for (; this.inRows < length; this.inRows += 1) {
      const [moment, lane, number] = [moments[this.inRows], lanes[this.inRows], numbers[this.inRows]];
      const end = LOOKS.lanes.deadline.ends[kinds[this.inRows]];
      const rows = [lane, groupKey(this.lanes[lane])].map((key) => {
        const found = this.deadlineRows.get(key) ?? new RowDeadlines();
        this.deadlineRows.set(key, found);
        return found;
      });
      if (end === "set") {
        const name = this.names[names[this.inRows]];
        this.spans[number] = { lane, name, since: moment, until: Infinity, end, number };
        for (const each of rows) each.set(this.spans[number]);
      } else {
        Object.assign(this.spans[number], { until: moment, end });
        for (const each of rows) each.end(number);
      }
    }
  }

  /** The point of the mark of a step among the events; without a mark, where the past ends at that moment. */
  amongStep(/** @type {number} */ moment) {
    const step = this.stepAt(moment);
    return step < 0 ? this.amongCursor(moment) : this.amongAt(step);
  }

  /** Between what is past and what is to come; a command at the cursor is before its events. */
  amongCursor(/** @type {number} */ cursor) {
    const [now, step] = [this.past(cursor), this.steps.upto("moments", cursor) - 1];
    const isBetween = step >= 0 && this.steps.halves[step] === 2 * now + 1;
    // Between an event and what comes next in order, process managers may still react to it.
    const following = Math.max(step + 1, this.steps.upto("halves", 2 * now));
    const isNext = following < this.steps.length && this.steps.halves[following] === 2 * now + 1;
    return ((isBetween ? this.amongAt(step) : now) + (isNext ? this.amongAt(following) : now + 1)) / 2;
  }

  /** How many events are past at a moment. */
  past(/** @type {number} */ cursor) {
    return this.events.upto("moments", cursor);
  }

  /** The moments of the event before some events, and of the one behind them. */
  momentsAround(/** @type {number} */ first, /** @type {number} */ last) {
    const { moments } = this.events;
    const since = first > 1 ? moments[first - 2] : 0;
    const after = last > 0 ? this.events.upto("moments", moments[last - 1]) : 0;
    return [since, after < this.events.length ? moments[after] : Infinity];
  }

  /** The steps, from one to before another, with all steps between two events and at them. */
  stepsAround(/** @type {number} */ first, /** @type {number} */ last) {
    const [since, upto] = this.momentsAround(first, last);
    return [this.steps.upto("moments", since - 1), this.steps.upto("moments", upto - 1)];
  }

  /** The moment of the last command, rejection or wait up to a moment; 0 where there is none. */
  commandBefore(/** @type {number} */ cursor) {
    const { kinds, moments } = this.steps;
    let step = this.steps.upto("moments", cursor) - 1;
    while (step >= 0 && !COMMANDS.has(STEP_KINDS[kinds[step]])) step -= 1;
    return step < 0 ? 0 : moments[step];
  }

  /** The step with that moment, or -1. */
  stepAt(/** @type {number} */ moment) {
    const step = this.steps.upto("moments", moment) - 1;
    return step >= 0 && this.steps.moments[step] === moment ? step : -1;
  }

  /**
   * What a mark shows, and where; null for a mark that is not known.
   * @param {Mark} key @returns {ChartMark | null}
   */
  at(key) {
    const { event = 0, step = 0, change = 0, deadline = 0 } = readMark(key);
    if (deadline) return this.deadlineAt(key, deadline);
    if (change) return this.changeAt(key, change - 1);
    const [columns, index] = event ? [this.events, event - 1] : [this.steps, this.stepAt(step)];
    return index < 0 || index >= columns.length ? null : {
      key,
      kind: event ? "event" : STEP_KINDS[columns.kinds[index]],
      name: this.names[columns.names[index]],
      label: this.names[columns[event ? "names" : "labels"][index]],
      position: event ? columns.positions[index] : null,
      among: event || this.amongAt(index),
      lane: columns.lanes[index],
      moment: columns.moments[index],
    };
  }

  /** A deadline: it is where it was set. @param {Mark} key @param {number} number @returns {ChartMark | null} */
  deadlineAt(key, number) {
    this.putInRows();
    const { lane, name, since } = this.spans[number] ?? {};
    return name === undefined
      ? null
      : { key, kind: "deadline", name, label: "", position: null, among: this.amongStep(since), lane, moment: since };
  }

  /** A change of a projection: it is where the event is that made it. @param {Mark} key @param {number} index */
  changeAt(key, index) {
    const { changes, events, names } = this;
    if (index >= changes.length) return null;
    const [among, lane] = [changes.events[index], changes.lanes[index]];
    const [moment, name] = [events.moments[among - 1], names[events.names[among - 1]]];
    return { key, kind: STEP_KINDS[changes.kinds[index]], name, label: name, position: null, among, lane, moment };
  }

  /** The point of a step among the events: the steps between two events share the room there. */
  amongAt(/** @type {number} */ step) {
    const { halves, length } = this.steps;
    const half = halves[step];
    if (half % 2 === 0) return half / 2;
    // The steps in one gap follow each other; a gap may hold thousands, so it is measured once.
    if (this.gap?.half !== half) {
      let [first, last] = [step, step];
      while (first > 0 && halves[first - 1] === half) first -= 1;
      while (last < length - 1 && halves[last + 1] === half) last += 1;
      this.gap = { half, first, last };
    }
    return (half - 1) / 2 + (step - this.gap.first + 1) / (this.gap.last - this.gap.first + 2);
  }
}

/** By what lanes are put together in a group. */
export function groupKey(/** @type {LaneRow} */ { kind, category }) {
  return `${kind} ${category}`;
}

const BLOCK = 32;

/**
 * The deadlines of a row in the order in which they were set; those in sight are found at once, as in views/chart.py.
 * It finds what was set and what ended between two moments by halving. What lies across both is found by the latest end
 * of each block of deadlines, of each block of blocks, and so on.
 */
export class RowDeadlines {
  constructor() {
    /** @type {DeadlineSpan[]} */
    this.spans = [];
    /** @type {Map<number, number>} */
    this.places = new Map();
    /** @type {DeadlineSpan[]} */
    this.ended = [];
    /** @type {number[][]} */
    this.latest = [[]];
  }

  set(/** @type {DeadlineSpan} */ span) {
    this.places.set(span.number, this.spans.length);
    this.spans.push(span);
    this.until(this.spans.length - 1, Infinity);
  }

  end(/** @type {number} */ number) {
    const place = this.places.get(number) ?? 0;
    this.ended.push(this.spans[place]);
    this.until(place, this.spans[place].until);
  }

  until(/** @type {number} */ place, /** @type {number} */ moment) {
    let [at, latest] = [place, moment];
    for (let level = 0;; level += 1) {
      this.latest[level] ??= [];
      const ends = this.latest[level];
      ends[at] = latest;
      if (ends.length === 1) return;
      at = Math.floor(at / BLOCK);
      latest = Math.max(...ends.slice(at * BLOCK, (at + 1) * BLOCK));
    }
  }

  /**
   * Those that were set or ended from one moment to another, and what lies across both: lines across that are of one
   * height look the same, so there is one of them.
   * @param {number} since @param {number} until @param {number} cursor
   */
  inSight(since, until, cursor) {
    const { most, heights } = LOOKS.lanes.deadline;
    const { spans, ended } = this;
    const first = lowest(spans.length, (place) => spans[place].since >= since);
    const last = lowest(spans.length, (place) => spans[place].since > until);
    const begin = lowest(ended.length, (place) => ended[place].until >= since);
    const end = lowest(ended.length, (place) => ended[place].until > until);
    const found = [...spans.slice(Math.max(first, last - most), last),
      ...ended.slice(Math.max(begin, end - most), end).filter((span) => span.since < since)];
    const seen = new Set();
    let left = most;
    for (const place of this.across(first, until)) {
      const span = spans[place];
      const look = `${span.number % heights} ${span.end === "set"}`;
      if (!seen.has(look) && !(span.end === "set" && cursor < since)) found.push(span);
      seen.add(look);
      left -= 1;
      if (!left) break;
    }
    return found;
  }

  /** The places before one of those that ended after a moment, the latest first. */
  *across(/** @type {number} */ before, /** @type {number} */ moment) {
    let [place, level] = [before - 1, 0];
    while (place >= 0) {
      if (this.latest[level][place] > moment) {
        if (level) {
          [place, level] = [place * BLOCK + BLOCK - 1, level - 1];
          continue;
        }
        yield place;
      }
      place -= 1;
      // At the end of a block, it is looked at as a whole.
      while (place >= 0 && (place + 1) % BLOCK === 0 && level + 1 < this.latest.length) {
        [place, level] = [Math.floor(place / BLOCK), level + 1];
      }
    }
  }
}

export function isPacked(/** @type {any} */ chart) {
  return [chart?.columns, chart?.lanes].some((value) => value?.buffer !== undefined);
}

/**
 * A chart's message with what was packed put in its place.
 * @param {any} chart @param {(ArrayBuffer | DataView<ArrayBuffer>)[]} buffers
 */
export async function unpackedChart(chart, buffers) {
  const whole = { ...chart };
  if (chart.lanes.buffer !== undefined) {
    whole.lanes = JSON.parse(new TextDecoder().decode(await inflated(buffers[chart.lanes.buffer])));
  }
  if (chart.columns.buffer !== undefined) {
    whole.columns = unpackedColumns(await inflated(buffers[chart.columns.buffer]), chart.count);
  }
  return whole;
}

async function inflated(/** @type {ArrayBuffer | DataView<ArrayBuffer>} */ buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Reads what `packed` in patches.py writes. */
function unpackedColumns(/** @type {Uint8Array} */ bytes, /** @type {number[]} */ counts) {
  let start = 0;
  const lengths = GROUPS.flatMap((group, number) => group.map(() => counts[number]));
  return lengths.map((length) => {
    const column = new Float64Array(length);
    let before = 0;
    for (let place = 0; place < length; place += 1) {
      let number = 0;
      for (let byte = 7; byte >= 0; byte -= 1) number = number * 256 + bytes[start + byte * length + place];
      before += number % 2 ? -(number + 1) / 2 : number / 2;
      column[place] = before;
    }
    start += 8 * length;
    return column;
  });
}

// The marks in the lanes, each named by a text: "event 12" is the twelfth event of all, "step 57" what happened then,
// "change 3" the third change of all projections, "deadline 2" the second of all deadlines that were set.

const REACH = 14;

/** @param {"event" | "step" | "change" | "deadline"} kind @param {number} number @returns {Mark} */
export function markOf(kind, number) {
  return `${kind} ${number}`;
}

/**
 * The number of the event, of the change or of the deadline that a mark names, or the moment of the step.
 * @param {Mark | null | undefined} mark
 * @returns {{ event?: number, step?: number, change?: number, deadline?: number }}
 */
export function readMark(mark) {
  if (!mark) return {};
  const [kind, number] = mark.split(" ");
  return { [kind]: Number(number) };
}

/** The mark that is nearest to a point, within reach. */
export function nearestMark(/** @type {DrawnMark[]} */ marks, /** @type {number} */ x, /** @type {number} */ y) {
  return nearest(marks, (mark) => {
    const far = Math.hypot(mark.x - x, mark.y - y);
    return far <= REACH ? far : Infinity;
  });
}

/** The line at a point, or whose clock is there. @param {DrawnLine[]} lines @param {number} x @param {number} y */
export function lineAt(lines, x, y) {
  return lines.find((line) => line.end === "came due" && Math.hypot(line.to - x, line.middle - y) <= 7)
    ?? lines.find((line) => Math.abs(line.y - y) <= 1.5 && x >= line.from - 2 && x <= line.to + 2);
}

/** The mark whose name is at a point. */
export function namedAt(/** @type {DrawnLabel[]} */ labels, /** @type {number} */ x, /** @type {number} */ y) {
  return labels.find((label) => Math.abs(y - label.y) <= 9 && isWithin(x, label));
}

function isWithin(/** @type {number} */ x, /** @type {DrawnLabel} */ { x: at, wide, isLeft }) {
  return isLeft ? x <= at && x >= at - wide : x >= at && x <= at + wide;
}

/** The next mark from one in the direction of an arrow key. */
export function neighbour(/** @type {DrawnMark[]} */ marks, /** @type {DrawnMark} */ from, /** @type {string} */ key) {
  const isSideways = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowLeft" || key === "ArrowUp" ? -1 : 1;
  return nearest(marks, (mark) => {
    const [x, y] = [mark.x - from.x, mark.y - from.y];
    const far = sign * (isSideways ? x || (mark.moment - from.moment) / 1e9 : y);
    if (far <= 0 || mark.key === from.key) return Infinity;
    return far + (isSideways ? Math.abs(y) * 0.001 : Math.abs(x) * 0.01);
  });
}

/** @param {DrawnMark[]} marks @param {(mark: DrawnMark) => number} far @returns {DrawnMark | null} */
function nearest(marks, far) {
  let [best, least] = [/** @type {DrawnMark | null} */ (null), Infinity];
  for (const mark of marks) {
    const distance = far(mark);
    if (distance < least) [best, least] = [mark, distance];
  }
  return best;
}
