// Which part of the run the lanes show, by position or by time, and the point of each event in it.
// Along the run an event takes up about one unit, its command the first half of it; idle gaps are folded to a few.

import { lowest } from "./chart.js";
import { clamp } from "./elements.js";
import { LOOKS } from "./looks.js";

/** @import { Chart } from "./chart.js" */

export const LEAST_SPAN = 4;
export const LEAST_ZOOM = 1;
const STRIDE = 12;
// By the same numbers Python draws its pictures, see views/lanes.py.
const { folded: FOLDED, leastGap: LEAST_GAP, ahead: AHEAD } = LOOKS.lanes;

export class Span {
  constructor(/** @type {Chart} */ chart) {
    this.chart = chart;
    /** @type {"position" | "time"} */
    this.axis = "position";
    this.from = 0;
    this.width = 24;
    this.room = 24;
    /** @type {number | null} */
    this.zoomed = null;
    this.isFollowing = true;
    /** @type {number[]} */
    this.folds = [];
    this.along = new Float64Array(0);
  }

  get to() {
    return this.from + this.width;
  }

  /** How long the whole run is. */
  get length() {
    return this.axis === "time" && this.chart.events.length
      ? this.along[this.chart.events.length - 1] + 1
      : this.chart.events.length;
  }

  /** Takes in what is new in the chart. */
  refresh() {
    if (this.axis === "time") this.lay();
    // Another branch may end before what was in sight.
    if (!this.isFollowing && this.from >= this.length) this.from = Math.max(0, this.length - this.width);
  }

  /** Goes along the other axis; the same events stay in sight. */
  choose(/** @type {"position" | "time"} */ axis) {
    const [first, last] = [clamp(this.eventAt(this.from), 1, this.chart.events.length),
      clamp(this.eventAt(this.to) - 1, 1, this.chart.events.length)];
    this.axis = axis;
    this.refresh();
    if (!this.isFollowing) this.showEvents(first, last);
  }

  /** Lays the events along the time: a gap much longer than most is folded, and its place noted. */
  lay() {
    const { times, length } = this.chart.events;
    /** @type {number[]} */
    const gaps = [];
    const stride = Math.max(1, Math.floor(length / 2000));
    for (let event = 1; event < length; event += stride) {
      if (times[event] > times[event - 1]) gaps.push(times[event] - times[event - 1]);
    }
    gaps.sort((a, b) => a - b);
    const usual = gaps[gaps.length >> 1] ?? 1;
    this.folds = [];
    if (this.along.length < length) this.along = new Float64Array(2 * length);
    for (let event = 1; event < length; event += 1) {
      const gap = (times[event] - times[event - 1]) / usual;
      if (gap > FOLDED) this.folds.push(event);
      this.along[event] = this.along[event - 1] + clamp(gap, LEAST_GAP, FOLDED);
    }
  }

  /** The point of a number of an event (from 1, halves are between two) along the run. */
  at(/** @type {number} */ among) {
    if (this.axis === "position") return among - AHEAD;
    const last = this.chart.events.length - 1;
    if (last < 0) return among;
    const event = clamp(Math.floor(among) - 1, 0, last);
    const beyond = among - 1 - event;
    const next = event < last ? this.along[event + 1] : this.along[event] + 1;
    return 1 - AHEAD + this.along[event] + beyond * (beyond < 0 ? 1 : next - this.along[event]);
  }

  /** The first event, from 1, at a point along the run or after it. */
  eventAt(/** @type {number} */ point) {
    const { length } = this.chart.events;
    if (this.axis === "position") return clamp(Math.ceil(point + AHEAD), 1, length + 1);
    return 1 + lowest(length, (event) => 1 - AHEAD + this.along[event] >= point);
  }

  /** How many units have room; few events are spread over it, in strides so that it seldom changes. */
  fit(/** @type {number} */ room) {
    this.room = room;
    const fitting = Math.ceil((this.length + 2) / STRIDE) * STRIDE;
    this.width = this.zoomed ?? Math.min(room, Math.max(fitting, Math.ceil((5 * room) / 12)));
  }

  /** Moves to where the cursor is, and no further than needed: windows begin at multiples of half their width. */
  follow(/** @type {number} */ now) {
    const stride = Math.max(this.width / 2, 1);
    const before = Math.max(stride / 2, 1);
    const point = now > 0 ? this.at(now) + AHEAD : 0;
    const furthest = Math.ceil(Math.max(this.length - this.width, 0) / stride) * stride;
    this.from = Math.min(Math.max(0, Math.floor((point - before) / stride) * stride), furthest);
  }

  show(/** @type {number} */ from) {
    this.isFollowing = false;
    this.from = clamp(from, 0, Math.max(0, this.length - Math.min(1, this.width)));
  }

  pan(/** @type {number} */ share) {
    this.show(this.from + share * this.width);
  }

  /** Makes the units wider or narrower; the point at that share of the width stays where it is. */
  zoom(/** @type {number} */ factor, /** @type {number} */ share = 0.5) {
    const point = this.from + share * this.width;
    this.zoomed = clamp(this.width * factor, LEAST_ZOOM, Math.max(this.length + 1, this.room));
    const follows = this.isFollowing;
    this.width = this.zoomed;
    this.show(point - share * this.width);
    this.isFollowing = follows;
  }

  /** Shows the events from one to another, with a little room about them. */
  showEvents(/** @type {number} */ first, /** @type {number} */ last) {
    const [from, to] = [this.at(first) - 1, this.at(last) + 1];
    this.zoomed = this.width = Math.max(to - from, LEAST_SPAN);
    this.show(from);
  }

  showAll() {
    this.zoomed = this.width = Math.max(this.length + 1, LEAST_SPAN);
    this.show(0);
  }

  /** Back to the usual width, around the cursor. */
  reset() {
    this.zoomed = null;
    this.isFollowing = true;
  }
}
