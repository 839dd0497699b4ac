// All views in one widget, on one cursor: the head, two columns below it, and the last fact at the foot.

import { mountAgenda, mountStops } from "./agenda.js";
import { button, mountHandle } from "./buttons.js";
import { mountComparison } from "./comparison.js";
import { mountControls } from "./controls.js";
import { mountDetails } from "./details.js";
import { mountForm } from "./form.js";
import { choiceOf, closest, count, freshId, make, put, setText, show } from "./elements.js";
import { mountExplore } from "./explore.js";
import { mountFoot } from "./lab_handle.js";
import { focusedIn, rove } from "./lists.js";
import { mountLog } from "./log.js";
import { mountProcessGraph } from "./process_graph.js";
import { mountSearch } from "./search.js";
import { mountSequence } from "./sequence.js";
import { mountState } from "./state.js";
import { mountTimeline } from "./timeline.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { Hit, Tabs } from "#views"
 * @import { View } from "./types.js"
 */

/** @typedef {() => { command: string, fields: any }} Typed what is in the form */
/** @type {[string, string, (root: HTMLElement, lab: LabHandle, typed: Typed) => View][]} */
export const TAB_VIEWS = [
  ["state", "State", (root, lab) => mountState(root, lab)],
  ["log", "Log", (root, lab) => mountLog(root, lab)],
  ["process_graph", "Process graph", (root, lab) => mountProcessGraph(root, lab)],
  ["sequence", "Sequence", (root, lab) => mountSequence(root, lab)],
  ["comparison", "Compare", (root, lab) => mountComparison(root, lab)],
  ["exploring", "Explore", mountExplore],
];
// In pixels: below the least nothing can be read, and above the most nobody has a screen.
const LAB_HEIGHT = { least: 480, most: 2000 };
const LANES_HEIGHT = { least: 96, most: 900 };
const TABBED_HEIGHT = { least: 170 };

/** @param {HTMLElement} root @param {LabHandle} lab @param {() => void} openHelp */
export function mountComposite(root, lab, openHelp) {
  const controls = lab.add(mountControls(root, lab, openHelp));
  const left = make("div", { class: "cl-left" });
  const columns = make("div", { class: "cl-columns" }, left);
  root.append(columns);
  const drawer = lab.add(mountDrawer(root, controls.row, left, lab));
  const agenda = lab.add(mountAgenda(left, lab));
  const search = lab.add(mountSearch(controls.search, lab, (/** @type {Hit} */ hit) => {
    drawer.reveal();
    agenda.reveal(hit);
  }));
  const form = lab.add(mountForm(left, lab, () => drawer.reveal()));
  const stops = lab.isRecorded ? null : lab.add(mountStops(left, lab));
  const lanes = lab.add(mountTimeline(columns, lab)).nodes.node;
  columns.append(
    lab.add(
      mountHandle(root, lanes, { label: "Height of the lanes", property: "--cl-lanes-height", least: LANES_HEIGHT.least,
        most: () => roomForLanes(columns) }),
    ).node,
  );
  lab.addFirst(mountTabs(columns, lab, form.typed));
  lab.add(mountDetails(root, /** @type {HTMLElement} */ (columns.querySelector(".cl-tabbed")), lab));
  lab.add(mountFoot(root, ["controls"]));
  root.append(
    lab.add(
      mountHandle(root, root, { label: "Height of the lab", property: "--cl-lab-height", least: LAB_HEIGHT.least,
        most: () => LAB_HEIGHT.most }),
    ).node,
  );
  return { go: controls.focusGo, search: search.focus, next: search.next, previous: search.previous,
    play: controls.play, stopHere: stops?.stopHere };
}

/** In one column the page scrolls, and the lanes may be as high as they like. */
function roomForLanes(/** @type {HTMLElement} */ columns) {
  return getComputedStyle(columns).display === "grid" ? columns.clientHeight - TABBED_HEIGHT.least : LANES_HEIGHT.most;
}

function mountTabs(/** @type {HTMLElement} */ root, /** @type {LabHandle} */ lab, /** @type {Typed} */ typed) {
  const list = make("div", { class: "cl-tabs", role: "tablist", "aria-label": "Views" });
  const tabs = TAB_VIEWS.map(([name, title, mount]) => {
    const panel = make("div", { class: "cl-panel", role: "tabpanel", id: freshId("panel"), hidden: true });
    const tab = make("button", { type: "button", class: "cl-tab", role: "tab", id: freshId("tab"), text: title,
      "aria-controls": panel.id });
    put(panel, "aria-labelledby", tab.id);
    return { name, tab, panel, view: lab.add(mount(panel, lab, typed)) };
  });
  const nodes = tabs.map(({ tab }) => tab);
  list.append(...nodes);
  root.append(make("section", { class: "cl-pane cl-tabbed" }, list, ...tabs.map(({ panel }) => panel)));
  /** @type {string | null} */
  let shown = null;

  function choose(/** @type {string} */ name) {
    if (name !== shown) lab.setOptions("tabs", { shown: name });
  }
  for (const { name, tab } of tabs) tab.addEventListener("click", () => choose(name));
  list.addEventListener("keydown", (event) => {
    const step = choiceOf(event.key, { ArrowLeft: -1, ArrowRight: 1 });
    if (!step) return;
    event.preventDefault();
    const there = tabs.filter(({ tab }) => !tab.hidden);
    const index = there.findIndex(({ tab }) => tab === event.target);
    const next = there[(index + step + there.length) % there.length];
    rove(nodes, next.tab);
    choose(next.name);
  });
  return {
    parts: ["tabs"],
    // What a tab shows comes with the answer that chooses it, so that no view ever shows another moment.
    update(/** @type {Tabs} */ value) {
      const chosen = tabs.find(({ name }) => name === value.shown) ?? tabs[0];
      for (const { name, tab, panel } of tabs) {
        show(tab, value.there.includes(name));
        put(tab, "aria-selected", name === value.shown ? "true" : "false");
        show(panel, name === value.shown);
      }
      rove(nodes, chosen.tab, { focus: false });
      if (value.shown !== shown) lab.later(() => slideInSight(chosen.tab, list));
      shown = value.shown;
    },
  };
}

/** Scrolls a list sideways, and nothing around it, so that an item can be seen. */
function slideInSight(/** @type {HTMLElement} */ item, /** @type {HTMLElement} */ list) {
  const [inner, outer] = [item.getBoundingClientRect(), list.getBoundingClientRect()];
  if (inner.left < outer.left) list.scrollLeft -= outer.left - inner.left;
  else if (inner.right > outer.right) list.scrollLeft += inner.right - outer.right;
}

// The left column: where there is no room beside the right one, a drawer over it. The sheet says at which widths.

const ONE_COLUMN = 640;

/** @param {HTMLElement} root @param {HTMLElement} row @param {HTMLElement} left @param {LabHandle} lab */
function mountDrawer(root, row, left, lab) {
  const pending = make("span", { class: "cl-drawer-count" }, make("span"),
    make("span", { class: "cl-unseen", text: " pending" }));
  const text = lab.isRecorded ? "Next" : "Next and commands";
  const opener = button({ icon: "drawer", text,
    title: lab.isRecorded ? "What comes next" : "What comes next, and the commands that can be sent",
    kind: "cl-drawer-button", on: () => (isOpen() ? close() : open()) });
  const done = button({ text: "Close", label: `Close ${text}`, title: "Close (Escape)",
    kind: "cl-small cl-quiet cl-drawer-close", on: () => close() });
  opener.append(pending);
  put(left, "id", freshId("drawer"));
  put(opener, "aria-controls", left.id);
  put(opener, "aria-expanded", "false");
  left.prepend(done);
  row.prepend(opener);

  function isOpen() {
    return root.hasAttribute("data-drawer");
  }
  function draw(/** @type {boolean} */ opened) {
    put(root, "data-drawer", opened ? "open" : null);
    put(opener, "aria-expanded", opened ? "true" : "false");
  }
  function open() {
    draw(true);
    document.addEventListener("pointerdown", pressed, true);
    done.focus({ preventScroll: true });
  }
  function leave() {
    draw(false);
    document.removeEventListener("pointerdown", pressed, true);
  }
  function close() {
    leave();
    opener.focus({ preventScroll: true });
  }
  // A press in the head does not close the drawer, so that a person can step and see what comes next.
  function pressed(/** @type {Event} */ event) {
    const path = event.composedPath();
    if (!path.includes(left) && !path.includes(/** @type {Element} */ (row.parentElement))) leave();
  }
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && isOpen() && !event.defaultPrevented && !closest(event.target, "[role=dialog]")) {
      close();
    }
  });
  // What has the focus must not be under the drawer.
  root.addEventListener("focusin", (event) => {
    const { target } = event;
    if (!(target instanceof Node) || !isOpen()) return;
    if (left.parentElement?.contains(target) && !left.contains(target)) leave();
  });
  // In one column it is between the lanes and the tabs, on the page as in the order of the Tab key.
  const observer = new ResizeObserver(() => {
    const columns = /** @type {HTMLElement} */ (left.parentElement);
    const next = root.offsetWidth < ONE_COLUMN ? columns.querySelector(".cl-tabbed") : columns.firstElementChild;
    if (next !== left && next !== left.nextElementSibling) keepFocus(left, () => columns.insertBefore(left, next));
  });
  observer.observe(root);
  return {
    parts: ["agenda", "controls"],
    /** Opens it where it is one, and closed. */
    reveal() {
      if (opener.offsetParent !== null && !isOpen()) open();
    },
    close() {
      leave();
      observer.disconnect();
    },
    update(/** @type {any} */ value, /** @type {any} */ _patch, /** @type {string} */ part) {
      if (part === "agenda") {
        setText(pending.children[0], count(value.total));
        show(pending, value.total > 0);
      } else {
        // In an empty lab a person begins here.
        opener.classList.toggle("cl-primary", value.at_end && value.last === 0);
      }
    },
  };
}

/** Moves a node, and lets what has the focus in it keep it. */
function keepFocus(/** @type {Element} */ node, /** @type {() => void} */ move) {
  const focused = focusedIn(node);
  const isWithin = node.contains(focused);
  move();
  if (isWithin) focused?.focus({ preventScroll: true });
}
