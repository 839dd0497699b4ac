// A recorded run, unpacked: the values of every part at every moment, rows shared between moments.

import { lowest } from "../chart.js";

/** @import { Packed } from "../types.js" */

const KEEP = 32;

export class Recording {
  constructor(/** @type {Packed} */ packed) {
    this.packed = packed;
    this.moments = packed.moments;
    // The values at every 32nd moment that was passed: from there, a few changes lead to any other.
    /** @type {Map<number, any>} */
    this.known = new Map([[-1, {}]]);
  }

  get last() {
    return this.moments.length - 1;
  }

  /** The index of the first kept moment at or after a moment. */
  indexOf(/** @type {number} */ moment) {
    return Math.min(lowest(this.moments.length, (index) => this.moments[index] >= moment), this.last);
  }

  /**
   * The values at an index, by part and field. They are shared: copy them before a change.
   * @param {number} index @returns {any}
   */
  at(index) {
    let from = index - (index % KEEP);
    while (from > 0 && !this.known.has(from)) from -= KEEP;
    if (!this.known.has(from)) from = -1;
    let values = this.known.get(from);
    for (let next = from + 1; next <= index; next += 1) {
      values = this.changed(values, this.packed.steps[next]);
      if (next % KEEP === 0) this.known.set(next, values);
    }
    return values;
  }

  changed(/** @type {any} */ values, /** @type {Record<string, Record<string, any>>} */ step) {
    const after = { ...values };
    for (const [part, fields] of Object.entries(step)) {
      const view = { ...after[part] };
      for (const [name, change] of Object.entries(fields)) view[name] = this.unpacked(view[name], change);
      after[part] = view;
    }
    return after;
  }

  /** A field's value after a change that `Packing` (in Python) wrote. */
  unpacked(/** @type {any} */ before, /** @type {any} */ change) {
    if ("v" in change) return change.v;
    if ("o" in change) return this.packed.rows[change.o];
    const [start, end, middle] = change.l ?? change.r;
    const old = Array.isArray(before) ? before : [];
    const fresh = change.r ? middle.map((/** @type {number} */ number) => this.packed.rows[number]) : middle;
    return [...old.slice(0, start), ...fresh, ...old.slice(old.length - end)];
  }
}

/** Reads what the page carries: JSON, compressed, as text. */
export async function unpack(/** @type {string} */ text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Recording(JSON.parse(await new Response(stream).text()));
}
