// The command form: typed fields made from the types of the command. Values go to Python as
// they were typed; what is wrong with them comes back by path, and is shown beside the field. A submitted command is
// changed in the same form: what was typed before comes back afterwards.

import { button } from "./buttons.js";
import { freshId, make, optionNodes, put, setText, show, showText } from "./elements.js";
import { focusedIn } from "./lists.js";

/**
 * @import { LabHandle } from "./lab_handle.js"
 * @import { CommandForm, Editing, FormField, FormView } from "#views"
 */

/** `reveal` brings the form into sight where it is in a drawer. @param {HTMLElement} root @param {LabHandle} lab */
export function mountForm(root, lab, reveal = () => {}) {
  const title = freshId("command");
  /** @type {Map<string, FieldGroup>} */
  const made = new Map();
  const select = make("select", { class: "cl-input cl-select", "aria-label": "Command type" });
  const doc = make("p", { class: "cl-hint cl-form-doc" });
  const body = make("div", { class: "cl-fields" });
  const overall = make("p", { class: "cl-problem", hidden: true });
  const submit = make("button", { type: "submit", class: "cl-button cl-send", text: "Send" });
  const cancel = button({ text: "Cancel", title: "Leave the run as it is (Escape)", on: () => lab.send("close_form") });
  show(cancel, false);
  const whyNot = button({ text: "Why not?", kind: "cl-quiet",
    title: "Why this command was not sent: which process managers could send it, and what each waits for",
    on: (press) => {
      lab.opened?.(press);
      lab.send("why_not", { name: select.value, type: `command:${select.value}` });
    } });
  const heading = make("h2", { id: title, text: "Command" });
  const form = make("form", { class: "cl-form", novalidate: true },
    make("div", { class: "cl-scroll", tabindex: "-1" }, doc, body, overall),
    make("div", { class: "cl-form-foot" }, submit, cancel, whyNot));
  const none = make("p", { class: "cl-hint",
    text: "This lab has no commands. Give it some: Lab(aggregates=[…], commands=[…])." });
  const pane = make("div", { class: "cl-pane cl-command", role: "group", "aria-labelledby": title },
    make("header", { role: "none" }, heading, select), form, none);
  root.append(pane);
  /** @type {CommandForm[]} */
  let known = [];
  let asked = "";
  /** What was in the form before a submitted command was. @type {{ command: string, fields: any } | null} */
  let before = null;

  /** Shows the fields of a type with these values. */
  function fill(/** @type {string} */ command, /** @type {any} */ fields) {
    if (!known.some((each) => each.command === command)) return;
    select.value = command;
    chosen();
    made.get(command)?.write(fields);
  }
  function edit(/** @type {Editing | null} */ editing) {
    if (editing) before ??= { command: select.value, fields: made.get(select.value)?.read() };
    else if (before) fill(before.command, before.fields);
    if (!editing) before = null;
    setText(heading, editing?.title ?? "Command");
    setText(submit, editing ? "Replay" : "Send");
    put(submit, "title", editing ? "Decide everything again with this command, on a new branch" : null);
    show(cancel, editing !== null);
    show(whyNot, editing === null && !lab.isRecorded);
    pane.classList.toggle("cl-editing", editing !== null);
    if (!editing) {
      if (pane.contains(focusedIn(pane))) lab.root.focus({ preventScroll: true });
      return;
    }
    fill(editing.command, editing.fields);
    reveal();
    focusOn(editing.is_change ? body.querySelector("input, select") : select);
    lab.later(() => pane.scrollIntoView({ block: "nearest" }));
  }
  function chosen() {
    const shown = known.find((form) => form.command === select.value);
    if (!shown) return;
    if (!made.has(shown.command)) made.set(shown.command, fieldGroup(shown.fields));
    const fields = made.get(shown.command) ?? fieldGroup([]);
    if (body.firstChild !== fields.node) body.replaceChildren(fields.node);
    setText(doc, shown.doc + (shown.target ? ` To ${shown.target}.` : ""));
    showText(overall, "");
  }

  function send() {
    if (!select.value) return;
    asked = select.value;
    lab.send("send", { command: asked, fields: made.get(asked)?.read() });
  }

  select.addEventListener("change", chosen);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  pane.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && before) {
      event.preventDefault();
      lab.send("close_form");
    }
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      send();
    }
  });
  return {
    parts: ["form"],
    /** What is in the form now. */
    typed: () => ({ command: select.value, fields: made.get(select.value)?.read() }),
    update(/** @type {FormView} */ { forms, errors }, /** @type {Partial<FormView>} */ patch) {
      if (patch.forms) {
        known = forms;
        made.clear();
        select.replaceChildren(...optionNodes(forms.map(({ command }) => [command, command])));
        show(form, forms.length > 0);
        show(select, forms.length > 0);
        show(none, !forms.length);
        chosen();
      }
      if (patch.editing !== undefined) edit(patch.editing);
      const fields = made.get(asked);
      if (!patch.errors || !fields) return;
      fields.showErrors(errors, "");
      showText(overall, asked === select.value ? errors[""] : "");
      if (Object.keys(errors).length) focusOn(fields.node.querySelector("[aria-invalid=true]"));
    },
  };
}

function focusOn(/** @type {Element | null} */ node) {
  if (node instanceof HTMLElement) node.focus();
}

/**
 * What reads and writes the value of a field, and shows what is wrong with it, by its path.
 * @typedef {{
 *   node: HTMLElement, read(): any, write(value: any): void, showErrors(errors: Record<string, string>, path: string): void,
 * }} FieldControl
 * @typedef {FieldControl} FieldGroup
 */

/** Fields below each other; reads as an object by their names. @param {FormField[]} fields @returns {FieldGroup} */
function fieldGroup(fields) {
  /** @type {[string, FieldControl][]} */
  const controls = fields.map((field) => [field.name, formField(field)]);
  return {
    node: make("div", { class: "cl-field-group" }, ...controls.map(([, control]) => control.node)),
    read: () => Object.fromEntries(controls.map(([name, control]) => [name, control.read()])),
    showErrors: (errors, path) =>
      controls.forEach(([name, control]) => control.showErrors(errors, path ? `${path}.${name}` : name)),
    write: (value) =>
      controls.forEach(([name, control]) => {
        if (value && name in value) control.write(value[name]);
      }),
  };
}

/** @param {FormField} field @returns {FieldControl} */
function formField(field) {
  const made = FIELD_KINDS[field.kind] ?? textField;
  const control = made(field);
  if (field.default !== null) control.write(field.default);
  return control;
}

/** @type {Record<string, (field: FormField) => FieldControl>} */
const FIELD_KINDS = {
  boolean: booleanField,
  choice: choiceField,
  group: groupField,
  list: listField,
  date: (field) => textField(field, "date"),
  datetime: (field) => textField(field, "datetime-local"),
};

/**
 * A label, its control, and what is wrong with it.
 * @param {FormField} field @param {HTMLElement} input @param {HTMLElement[]} extra
 */
function labelled(field, input, ...extra) {
  const id = freshId("field");
  const problem = make("p", { class: "cl-problem", id: `${id}-problem`, hidden: true });
  put(input, "id", id);
  put(input, "aria-required", field.required ? "true" : null);
  const mark = field.required ? null : make("span", { class: "cl-optional", text: "optional", "aria-hidden": "true" });
  const label = make("div", { class: "cl-field-head" }, make("label", { for: id, text: field.name || "item" }), mark);
  return {
    node: make("div", { class: "cl-form-field" }, label, input, ...extra, problem),
    showErrors(/** @type {Record<string, string>} */ errors, /** @type {string} */ path) {
      const message = errors[path] ?? "";
      showText(problem, message);
      put(input, "aria-invalid", message ? "true" : null);
      put(input, "aria-describedby", message ? problem.id : null);
    },
  };
}

/** @param {FormField} field @param {string} type @returns {FieldControl} */
function textField(field, type = "text") {
  /** @type {Record<string, string>} */
  const modes = { integer: "numeric", number: "decimal", decimal: "decimal" };
  const input = make("input", { class: "cl-input", type, inputmode: modes[field.kind],
    placeholder: type === "text" ? field.hint : null, title: field.hint || null, autocomplete: "off",
    spellcheck: "false", step: type === "datetime-local" ? "1" : null });
  return {
    ...labelled(field, input),
    read: () => input.value,
    write(value) {
      const text = value === null ? "" : String(value);
      input.value = text;
      // A native date field holds no time zone: what it cannot hold is typed as text.
      if (input.value === "" && text) Object.assign(input, { type: "text", value: text });
    },
  };
}

/** @param {FormField} field @returns {FieldControl} */
function booleanField(field) {
  if (field.optional) return choiceField({ ...field, options: ["true", "false"] });
  const input = make("input", { type: "checkbox", class: "cl-check" });
  const { node, showErrors } = labelled(field, input);
  node.classList.add("cl-field-check");
  return { node, showErrors, read: () => input.checked, write: (value) => {
    input.checked = value === true;
  } };
}

/** @param {FormField} field @returns {FieldControl} */
function choiceField(field) {
  const select = make("select", { class: "cl-input cl-select" });
  const none = field.optional || field.default === null ? [["", field.optional ? "–" : "choose…"]] : [];
  select.append(...optionNodes([...none, ...field.options.map((option) => [option, option])]));
  return { ...labelled(field, select), read: () => select.value, write: (value) => {
    select.value = String(value ?? "");
  } };
}

/**
 * A nested record; an optional one is there only when its box is ticked.
 * @param {FormField} field @returns {FieldControl}
 */
function groupField(field) {
  const inner = fieldGroup(field.fields);
  const there = make("input", { type: "checkbox", class: "cl-check", "aria-label": `give ${field.name || "item"}` });
  const problem = make("p", { class: "cl-problem", hidden: true });
  const legend = make("legend", {}, field.optional ? there : null, make("span", { text: field.name || "item" }));
  const node = make("fieldset", { class: "cl-set" }, legend, inner.node, problem);
  const given = () => !field.optional || there.checked;
  const follow = () => show(inner.node, given());
  there.addEventListener("change", follow);
  follow();
  return {
    node,
    read: () => (given() ? inner.read() : null),
    write(value) {
      there.checked = value !== null;
      follow();
      inner.write(value);
    },
    showErrors(errors, path) {
      showText(problem, errors[path]);
      inner.showErrors(errors, path);
    },
  };
}

/** Any number of items, each with a button that takes it away. @param {FormField} field @returns {FieldControl} */
function listField(field) {
  /** @type {{ control: FieldControl, row: HTMLElement }[]} */
  const items = [];
  const list = make("div", { class: "cl-items" });
  const problem = make("p", { class: "cl-problem", hidden: true });
  const add = button({ icon: "add", text: `Add to ${field.name || "list"}`, kind: "cl-small",
    on: () => append().focus() });
  const node = make("fieldset", { class: "cl-set" }, make("legend", {}, make("span", { text: field.name || "list" })),
    list, add, problem);
  const item = /** @type {FormField} */ (field.item);
  function append(/** @type {any} */ value = null) {
    const control = formField({ ...item, name: item.name || singular(field.name) });
    const remove = button({ icon: "close", label: `Remove from ${field.name || "list"}`, title: "Remove",
      kind: "cl-small cl-quiet", on: () => {
        items.splice(items.indexOf(added), 1);
        added.row.remove();
        add.focus();
      } });
    const added = { control, row: make("div", { class: "cl-item" }, control.node, remove) };
    items.push(added);
    list.append(added.row);
    if (value !== null) control.write(value);
    return { focus: () => focusOn(control.node.querySelector("input, select")) };
  }
  // One item to begin with, so that what is asked for can be seen; a list may be emptied.
  if (field.required) append();
  return {
    node,
    read: () => items.map(({ control }) => control.read()),
    write(values) {
      list.replaceChildren();
      items.length = 0;
      for (const value of values ?? []) append(value);
    },
    showErrors(errors, path) {
      showText(problem, errors[path]);
      items.forEach(({ control }, body) => control.showErrors(errors, `${path}[${body}]`));
    },
  };
}

function singular(/** @type {string} */ name) {
  return name.length > 2 && name.endsWith("s") ? name.slice(0, -1) : name;
}
