// The marks in the lanes, each named by a text: "event 12" is the twelfth event of all, "step 57" what happened then.

/**
 * @import { Mark } from "#views"
 * @import { DrawnMark } from "./types.js"
 */

const REACH = 14;

/** @param {number} number @returns {Mark} */
export function eventMark(number) {
  return `event ${number}`;
}

/** @param {number} moment @returns {Mark} */
export function stepMark(moment) {
  return `step ${moment}`;
}

/**
 * The number of the event that a mark names, or the moment of the step.
 * @param {Mark | null | undefined} mark @returns {{ event?: number, step?: number }}
 */
export function readMark(mark) {
  if (!mark) return {};
  const [kind, number] = mark.split(" ");
  return { [kind]: Number(number) };
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
    if (far(mark) <= 0 || mark.key === from.key) continue;
    const cost = far(mark) + off(mark);
    if (!best || cost < best.cost) best = { mark, cost };
  }
  return best?.mark ?? null;
}
