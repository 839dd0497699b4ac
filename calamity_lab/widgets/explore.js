// Exploring: what is followed from the moment that is looked at, how far it is, and what breaks, with the path to it.

import { button, disable, isDisabled } from "./buttons.js";
import { choiceOf, freshId, make, optionNodes, plural, put, setText, show, showText } from "./elements.js";
import { focusedIn, keyed } from "./lists.js";
import { icon } from "./signs.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { ExploreCheck, ExploredView, ExploreOption, ExploringView, NeverRow, PathRow } from "#views"
 */

/** @type {[string, string][]} */
const ROLES = [
  ["always", "must always hold"],
  ["eventually", "must come on each path"],
  ["sometimes", "must come on some path"],
  ["off", "not checked"],
];
/** @type {[string, string][]} */
const ORDERS = [
  ["breadth", "Shortest paths first"],
  ["depth", "Long paths first"],
  ["random", "At random"],
];
/** @type {[string, string][]} */
const TIMES = [
  ["any", "At any moment"],
  ["idle", "When nothing else can happen"],
];
/** @type {Record<string, string>} */
const VERDICT_ICONS = { holds: "good", broken: "rejected", undecided: "conflict" };
const NO_CHECK =
  'Nothing is checked yet. lab.invariant("no debts", function) adds a check. Without one, exploring finds errors of the '
  + "model, and process managers that wait for ever.";

/**
 * `typed` gives the command in the form of the lab.
 * @param {HTMLElement} root @param {LabHandle} lab @param {() => { command: string, fields: any }} typed
 */
export function mountExplore(root, lab, typed) {
  const explore = button({ text: "Explore", kind: "cl-primary",
    title: "Follow everything that may happen from here, and check each state", on: () => {
      if (!isDisabled(explore)) lab.send("explore");
    } });
  const stop = button({ text: "Stop", title: "Stop here, and keep what was found",
    on: () => lab.send("explore_stop") });
  const further = button({ text: "Go on", title: "Look at more states", on: () => lab.send("explore_further") });
  const start = make("span", { class: "cl-explore-start" });
  const how = settings(lab, typed);
  const problem = make("p", { class: "cl-hint" });
  const verdict = make("span", { class: "cl-verdict" });
  const reason = make("span", { class: "cl-explore-reason" });
  const progress = make("span", { class: "cl-muted" });
  const status = make("div", { class: "cl-explore-status", role: "group", "aria-label": "What was found" }, verdict,
    reason, progress);
  const rows = make("div", { role: "list", "aria-label": "What breaks", hidden: true });
  const waiting = make("div", { role: "list" });
  const moreWait = make("p", { class: "cl-muted" });
  const stuck = exploreGroup("Nothing can happen, and a process manager waits", waiting, moreWait);
  stuck.classList.add("cl-explore-stuck");
  put(waiting, "aria-labelledby", stuck.getAttribute("aria-labelledby"));
  const lists = make("div");
  root.append(make("div", { class: "cl-bar cl-explore-bar" }, explore, stop, further, start),
    make("div", { class: "cl-scroll cl-view-body cl-explore", tabindex: "-1" }, how.node, problem, status, rows, stuck,
      lists));
  /** @type {PathRow[]} */
  let paths = [];

  function fold(/** @type {string} */ key) {
    const unfolded = paths.filter((row) => row.is_open !== (row.key === key)).map((row) => row.key);
    lab.setOptions("exploring", { unfolded });
  }
  function drawFound(/** @type {ExploredView} */ found) {
    paths = [...found.violations, ...found.stuck];
    put(status, "aria-busy", found.is_running ? "true" : null);
    const sign = choiceOf(found.verdict, VERDICT_ICONS);
    verdict.replaceChildren(...(sign ? [icon(sign), make("strong", { text: found.verdict })] : []));
    put(verdict, "data-verdict", found.verdict);
    setText(reason, found.is_running ? `Exploring. ${found.reason}` : found.reason);
    setText(progress, found.progress);
    show(rows, found.violations.length > 0);
    keyed(rows, found.violations, ({ key }) => key, () => pathNode(lab, fold), updatePath);
    keyed(waiting, found.stuck, ({ key }) => key, () => pathNode(lab, fold), updatePath);
    showText(moreWait, found.more_stuck ? `and ${plural(found.more_stuck, "more state")}` : "");
    keyed(lists, found.never, ({ heading }) => heading, neverNode, updateNever);
  }
  return {
    parts: ["exploring"],
    update(/** @type {ExploringView} */ value) {
      const { found } = value;
      const isRunning = found?.is_running ?? false;
      setText(start, value.start);
      disable(explore, isRunning || value.problem !== "");
      const focused = focusedIn(root);
      show(stop, isRunning);
      show(further, found?.can_go_on ?? false);
      if ((focused === stop && !isRunning) || (focused === further && further.hidden)) explore.focus();
      how.update(value);
      showText(problem, isRunning ? "" : value.problem);
      show(status, found !== null);
      show(stuck, found !== null && found.stuck.length > 0);
      if (found) drawFound(found);
    },
  };
}

/** What is explored: folded, since what is usual fits most. @param {LabHandle} lab @param {() => any} typed */
function settings(lab, typed) {
  const summary = make("span", { class: "cl-muted" });
  const checks = make("ul");
  const hint = make("p", { class: "cl-muted", text: NO_CHECK });
  const commands = optionList(lab, "commands");
  const faults = optionList(lab, "faults");
  const add = button({ icon: "add", text: "Add the command in the form", kind: "cl-small",
    title: "The command may then be sent in each state", on: () => lab.send("offer", typed()) });
  const order = make("select", { class: "cl-input cl-select",
    on: { change: () => lab.setOptions("exploring", { strategy: order.value }) } }, ...optionNodes(ORDERS));
  const time = make("select", { class: "cl-input cl-select",
    on: { change: () => lab.setOptions("exploring", { time: time.value }) } }, ...optionNodes(TIMES));
  const workers = make("select", { class: "cl-input cl-select",
    on: { change: () => lab.setOptions("exploring", { workers: Number(workers.value) }) } });
  const limit = numberInput(lab, "limit");
  const depth = numberInput(lab, "depth", "no limit");
  const seed = numberInput(lab, "seed");
  const orderField = exploreField("Order", order);
  const seedField = exploreField("Seed", seed);
  const limitField = exploreField("States at most", limit);
  const timeField = exploreField("Time may pass", time);
  const workersField = exploreField("Processes", workers);
  const node = make("details", { class: "cl-explore-how" },
    make("summary", {}, make("span", { text: "What is explored" }), summary), exploreGroup("Checks", checks, hint),
    exploreGroup("Commands that may be sent in each state, beside the pending ones", commands.node, add),
    exploreGroup("Faults that may happen once, at any moment", faults.node),
    exploreGroup("How far", limitField, exploreField("Commands deep", depth), orderField, seedField, timeField,
      workersField));
  return {
    node,
    update(/** @type {ExploringView} */ value) {
      setText(summary, value.summary);
      keyed(checks, value.checks, ({ name }) => name, (check) => checkNode(lab, checks, check), updateCheck);
      show(hint, value.checks.length === 0);
      commands.update(value.commands);
      faults.update(value.faults);
      order.value = value.strategy;
      for (const [input, number]
        of /** @type {[HTMLInputElement, number | null][]} */ ([[limit, value.limit], [depth, value.depth], [seed,
          value.seed]]))
      {
        if (focusedIn(input) !== input) input.value = number === null ? "" : String(number);
      }
      const isRandom = value.strategy === "random";
      show(seedField, isRandom);
      time.value = value.time;
      show(timeField, value.has_deadlines);
      keyed(workers, Array.from({ length: value.most_workers }, (_, n) => n + 1), String,
        (count) => make("option", { value: String(count), text: String(count) }), () => {});
      workers.value = String(value.workers);
      show(workersField, value.most_workers > 1);
      setText(limitField.children[0], isRandom ? "Choices at most" : "States at most");
    },
  };
}

/** @param {string} title @param {HTMLElement[]} content */
function exploreGroup(title, ...content) {
  const id = freshId("explore");
  return make("div", { class: "cl-explore-group", role: "group", "aria-labelledby": id },
    make("h3", { id, text: title }), ...content);
}

/** @param {string} name @param {HTMLElement} input */
function exploreField(name, input) {
  const id = freshId("explore");
  put(input, "id", id);
  return make("span", { class: "cl-explore-field" }, make("label", { for: id, text: name }), input);
}

/** @param {LabHandle} lab @param {"limit" | "depth" | "seed"} name @param {string} [nothing] */
function numberInput(lab, name, nothing) {
  const input = make("input", { class: "cl-input", inputmode: "numeric", autocomplete: "off", placeholder: nothing,
    on: {
      change: () => {
        const text = input.value.replace(/[,\s]/g, "");
        // What is no number goes to Python as it is, which says what is wrong with it.
        const number = /^-?\d+$/.test(text) ? Number(text) : input.value;
        lab.setOptions("exploring", { [name]: text === "" && nothing ? null : number });
      },
    } });
  return input;
}

/** Things to switch on and off. @param {LabHandle} lab @param {"commands" | "faults"} name */
function optionList(lab, name) {
  const list = make("ul");
  /** @type {ExploreOption[]} */
  let known = [];
  const toggle = (/** @type {string} */ key) =>
    lab.setOptions("exploring", {
      [name]: known.filter((each) => each.is_on !== (each.key === key)).map((each) => each.key),
    });
  return {
    node: list,
    update(/** @type {ExploreOption[]} */ options) {
      known = options;
      keyed(list, options, ({ key }) => key, ({ key }) => {
        const check = make("input", { type: "checkbox", class: "cl-check", on: { change: () => toggle(key) } });
        return make("li", {}, make("label", {}, check, make("span")));
      }, (node, { label, title, is_on: isOn }) => {
        const [check, text] = node.children[0].children;
        /** @type {HTMLInputElement} */ (check).checked = isOn;
        setText(text, label);
        put(node, "title", title);
      });
    },
  };
}

/** @typedef {HTMLElement & { checked: ExploreCheck }} CheckNode */

/** @param {LabHandle} lab @param {HTMLElement} list @param {ExploreCheck} check @returns {CheckNode} */
function checkNode(lab, list, check) {
  const id = freshId("check");
  const choose = make("select", { class: "cl-input cl-select", "aria-labelledby": id, on: { change: () => {
    const others = /** @type {CheckNode[]} */ ([...list.children]).map(({ checked }) => checked);
    lab.setOptions("exploring", {
      checks: others.map(({ name, role }) => [name, name === node.checked.name ? choose.value : role]),
    });
  } } }, ...optionNodes(ROLES));
  const node = Object.assign(make("li", { class: "cl-explore-check" }, make("span", { id }), choose), {
    checked: check,
  });
  return node;
}

function updateCheck(/** @type {CheckNode} */ node, /** @type {ExploreCheck} */ check) {
  node.checked = check;
  setText(node.children[0], check.label);
  /** @type {HTMLSelectElement} */ (node.children[1]).value = check.role;
}

/** What was found; unfolded, the path to it. @param {LabHandle} lab @param {(key: string) => void} fold */
function pathNode(lab, fold) {
  const row = { key: "", kind: "", name: "" };
  const [label, where] = [make("strong"), make("span", { class: "cl-muted" })];
  const head = make("button", { type: "button", class: "cl-violation-head", on: { click: () => fold(row.key) } },
    icon("unfold"), label, where);
  const error = make("p", { class: "cl-problem" });
  const steps = make("ol");
  const more = make("p", { class: "cl-muted" });
  const advice = make("p");
  const open = button({ text: "Open in the lab", kind: "cl-small",
    title: "Go to the moment to which the path leads, on a branch of its own",
    on: () => lab.send("open_found", { kind: row.kind, name: row.name, label: "Open in the lab" }) });
  const copy = button({ icon: "copy", text: "Copy as test", kind: "cl-small",
    title: "The path as a test that fails until the model is corrected", on: (press) => {
      lab.opened?.(press);
      lab.send("copy_violation", { name: row.name, label: "Copy as test" });
    } });
  const body = make("div", { class: "cl-violation-body" }, make("div", { class: "cl-violation-acts" }, open, copy),
    error, steps, more, advice);
  return Object.assign(make("div", { class: "cl-violation", role: "listitem" }, head, body), {
    own: { row, label, where, head, copy, error, steps, more, advice, body },
  });
}

function updatePath(/** @type {ReturnType<typeof pathNode>} */ node, /** @type {PathRow} */ path) {
  const { row, label, where, head, copy, error, steps, more, advice, body } = node.own;
  Object.assign(row, { key: path.key, kind: path.kind, name: path.name });
  show(copy, path.kind === "broken");
  setText(label, path.label);
  const last = path.length ? `; the last one: ${path.last}` : "";
  setText(where, `after ${plural(path.length, "command")}${last}`);
  put(head, "aria-expanded", path.is_open ? "true" : "false");
  put(head, "title", path.is_open ? "Fold the path" : "Show the path");
  node.classList.toggle("cl-opened", path.is_open);
  show(body, path.is_open);
  showText(error, path.error);
  keyed(steps, path.steps, ({ number }) => number,
    () => make("li", {}, make("span"), make("span", { class: "cl-muted" }), make("strong")), (item, step) => {
    [step.label, step.sender && ` ${step.sender}`, step.note && ` ${step.note}`].forEach((text, index) =>
      setText(item.children[index], text)
    );
    item.classList.toggle("cl-last-chance", step.note !== "");
  });
  showText(more, path.more ? `and ${plural(path.more, "more command")}` : "");
  showText(advice, path.advice);
}

function neverNode() {
  return make("section", { class: "cl-explore-never" }, make("h3"), make("ul"));
}

function updateNever(/** @type {HTMLElement} */ node, /** @type {NeverRow} */ { heading, names, more }) {
  const [title, list] = node.children;
  setText(title, heading);
  list.replaceChildren(...names.map((name) => make("li", { text: name })),
    ...(more ? [make("li", { class: "cl-muted", text: `and ${plural(more, "more", "more")}` })] : []));
}
