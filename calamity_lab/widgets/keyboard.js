// Keys on the widget. The notebook must not see them, and a text field keeps its own.

import { button } from "./buttons.js";
import { freshId, make, put, setText } from "./elements.js";
import { canMove } from "./lab_handle.js";
import { focusedIn } from "./lists.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 */

/** @typedef {Partial<Record<"go" | "search" | "next" | "previous" | "play" | "stopHere", () => void>>} FaceParts */

/** Each key, what it does, and its verb. @type {[string, string, string][]} */
const KEYS = [
  [".", "Step over: run one whole command", "step_over"],
  [",", "Back over: go back one whole command", "step_back_over"],
  ["p", "Play or pause; the space bar too, where no button has the focus", "play"],
  ["]", "Step in: run the smallest possible step", "step_in"],
  ["[", "Step back: go back one step", "step_back"],
  [">", "Resume: run until the agenda is empty", "resume"],
  ["w", "Wait: let time pass to the next deadline", "wait"],
  ["<", "Back to the last stop: where a breakpoint stops a move", "reverse"],
  ["b", "Break on what is selected, so that each move stops there; again, to remove the breakpoint", "stopHere"],
  ["Home", "Rewind: go back to the start", "restart"],
  ["End", "Go to the last recorded step", "end"],
  ["g", "Go to a step", "go"],
  ["/", "Search the run, or this view", "search"],
  ["n", "Next match of the search", "next"],
  ["N", "Previous match of the search", "previous"],
  ["?", "Show these keys", "help"],
];
// What works also where the cursor stays.
const IN_PLACE = ["search", "next", "previous", "help"];
// What these keys do depends on what has the focus.
/** @type {[string, string][]} */
const KEYS_IN_PLACE = [
  ["\u2190 \u2191 \u2193 \u2192", "Move between items; on a handle, make the pane higher or lower"],
  ["Enter", "Jump to the selected item, and show it whole"],
  ["Esc", "Close the details or the dialog"],
];

function isTextField(/** @type {EventTarget | null} */ node) {
  if (!(node instanceof HTMLElement)) return false;
  if (node.isContentEditable || node.tagName === "TEXTAREA" || node.tagName === "SELECT") return true;
  return node instanceof HTMLInputElement && !["range", "checkbox", "radio", "button"].includes(node.type);
}

/**
 * Lets the keys of a root act; `faces` has what the keys `go` and `search` focus, if the face has it.
 * @param {HTMLElement} root @param {LabHandle} lab @param {FaceParts} faces
 */
export function listenToKeys(root, lab, { go, search, next, previous, play, stopHere }) {
  /** @type {Record<string, (() => void) | undefined>} */
  const faces = { go, search, next, previous, play, stopHere };
  const help = helpOverlay(root, lab, KEYS.filter(([, , verb]) => !(verb in faces) || faces[verb]));
  /** @type {Record<string, (() => void) | undefined>} */
  const acts = { ...faces, help: () => help.open() };
  put(root, "tabindex", "0");
  put(root, "data-lm-suppress-shortcuts", "true");
  root.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s") {
      // Saving the notebook is the notebook's: let this one key through.
      root.removeAttribute("data-lm-suppress-shortcuts");
      setTimeout(() => put(root, "data-lm-suppress-shortcuts", "true"));
      return;
    }
    event.stopPropagation();
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (help.isOpen || isTextField(event.target)) return;
    if (event.target instanceof HTMLInputElement && ["Home", "End"].includes(event.key)) return;
    const pressed = event.key === " " && event.target === root ? "p" : event.key;
    const key = KEYS.find(([name]) => name === pressed);
    if (!key) return;
    event.preventDefault();
    act(key[2]);
  });
  function act(/** @type {string} */ verb) {
    if (lab.underWay && [lab.underWay, "play"].includes(verb)) lab.pause();
    else if (verb in acts) acts[verb]?.();
    else if (canMove(lab)(verb)) lab.send(verb);
  }
  for (const type of ["keyup", "keypress"]) root.addEventListener(type, (event) => event.stopPropagation());
  return help;
}

/** @param {HTMLElement} root @param {LabHandle} lab @param {[string, string, string][]} keys */
function helpOverlay(root, lab, keys) {
  const title = freshId("help");
  const rows = (/** @type {string[][]} */ shown) =>
    shown.flatMap(([key, does]) => [make("dt", {}, make("kbd", { text: key })), make("dd", { text: does })]);
  const list = make("dl", {});
  const hint = make("p", { class: "cl-muted" });
  const done = button({ text: "Close", on: () => close() });
  const dialog = make("div", { class: "cl-help", role: "dialog", "aria-modal": "true", "aria-labelledby": title,
    tabindex: "-1", hidden: true }, make("h2", { id: title, text: "Keys" }), list, hint, done);
  /** @type {HTMLElement | SVGElement | null} */
  let before = null;
  // A press anywhere else closes the help; the focus goes where the press puts it.
  function pressed(/** @type {Event} */ event) {
    const path = event.composedPath();
    if (!path.includes(dialog) && !path.some((node) => node instanceof Element && node.matches(".cl-help-button"))) {
      leave();
    }
  }
  function open() {
    if (!dialog.hidden) {
      close();
      return;
    }
    before = focusedIn(root);
    // A view that stays at its step has no keys that move.
    const stays = lab.values.fact?.is_fixed ?? false;
    list.replaceChildren(
      ...rows([
        ...keys.filter(([, , verb]) => (!stays || IN_PLACE.includes(verb)) && !(lab.isRecorded && verb === "wait")),
        ...KEYS_IN_PLACE,
      ]),
    );
    setText(hint, `The keys work while the focus is in this widget, but not in a text field. ${
      stays
        ? "This view stays at its step."
        : lab.isRecorded
        ? ""
        : "If you act in the past, the lab forks a new branch; nothing is lost."
    }`);
    dialog.hidden = false;
    document.addEventListener("pointerdown", pressed, true);
    done.focus();
  }
  function leave() {
    dialog.hidden = true;
    document.removeEventListener("pointerdown", pressed, true);
  }
  function close() {
    leave();
    (before && root.contains(before) ? before : root).focus({ preventScroll: true });
  }
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    // One thing in here can have the focus; it must not leave while the dialog is open.
    if (event.key === "Tab") event.preventDefault();
  });
  root.append(dialog);
  return { open, close, get isOpen() {
    return !dialog.hidden;
  } };
}
