// Buttons, pagers and search boxes, as every view uses them.

import { count, make, put, setText, show } from "./elements.js";
import { icon } from "./signs.js";

/**
 * A button with an icon. Its name is its text, or `label` where there is no room for a text.
 * @typedef {{
 *   icon?: string, text?: string, label?: string, title?: string, kind?: string, on: (event: Event) => void,
 * }} ButtonOptions
 * @param {ButtonOptions} options
 */
export function button({ icon: name, text, label, title, on, kind = "" }) {
  return make("button", { type: "button", class: `cl-button ${kind}`, "aria-label": label, title, on: { click: on } },
    name ? icon(name) : null, text ? make("span", { class: "cl-button-text", text }) : null);
}

/** Marks a button that can do nothing now; the focus can still reach it. */
export function disable(/** @type {Element} */ node, /** @type {boolean} */ disabled) {
  put(node, "aria-disabled", disabled ? "true" : null);
}

export function isDisabled(/** @type {Element} */ node) {
  return node.getAttribute("aria-disabled") === "true";
}

/** The way through a long list: back, the part that is shown, and on; `go` gets the number of the first item. */
export function pager(/** @type {string} */ noun, /** @type {(first: number) => void} */ go) {
  const back = button({ icon: "left", label: `Earlier ${noun}`, title: `Earlier ${noun}`, kind: "cl-small",
    on: () => turn(-1) });
  const on = button({ icon: "right", label: `Further ${noun}`, title: `Further ${noun}`, kind: "cl-small",
    on: () => turn(1) });
  const where = make("span", { class: "cl-muted" });
  const node = make("span", { class: "cl-pager" }, back, where, on);
  let page = { first: 0, shown: 0, total: 0, size: 1 };
  function turn(/** @type {number} */ direction) {
    if (isDisabled(direction < 0 ? back : on)) return;
    go(Math.max(0, page.first + direction * page.size));
  }
  return {
    node,
    /** @param {number} first @param {number} shown @param {number} total @param {number} size */
    update(first, shown, total, size) {
      page = { first, shown, total, size };
      setText(where, total ? `${count(first + 1)}–${count(first + shown)} of ${count(total)}` : "none");
      disable(back, first === 0);
      disable(on, first + shown >= total);
      show(node, total > shown);
    },
  };
}

/** A search box that asks once the typing rests for a moment; `askNow` does not wait for that. */
export function searchBox(/** @type {string} */ label, /** @type {(query: string) => void} */ ask) {
  let resting = 0;
  const input = make("input", { type: "search", class: "cl-input cl-search", "aria-label": label, placeholder: label });
  const field = Object.assign(input, {
    askNow() {
      if (!resting) return;
      clearTimeout(resting);
      resting = 0;
      ask(field.value);
    },
  });
  field.addEventListener("input", () => {
    clearTimeout(resting);
    resting = window.setTimeout(field.askNow, 120);
  });
  return field;
}
