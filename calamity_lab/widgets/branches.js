// The branches below the slider, as lines on its axis: each begins where it left another one.

import { button } from "./buttons.js";
import { count, make, plural, put, setText, show, widthOf } from "./elements.js";
import { focusedIn, keyed } from "./lists.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { BranchRow, BranchTree } from "#views"
 */

// In pixels: the height of a row, what its buttons take up, and the room around a name.
const BRANCH_HIGH = 26;
const BRANCH_BUTTONS = 86;
const BRANCH_GAP = 8;
const BRANCH_SIZE = 12;
const FEW_BRANCHES = 3;
const MORE_BRANCHES = 60;

/** A row as it is drawn; `up` is how many rows above it is the branch that it leaves. @typedef {BranchRow & { up: number, last: number }} PlacedBranch */

export function mountBranches(/** @type {LabHandle} */ lab) {
  const rows = make("div", { class: "cl-branch-rows" });
  const more = make("button", { type: "button", class: "cl-link cl-branch-more",
    on: { click: () => ask(limit > FEW_BRANCHES ? limit + MORE_BRANCHES : MORE_BRANCHES) } });
  const fewer = make("button", { type: "button", class: "cl-link cl-branch-more", text: "Fewer branches",
    on: { click: () => ask(FEW_BRANCHES) } });
  const node = make("div", { class: "cl-branches", role: "group", "aria-label": "Branches", hidden: true }, rows, more,
    fewer);
  let limit = FEW_BRANCHES;
  // The name that a person gave to a branch, until the branch has it.
  let given = "";
  /** @type {BranchTree} */
  let tree = { rows: [], more: 0, last: 0 };
  // Where the axis of the slider begins, and how wide it is.
  let axis = { from: 0, width: 0 };

  function ask(/** @type {number} */ wanted) {
    limit = wanted;
    lab.setOptions("branches", { limit });
  }
  function named(/** @type {string} */ name) {
    given = name;
  }
  function draw() {
    show(node, tree.rows.length > 0);
    const indexes = new Map(tree.rows.map(({ name }, index) => [name, index]));
    const placed = tree.rows.map((row, index) => ({ ...row, up: index - (indexes.get(row.above) ?? index),
      last: tree.last, axis, room: node.clientWidth })
    );
    keyed(rows, placed, ({ name }) => name, () => branchNode(lab, named), updateBranch);
    const isOpen = limit > FEW_BRANCHES;
    const left = plural(tree.more, "more branch", "more branches");
    setText(more, isOpen && tree.more > MORE_BRANCHES
      ? `${count(tree.more)} more, show ${MORE_BRANCHES} of them`
      : `${count(tree.more)} more`);
    put(more, "aria-label", isOpen && tree.more > MORE_BRANCHES ? `${left}, show ${MORE_BRANCHES} of them` : left);
    // The button that was pressed may be of no use any more.
    const [used, other] = tree.more ? [fewer, more] : [more, fewer];
    const isGone = focusedIn(used) === used && (tree.more === 0 || !isOpen);
    show(more, tree.more > 0);
    show(fewer, isOpen);
    if (isGone) other.focus({ preventScroll: true });
  }
  return {
    parts: ["branches"],
    node,
    /** Takes where the slider's axis is, in pixels from the left edge of the branches. */
    lie(/** @type {number} */ from, /** @type {number} */ width) {
      if (axis.from === from && axis.width === width) return;
      axis = { from, width };
      draw();
    },
    update(/** @type {BranchTree} */ value) {
      tree = value;
      draw();
      const renamed = [...rows.children].find((each) =>
        given && /** @type {BranchNode} */ (each).branch.name === given
      );
      if (renamed) /** @type {BranchNode} */ (renamed).branch.press.focus({ preventScroll: true });
      if (renamed) given = "";
    },
    answered(/** @type {string | undefined} */ name) {
      if (name === "rename") { for (const each of rows.children) /** @type {BranchNode} */ (each).branch.answered(); }
    },
  };
}

/** @typedef {ReturnType<typeof branchNode>} BranchNode */

/**
 * A line, the button that goes to the branch, and those that rename and remove it.
 * @param {LabHandle} lab @param {(name: string) => void} named hears the name that is asked for
 */
function branchNode(lab, named) {
  const fork = make("span", { class: "cl-branch-fork" });
  const line = make("span", { class: "cl-branch-line" });
  const name = make("button", { type: "button", class: "cl-branch-name",
    on: { click: () => lab.send("switch", { branch: node.branch.name }) } }, make("span"));
  const field = make("input", { class: "cl-input cl-branch-field", maxlength: 100, autocomplete: "off",
    spellcheck: "false", hidden: true });
  const compare = button({ icon: "compare", kind: "cl-small cl-quiet", on: () => {
    lab.setOptions("comparison", { a: node.branch.name, b: null });
    lab.setOptions("tabs", { shown: "comparison" });
  } });
  const edit = button({ icon: "edit", kind: "cl-small cl-quiet", on: () => open() });
  const remove = button({ icon: "close", kind: "cl-small cl-quiet",
    on: () => lab.send("remove", { branch: node.branch.name }) });
  const row = make("div", { class: "cl-branch" }, make("span", { "aria-hidden": "true" }, fork, line), name, field,
    make("span", { class: "cl-branch-buttons" }, edit, compare, remove));
  let asked = false;

  function open() {
    field.value = node.branch.name;
    shown(true);
    field.focus();
    field.select();
  }
  function shown(/** @type {boolean} */ isNamed) {
    show(field, isNamed);
    show(name, !isNamed);
    put(field, "aria-invalid", null);
  }
  function close() {
    const isHere = focusedIn(field) === field;
    shown(false);
    if (isHere) name.focus({ preventScroll: true });
  }
  function rename() {
    if (field.value.trim() === node.branch.name) return close();
    asked = true;
    named(field.value.trim());
    lab.send("rename", { branch: node.branch.name, name: field.value });
  }
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") rename();
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
  });
  field.addEventListener("blur", () => {
    if (!asked) close();
  });
  const node = Object.assign(row, {
    branch: { name: "", fork, line, press: name, field, edit, compare, remove,
      isWhole: lab.root.classList.contains("cl-face-lab"),
      /** The name that was asked for was not taken: the foot says why, and what was typed stays. */
      answered() {
        if (!asked) return;
        asked = false;
        named("");
        put(field, "aria-invalid", "true");
        field.focus();
      } },
  });
  return node;
}

/** @param {BranchNode} node @param {PlacedBranch & { axis: { from: number, width: number }, room: number }} row */
function updateBranch(node, row) {
  const { fork, line, press, field, edit, compare, remove } = node.branch;
  node.branch.name = row.name;
  put(press, "aria-pressed", row.current ? "true" : "false");
  put(press, "aria-label", row.sentence);
  put(press, "title", row.current ? row.sentence : `Go to ${row.sentence}`);
  setText(press.children[0], row.label);
  put(field, "aria-label", `Name of ${row.label}`);
  put(edit, "aria-label", `Rename ${row.label}`);
  put(edit, "title", "Rename");
  put(compare, "aria-label", `Compare ${row.label}`);
  put(compare, "title", "Compare with the branch that is looked at");
  show(compare, !row.current && node.branch.isWhole);
  put(remove, "aria-label", `Remove ${row.label}`);
  put(remove, "title", "Remove");
  show(remove, !row.current);
  const at = (/** @type {number} */ moment) =>
    Math.round(row.axis.from + row.axis.width * Math.min(moment / Math.max(row.last, 1), 1));
  const [start, end] = [at(row.start), at(row.end)];
  place(line, start, Math.max(end - start, 2));
  node.classList.toggle("cl-branch-beyond", row.end > row.last);
  show(fork, row.up > 0);
  fork.style.left = `${start}px`;
  fork.style.height = `${row.up * BRANCH_HIGH}px`;
  const [from, width] = nameRoom(start, end, row.room, widthOf(row.label, BRANCH_SIZE, row.current ? "600" : ""));
  place(press, from, width);
  place(field, Math.min(from, Math.max(row.room - BRANCH_BUTTONS - 180, 0)), 180);
}

function place(/** @type {HTMLElement} */ node, /** @type {number} */ left, /** @type {number} */ width) {
  node.style.left = `${left}px`;
  node.style.width = `${width}px`;
}

/**
 * Where a name is put: before the line, behind it or over it, where all of it has room; as its left edge and its width.
 * @param {number} start @param {number} end @param {number} room @param {number} wide
 */
export function nameRoom(start, end, room, wide) {
  const needed = Math.ceil(wide) + 2 * BRANCH_GAP;
  const right = room - BRANCH_BUTTONS;
  const [before, behind, over] = [start, right - end, right - start - BRANCH_GAP];
  if (before >= needed) return [start - needed, needed];
  if (behind >= needed) return [end, needed];
  if (over >= needed || over >= before) return [start + BRANCH_GAP, Math.min(needed, over)];
  return [0, before];
}
