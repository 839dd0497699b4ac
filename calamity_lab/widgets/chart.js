// The marks in the lanes, of the whole run, as columns that only grow: any part of it is drawn without asking.

import { LOOKS } from "./looks.js";

/**
 * @import { LaneRow, Mark } from "#views"
 * @import { ChartMark, ChartPatch, DrawnLabel, DrawnMark } from "./types.js"
 */

export const STEP_KINDS = LOOKS.inLanes.slice(1);
// A wait stands in the run where a command does: what comes behind it belongs to it.
const DEADLINE_ENDS = ["set", "met", "taken off"];
const COMMANDS = new Set(["command", "rejected", "time passed"]);
/** @type {ColumnName[]} */
export const OF_EVENTS = ["moments", "lanes", "names", "times", "positions"];
/** @type {ColumnName[]} */
export const OF_STEPS = ["moments", "halves", "lanes", "kinds", "names", "labels"];

/** @type {ColumnName[]} */
export const OF_CHANGES = ["events", "lanes", "kinds"];

/** @type {ColumnName[]} */
export const OF_DEADLINES = ["moments", "lanes", "kinds", "numbers"];
const GROUPS = [OF_EVENTS, OF_STEPS, OF_CHANGES, OF_DEADLINES];

/**
 * @typedef {"moments" | "lanes" | "names" | "times" | "positions" | "halves" | "kinds" | "labels" | "events" | "numbers"} ColumnName
 */

/** @typedef {{ lane: number, since: number, until: number, end: string, number: number }} DeadlineSpan */

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
    this.spansFor = -1;
    /** @type {DeadlineSpan[]} */
    this.spans = [];
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

  /** The deadlines in order of setting: when each was set and ended, and how; one that is kept has not ended. */
  deadlineSpans() {
    if (this.spansFor === this.edition) return this.spans;
    const { moments, lanes, kinds, numbers, length } = this.deadlines;
    /** @type {DeadlineSpan[]} */
    const spans = [];
    for (let place = 0; place < length; place += 1) {
      const [moment, number, end] = [moments[place], numbers[place], DEADLINE_ENDS[kinds[place]]];
      if (end === "set") spans.push({ lane: lanes[place], since: moment, until: Infinity, end, number });
      // One that is due may still be taken off: it was met.
      else if (spans[number].end === "set") Object.assign(spans[number], { until: moment, end });
    }
    [this.spans, this.spansFor] = [spans, this.edition];
    return spans;
  }

  /** The point of the mark of a step among the events; of one without a mark, behind the last event before. */
  amongStep(/** @type {number} */ moment) {
    const step = this.stepAt(moment);
    return step < 0 ? this.past(moment) + 0.5 : this.amongAt(step);
  }

  /** How many events are past at a moment. */
  past(/** @type {number} */ cursor) {
    return this.events.upto("moments", cursor);
  }

  /** The steps, from one to before another, with all steps between two events and at them. */
  stepsAround(/** @type {number} */ first, /** @type {number} */ last) {
    const { moments } = this.events;
    const since = first > 1 ? moments[first - 2] : 0;
    const after = last > 0 ? this.events.upto("moments", moments[last - 1]) : 0;
    const upto = after < this.events.length ? moments[after] : Infinity;
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
    const { event = 0, step = 0, change = 0 } = readMark(key);
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
// "change 3" the third change of all projections.

const REACH = 14;

/** @param {number} number @returns {Mark} */
export function eventMark(number) {
  return `event ${number}`;
}

/** @param {number} moment @returns {Mark} */
export function stepMark(moment) {
  return `step ${moment}`;
}

/** @param {number} number @returns {Mark} */
export function changeMark(number) {
  return `change ${number}`;
}

/**
 * The number of the event or of the change that a mark names, or the moment of the step.
 * @param {Mark | null | undefined} mark @returns {{ event?: number, step?: number, change?: number }}
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
