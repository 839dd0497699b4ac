// The module's face, as anywidget wants it: what a model's `face` names is drawn into the element.

import { mountAgenda, mountWatches } from "./agenda.js";
import { mountComposite } from "./composite.js";
import { mountComparison } from "./comparison.js";
import { mountControls } from "./controls.js";
import { mountDetails } from "./details.js";
import { mountForm } from "./form.js";
import { listenToKeys } from "./keyboard.js";
import { make } from "./elements.js";
import { LabHandle, mountFoot } from "./lab_handle.js";
import { mountLog } from "./log.js";
import { mountProcessGraph } from "./process_graph.js";
import { mountSequence } from "./sequence.js";
import { mountState } from "./state.js";
import { mountTimeline } from "./timeline.js";

/**
 * @import { FaceParts } from "./keyboard.js"
 * @import { Model, View } from "./types.js"
 */

/** @typedef {(root: HTMLElement, lab: LabHandle, openHelp: () => void) => FaceParts} Mount */

/** What draws each face, and answers with what its keys do. @type {Record<string, Mount>} */
const FACES = {
  lab: mountComposite,
  controls(root, lab, openHelp) {
    const controls = lab.add(mountControls(root, lab, openHelp));
    lab.add(mountWatches(root));
    lab.add(mountFoot(root, ["controls"]));
    return { go: controls.focusGo, play: controls.play };
  },
  agenda(root, lab) {
    const columns = make("div", { class: "cl-left" });
    root.append(columns);
    lab.add(mountAgenda(columns, lab));
    lab.add(mountForm(columns, lab));
    return withFoot(root, lab);
  },
  state: single(mountState),
  timeline: single(mountTimeline),
  process_graph: single(mountProcessGraph),
  log: single(mountLog),
  sequence: single(mountSequence),
  comparison: single(mountComparison),
};

/** @param {(root: HTMLElement, lab: LabHandle) => View & { search?: HTMLInputElement }} mount @returns {Mount} */
function single(mount) {
  return (root, lab) => {
    const pane = make("div", { class: "cl-single" });
    root.append(pane);
    const view = lab.add(mount(pane, lab));
    return withFoot(root, lab, view.search);
  };
}

/** @param {HTMLElement} root @param {LabHandle} lab @param {HTMLInputElement} [search] @returns {FaceParts} */
function withFoot(root, lab, search) {
  lab.add(mountWatches(root));
  lab.add(mountDetails(root, root, lab));
  lab.add(mountFoot(root, ["fact"]));
  return { search: search ? () => search.focus() : undefined };
}

export function render(/** @type {{ model: Model, el: HTMLElement }} */ { model, el }) {
  const face = model.get("face");
  const root = make("div", { class: `cl-root cl-face-${face}`, role: "group",
    "aria-label": face === "lab" ? "Lab" : face.replaceAll("_", " ") });
  const lab = new LabHandle(model, root);
  /** @type {{ open: () => void } | null} */
  let help = null;
  const mounted = FACES[face](root, lab, () => help?.open());
  help = listenToKeys(root, lab, mounted);
  el.append(make("div", { class: "cl-frame" }, root));
  const release = hideStill(el, model.get("token"));
  lab.begin();
  return () => {
    lab.close();
    for (const view of lab.views) view.close?.();
    release();
  };
}

/**
 * Hides the still picture of a live widget: it is the next output of the same cell, or of the one that docked it.
 * What holds a live widget is left out of the search: the browser looks through all of it anew at each change.
 */
function hideStill(/** @type {HTMLElement} */ el, /** @type {string} */ token) {
  const style = make("style");
  const name = `cl-live-${Math.random().toString(36).slice(2)}`;
  const still = `[data-calamity-still="${CSS.escape(token)}"]`;
  const output = ".jp-OutputArea-child:not(.cl-live)";
  document.head.append(style);
  let settle = 0;
  /** @type {Element | null} */
  let live = null;
  // The element is put on the page some time after it was drawn.
  function hide(/** @type {number} */ tries) {
    if (!el.isConnected && tries > 0) {
      settle = window.setTimeout(() => hide(tries - 1), 20);
      return;
    }
    live = el.closest(".jp-OutputArea-child");
    live?.classList.add("cl-live");
    const area = el.closest(".jp-OutputArea");
    area?.classList.add(name);
    const beside = `${output}:has([data-calamity-docked="${CSS.escape(token)}"])`;
    style.textContent = area
      ? `:is(.${name} > ${output}:has(${still}), ${beside}) { display: none; }`
      : `${still} { display: none; }`;
  }
  hide(250);
  return () => {
    clearTimeout(settle);
    live?.classList.remove("cl-live");
    style.remove();
  };
}

export default { render };
