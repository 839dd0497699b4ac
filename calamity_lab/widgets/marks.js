// The marks in the lanes, each named by a text: "event 12" is the twelfth event of all, "step 57" what happened then,
// "change 3" the third change of all projections.

/**
 * @import { Mark } from "#views"
 * @import { DrawnLabel, DrawnMark } from "./types.js"
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
