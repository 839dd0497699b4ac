// Keys on the widget. They end here: the notebook must not see them, and a text field keeps its own.

import { button } from "./buttons.js";
import { freshId, make, put } from "./kit.js";

const KEYS = [
  [".", "Step over: one command on", "step_over"],
  [",", "Back over one command", "step_back_over"],
  ["p", "Play, and pause; so does the space bar where no button has the focus", "play"],
  ["]", "Step in: one step on", "step_in"],
  ["[", "Step back: one step", "step_back"],
  [">", "Resume: on to the end of the agenda", "resume"],
  ["Home", "To the start", "restart"],
  ["End", "To the last recorded step", "end"],
  ["g", "Go to a step", "go"],
  ["/", "Search the run, or what this view shows", "search"],
  ["n", "Next match of the search", "next"],
  ["N", "Previous match of the search", "previous"],
  ["?", "These keys", "help"],
];
// What other keys do is up to what has the focus.
const KEYS_IN_PLACE = [
  ["\u2190 \u2191 \u2193 \u2192",
    "In tabs, lists, lanes and the scrubber: to what is beside it; on a handle: higher or lower"],
  ["Enter", "Go where that leads"],
  ["Esc", "Close what lies over the rest"],
];

function isTextField(node) {
  if (node.isContentEditable || node.tagName === "TEXTAREA" || node.tagName === "SELECT") return true;
  return node.tagName === "INPUT" && !["range", "checkbox", "radio", "button"].includes(node.type);
}

/** Lets the keys of a root act; `places` are what `go` and `search` focus, where the face has them. */
export function listenToKeys(root, lab, { go, search, next, previous, play, can }) {
  const places = { go, search, next, previous, play };
  const help = helpOverlay(root, KEYS.filter(([, , verb]) => !(verb in places) || places[verb]),
    lab.isRecorded ? "" : "Acting in the past begins a new branch; nothing is lost.");
  const acts = { ...places, help: () => help.open() };
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
    if (event.target.type === "range" && ["Home", "End"].includes(event.key)) return;
    const pressed = event.key === " " && event.target === root ? "p" : event.key;
    const key = KEYS.find(([name]) => name === pressed);
    if (!key) return;
    event.preventDefault();
    const verb = key[2];
    if (verb in acts) acts[verb]?.();
    else if (can(verb)) lab.send(verb);
  });
  for (const type of ["keyup", "keypress"]) root.addEventListener(type, (event) => event.stopPropagation());
  return help;
}

/** What a move needs: something before the cursor, or something after it. */
export function canMove(values) {
  const where = values.controls ?? values.fact;
  return (verb) => {
    if (!where) return false;
    if (["step_back", "step_back_over", "restart"].includes(verb)) return where.cursor > 0;
    if (verb === "end") return where.cursor < where.last;
    return where.at_end !== true;
  };
}

function helpOverlay(root, keys, hint) {
  const title = freshId("help");
  const rows = [...keys, ...KEYS_IN_PLACE].flatMap((
    [key, does],
  ) => [make("dt", {}, make("kbd", { text: key })), make("dd", { text: does })]);
  const done = button({ text: "Close", on: () => close() });
  const dialog = make("div", { class: "cl-help", role: "dialog", "aria-modal": "true", "aria-labelledby": title,
    tabindex: "-1", hidden: true }, make("h2", { id: title, text: "Keys" }), make("dl", {}, ...rows),
    make("p", { class: "cl-muted",
      text: `They act while the focus is in this widget, and never from a text field. ${hint}` }), done);
  let before = null;
  // A press anywhere beside it closes the help; the focus goes where the press puts it.
  function pressed(event) {
    const path = event.composedPath();
    if (!path.includes(dialog) && !path.includes(root.querySelector(".cl-help-button"))) leave();
  }
  function open() {
    if (!dialog.hidden) return close();
    before = root.getRootNode().activeElement;
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
