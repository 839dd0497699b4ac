// The process graph: what sends, causes and wakes what; and the status of one instance of a process manager.

import { choiceOf, closest, count, draw, freshId, make, plural, setText, show } from "./elements.js";
import { addPicked, focusedIn, keepInSight, keyed, rove } from "./lists.js";
import { arrowHead, ARROWS, chosenOf, drawGraph, keyToMarks, nodeTowards, statusSign } from "./process_nodes.js";
import { stopsOf } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { GraphNodeElement } from "./process_nodes.js"
 * @import { Instance, ProcessGraphView, Selected } from "#views"
 */

export function mountProcessGraph(/** @type {HTMLElement} */ root, /** @type {LabHandle} */ lab) {
  const managers = make("select", { class: "cl-input cl-select", "aria-label": "Process manager" });
  const instances = make("select", { class: "cl-input cl-select", "aria-label": "Instance" });
  const stage = mountStage();
  const marker = freshId("arrow");
  const layers = { headings: draw("g"), edges: draw("g"),
    nodes: draw("g", { role: "group", "aria-label": "Types of the model" }), marker };
  const svg = draw("svg", { class: "cl-graph", role: "none" },
    draw("defs", {}, ...ARROWS.map((name) => arrowHead(`${marker}-${name}`, name))), layers.headings, layers.edges,
    layers.nodes);
  const parts = { ...layers, svg };
  const key = make("div", { class: "cl-graph-key", role: "list", "aria-label": "What the marks mean" });
  const scroll = make("div", { class: "cl-scroll cl-view-body cl-graph-scroll", role: "group",
    "aria-label": "Process graph", tabindex: "-1" }, parts.svg, key);
  const hint = make("p", { class: "cl-hint" });
  root.append(make("div", { class: "cl-bar cl-graph-bar" }, managers, instances, stage.node), scroll, hint);
  // What is picked out elsewhere is followed, unless an instance was chosen here since.
  let chosen = "";
  /** @type {string | null} */
  let passed = null;
  const look = (/** @type {string} */ manager, /** @type {string} */ instance) => {
    [chosen, passed] = [instance, pickedStream(lab.values.selected) || null];
    lab.setOptions("process_graph", { manager: manager || null, instance: instance || null, passed });
    if (instance) lab.select({ stream_id: instance });
  };
  /** @type {ProcessGraphView | undefined} */
  let shown;
  const nodes = () => /** @type {GraphNodeElement[]} */ ([...layers.nodes.children]);
  const nodeOf = (
    /** @type {Event} */ { target },
  ) => /** @type {GraphNodeElement | null} */ (closest(target, ".cl-node"));
  /** Opens what is known of a type, or of the instance below its process manager. The graph stays what it is. */
  function open(/** @type {GraphNodeElement} */ node, /** @type {Event} */ press) {
    const instance = shown && chosenOf(shown)?.stream_id;
    rove(nodes(), node, { focus: false });
    if (instance && instance === pickedStream(lab.values.selected) && instance !== passed) {
      [chosen, passed] = [instance, null];
      lab.setOptions("process_graph", { manager: shown?.manager, instance, passed });
    }
    const isInstance = closest(press.target, ".cl-node-instance") !== null;
    lab.select(isInstance && instance ? { stream_id: instance } : { type: node.graphNode.key }, press);
  }
  layers.nodes.addEventListener("click", (press) => {
    const node = nodeOf(press);
    if (node) open(node, press);
  });
  layers.nodes.addEventListener("keydown", (press) => {
    const node = nodeOf(press);
    if (!node || press.altKey || press.ctrlKey || press.metaKey) return;
    const next = nodeTowards(nodes(), node, press.key);
    if (!next && !choiceOf(press.key, { Enter: true, " ": true })) return;
    press.preventDefault();
    if (next) rove(nodes(), next);
    else open(node, press);
  });
  addPicked(lab, "process_graph", layers.nodes, scroll,
    (/** @type {GraphNodeElement} */ { graphNode: { key: type } }, selected) => selected.type === type);
  managers.addEventListener("change", () => look(managers.value, ""));
  instances.addEventListener("change", () => look(managers.value, instances.value));
  return {
    parts: ["process_graph", "stops"],
    update(/** @type {any} */ _value, /** @type {Partial<ProcessGraphView>} */ patch, /** @type {string} */ part) {
      const value = /** @type {ProcessGraphView | undefined} */ (lab.values.process_graph);
      if (!value) return;
      shown = value;
      const stops = stopsOf(lab.values.stops);
      const redraw = () => {
        drawGraph(parts, value, stops);
        keyToMarks(key, value, stops);
        const there = nodes();
        // One node is a stop of the Tab key: the one that had the focus or was pressed last, or else where the run is.
        const active = there.find((node) => node === focusedIn(root)) ?? there.find(({ tabIndex }) => tabIndex === 0)
          ?? there.find(({ graphNode: { current } }) => current) ?? there[0];
        if (active) rove(there, active, { focus: false });
      };
      if (part === "stops") {
        redraw();
        return;
      }
      if (patch.managers || "manager" in patch) {
        options(managers, value.managers.map((name) => [name, name]), value.manager);
      }
      const stream = chosenOf(value)?.stream_id;
      const picked = pickedStream(lab.values.selected);
      options(instances, instanceOptions(value),
        stream === chosen || (stream === picked && picked !== passed) ? stream : "");
      stage.update(value);
      show(scroll, value.nodes.length > 0);
      show(hint, !value.nodes.length);
      setText(hint, "This model has no process manager, and nothing has happened yet.");
      if (!["scene", "nodes", "edges", "marks", "chosen", "about"].some((name) => name in patch)) return;
      redraw();
      lab.later(() => keepStepInSight(parts.nodes, scroll));
    },
  };
}

/** @param {HTMLSelectElement} select @param {string[][]} wanted @param {string | null | undefined} chosen */
function options(select, wanted, chosen) {
  keyed(select, wanted, ([value]) => value, ([value]) => make("option", { value }),
    (option, [, text]) => setText(option, text));
  select.value = chosen ?? "";
  show(select, wanted.length > 1);
}

function instanceOptions(/** @type {{ instances: Instance[] }} */ { instances }) {
  const names = instances.map(({ stream_id: id, status }) => [id, status === "stopped" ? `${id} (stopped)` : id]);
  return names.length ? [["", "instance at work"], ...names] : [];
}

/** Scrolls to what the step is about where nothing of it can be seen; so that stepping moves the picture seldom. */
function keepStepInSight(/** @type {Element} */ nodes, /** @type {Element} */ scroll) {
  const [outer, current] = [scroll.getBoundingClientRect(), [...nodes.querySelectorAll(".cl-current.cl-own")]];
  const isSeen = (/** @type {Element} */ node) => {
    const { top, bottom } = node.getBoundingClientRect();
    return top >= outer.top && bottom <= outer.bottom;
  };
  if (!current.some(isSeen)) keepInSight(current[0], scroll);
}

/** The stream that was picked out of the run, by itself or by one of its steps. */
function pickedStream(/** @type {Selected | undefined} */ selected) {
  return selected && ["stream", "step"].includes(selected.kind) ? selected.streams[0] : "";
}

/** The status of the instance as a sentence, and since when it has this status. */
function mountStage() {
  const sign = make("span", { class: "cl-stage-sign" });
  const words = make("span");
  const since = make("span", { class: "cl-stage-since" });
  return {
    node: make("span", { class: "cl-stage" }, sign, words, since),
    update(/** @type {ProcessGraphView} */ value) {
      const { instances, manager, sentence, since: from } = value;
      const found = chosenOf(value);
      const state = !found ? "" : found.status === "stopped" ? "done" : value.overdue ? "overdue" : "waiting";
      setText(words, found ? sentence : manager && !instances.length ? `no ${manager} has started yet` : "");
      setText(since, found && found.status !== "stopped" && from !== null ? ` (${waited(value)})` : "");
      if (sign.dataset.status === state) return;
      sign.dataset.status = state;
      sign.replaceChildren(...(state ? [statusSign(state)] : []));
    },
  };
}

/** Since when the instance has done nothing: the step, how many steps ago, and how long by the events' times. */
function waited(/** @type {ProcessGraphView} */ { cursor, since, now, then }) {
  const time = spell((now ?? 0) - (then ?? now ?? 0));
  const from = Number(since);
  const steps = cursor > from ? `: ${plural(cursor - from, "step")}${time && `, ${time}`}` : "";
  return `since step ${count(from)}${steps}`;
}

/** @type {[string, number][]} */
const SPANS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

/** A length of time by its largest unit; nothing for less than a second. */
function spell(/** @type {number} */ seconds) {
  const found = SPANS.find(([, length]) => seconds >= length);
  return found ? plural(Math.floor(seconds / found[1]), found[0]) : "";
}
