// What a field was over time: a sparkline of numbers, or a list of changes. Each point leads to its moment, and
// "Why?" to what gave the field its value.

import { button } from "./buttons.js";
import { choiceOf, clamp, count, draw, make, plural, put, setText, showText } from "./elements.js";
import { focusedIn, keyed } from "./lists.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { FieldLine } from "./state.js"
 * @import { FieldHistory, FieldRow } from "#views"
 */

const SPARK_WIDTH = 100;
const SPARK_HEIGHT = 30;
const SPARK_EDGE = 3;

/**
 * `Go` goes to a moment, or to a version where the moment is not known.
 * @typedef {(moment: number | null, version: number) => void} Go
 * @typedef {{ version: number, moment: number | null, value: string, is_later: boolean, is_now: boolean }} Change
 * @typedef {{ node: HTMLElement, update(history: FieldHistory): void }} Drawing
 */

/** Draws, changes or takes away the history below a field's line. */
export function updateHistory(/** @type {FieldLine} */ line, /** @type {FieldRow} */ field) {
  const { history: known, card } = line.lineParts;
  const { asks } = card.cardParts;
  const id = card.cardParts.row?.stream_id ?? "";
  const kind = field.history?.kind ?? null;
  const name = `${field.path} of ${id}`;
  if (known && (known.kind !== kind || known.name !== name)) {
    known.node.remove();
    line.lineParts.history = null;
  }
  if (!kind) return;
  /** @type {Go} */
  const go = (moment, version) => (moment === null ? asks.asOf(id, version) : asks.lab.goto(moment));
  const shown =
    (line.lineParts.history ??= { kind, name, ...(kind === "numbers" ? sparkline(name, go) : changeList(name, go)) });
  if (!shown.node.isConnected) {
    shown.node.prepend(
      make("p", { class: "cl-history-acts" }, whyButton(asks.lab, name, id, field.path),
        ...(asks.lab.values.fact?.is_fixed ? [] : stopButtons(asks.lab, id, field.path))),
    );
    line.append(shown.node);
  }
  if (field.history) shown.update(field.history);
}

/** @param {LabHandle} lab @param {string} name @param {string} id @param {string} field */
function whyButton(lab, name, id, field) {
  return button({ text: "Why?", label: `Why? ${name}`, title: "What gave this value, up to the submitted command",
    kind: "cl-small", on: (press) => {
      lab.opened?.(press);
      lab.send("why", { stream_id: id, field });
    } });
}

/** What can be set on a field. @param {LabHandle} lab @param {string} name @param {string} field */
function stopButtons(lab, name, field) {
  return [
    button({ text: "Break on change", label: `Break on change of ${field} of ${name}`,
      title: `Stop every move at a change of ${field} of ${name}`, kind: "cl-small",
      on: () => lab.send("break_on", { kind: "field", name, field }) }),
    button({ text: "Watch", label: `Watch ${field} of ${name}`,
      title: `Show ${field} of ${name} at each step, in the list of watches`, kind: "cl-small",
      on: () => lab.send("watch_field", { name, field }) }),
  ];
}

/** @param {string} name @param {Go} go @returns {Drawing} */
function sparkline(name, go) {
  const parts = ["cl-spark-later", "cl-spark-past", "cl-spark-now", "cl-spark-dots cl-later", "cl-spark-dots",
    "cl-spark-chosen"];
  const paths = parts.map((kind) => draw("path", { class: kind, "vector-effect": "non-scaling-stroke" }));
  const [later, past, now, laterDots, pastDots, mark] = paths;
  const svg = draw("svg", { viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, preserveAspectRatio: "none",
    "aria-hidden": "true" }, ...paths);
  const slider = make("div", { class: "cl-spark", role: "slider", tabindex: "0", "aria-label": `${name} by version`,
    title: "Press a value to go to its moment, or choose one with the arrow keys and press Enter" }, svg);
  const text = make("span");
  const range = make("span", { class: "cl-muted" });
  const node = make("dd", { class: "cl-history" }, slider, make("p", { class: "cl-history-text" }, text, range));
  /** @type {FieldHistory} */
  let history;
  let chosen = 0;

  const here = () => Math.max(history.past - 1, 0);
  function x(/** @type {number} */ index) {
    const last = history.versions.length - 1;
    return last ? SPARK_EDGE + (index * (SPARK_WIDTH - 2 * SPARK_EDGE)) / last : SPARK_WIDTH / 2;
  }
  /** @param {number} index */
  const y = (index) => SPARK_HEIGHT - SPARK_EDGE - Number(history.heights[index]) * (SPARK_HEIGHT - 2 * SPARK_EDGE);

  /** A value holds until the next one: steps, and a gap where there was no number. */
  function steps(/** @type {number} */ from, /** @type {number} */ upto) {
    let path = "";
    for (let index = from; index <= upto; index += 1) {
      if (history.heights[index] === null) continue;
      const follows = index > from && history.heights[index - 1] !== null;
      path += follows ? `H${x(index)}V${y(index)}` : `M${x(index)} ${y(index)}`;
    }
    return path;
  }

  function dots(/** @type {number} */ from, /** @type {number} */ upto) {
    if (history.versions.length > 40) return "";
    const isIn = (/** @type {number} */ index) => history.heights[index] !== null && index >= from && index <= upto;
    return history.versions.map((_version, index) => (isIn(index) ? `M${x(index)} ${y(index)}h0` : "")).join("");
  }

  function choose(/** @type {number} */ index) {
    chosen = clamp(index, 0, history.versions.length - 1);
    const version = history.versions[chosen];
    const when = chosen >= history.past ? ", yet to come" : chosen === here() ? ", now" : "";
    put(mark, "d", history.heights[chosen] === null ? "" : `M${x(chosen)} ${y(chosen)}h0`);
    setText(text, `v${count(version)}: ${history.values[chosen]}${when}`);
    put(slider, "aria-valuenow", version);
    put(slider, "aria-valuetext", `version ${count(version)}: ${history.values[chosen]}${when}`);
  }

  function nearest(/** @type {MouseEvent} */ event) {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * SPARK_WIDTH - SPARK_EDGE;
    return Math.round((at * (history.versions.length - 1)) / (SPARK_WIDTH - 2 * SPARK_EDGE));
  }

  const leave = () => {
    if (focusedIn(slider) !== slider) choose(here());
  };
  slider.addEventListener("pointermove", (event) => choose(nearest(event)));
  slider.addEventListener("pointerleave", leave);
  slider.addEventListener("blur", () => choose(here()));
  slider.addEventListener("click", (event) => {
    choose(nearest(event));
    go(history.moments[chosen], history.versions[chosen]);
  });
  slider.addEventListener("keydown", (event) => {
    const by = choiceOf(event.key, { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10,
      Home: -Infinity, End: Infinity });
    if (by === undefined && event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    if (by === undefined) go(history.moments[chosen], history.versions[chosen]);
    else choose(chosen + by);
  });
  return {
    node,
    update(/** @type {FieldHistory} */ value) {
      history = value;
      const last = value.versions.length - 1;
      put(past, "d", steps(0, value.past - 1));
      put(later, "d", steps(here(), last));
      put(pastDots, "d", dots(0, value.past - 1));
      put(laterDots, "d", dots(value.past, last));
      put(now, "d", value.past ? `M${x(here())} 0V${SPARK_HEIGHT}` : `M0.5 0V${SPARK_HEIGHT}`);
      put(slider, "aria-valuemin", value.versions[0]);
      put(slider, "aria-valuemax", value.versions[last]);
      setText(range, `${value.least} – ${value.most}${value.every > 1 ? `, one version in ${value.every}` : ""}`);
      choose(here());
    },
  };
}

/** @param {string} name @param {Go} go @returns {Drawing} */
function changeList(name, go) {
  const list = make("ol", { "aria-label": `${name} by version` });
  const left = make("p", { class: "cl-history-text cl-muted" });
  const node = make("dd", { class: "cl-history" }, left, list);
  return {
    node,
    update(/** @type {FieldHistory} */ { versions, moments, values, past, every, earlier }) {
      const skipped = [earlier ? `${plural(earlier, "change")} before` : "",
        every > 1 ? `one version in ${every} is shown` : "", versions.length ? "" : "no value is known"];
      showText(left, skipped.filter(Boolean).join("; "));
      const items = versions.map((version, index) => ({ version, moment: moments[index], value: values[index],
        is_later: index >= past, is_now: index === past - 1 })
      );
      keyed(list, items, ({ version }) => version, (item) => changeItem(item, go), updateChange);
    },
  };
}

function changeItem(/** @type {Change} */ first, /** @type {Go} */ go) {
  let change = first;
  const press = make("button", { type: "button", class: "cl-change",
    on: { click: () => go(change.moment, change.version) } }, make("span", { class: "cl-muted" }), make("span"));
  return Object.assign(make("li", {}, press), {
    press,
    take(/** @type {Change} */ changed) {
      change = changed;
    },
  });
}

function updateChange(/** @type {ReturnType<typeof changeItem>} */ item, /** @type {Change} */ change) {
  item.take(change);
  const [version, value] = item.press.children;
  item.classList.toggle("cl-later", change.is_later);
  put(item.press, "aria-current", change.is_now ? "true" : null);
  setText(version, `v${count(change.version)}`);
  setText(value, change.value);
  put(item.press, "title",
    `${change.value}\n${change.is_later ? "Go to its moment, yet to come" : "Go to its moment"}`);
}
