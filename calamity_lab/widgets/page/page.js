// The substitute for Python: a model, as of anywidget, that answers from a recorded run.

import { TAB_VIEWS } from "../composite.js";
import { render } from "../entry.js";
import { choiceOf, make } from "../elements.js";
import { NOTHING_SELECTED } from "../lab_handle.js";
import { NO_DETAILS, recordedDetails, recordedSelected, unpack, USUAL_OPTIONS, WINDOWS } from "./views.js";

/**
 * @import { Recording } from "./views.js"
 * @import { Selected } from "#views"
 * @import { Listener } from "../types.js"
 */

const NEEDS_PYTHON = "Read-only recording. To send commands, open the run in a notebook.";

class RecordedModel {
  constructor(/** @type {Recording} */ recording, /** @type {(moment: number) => void} */ moved) {
    this.recording = recording;
    this.moved = moved;
    this.index = recording.indexOf(recording.packed.start);
    this.looks = structuredClone(USUAL_OPTIONS);
    /** @type {Record<string, any>} */
    this.sent = {};
    /** @type {string | null} */
    this.said = null;
    /** @type {Selected} */
    this.selected = NOTHING_SELECTED;
    this.details = NO_DETAILS;
    /** @type {Listener[]} */
    this.listeners = [];
  }

  get(/** @type {string} */ name) {
    return choiceOf(name, /** @type {Record<string, any>} */ ({ face: "lab", token: "page", recorded: true }));
  }

  on(/** @type {string} */ _name, /** @type {Listener} */ listener) {
    this.listeners.push(listener);
  }

  off(/** @type {string} */ _name, /** @type {Listener} */ listener) {
    this.listeners = this.listeners.filter((other) => other !== listener);
  }

  get moment() {
    return this.recording.moments[this.index];
  }

  send(/** @type {any} */ message) {
    if (["nudge", "seen"].includes(message.verb)) return;
    this.act(message);
    this.publish({ answers: message.seq });
    this.moved(this.moment);
  }

  /** Goes to a moment that nobody on the page asked for. */
  jump(/** @type {number} */ moment) {
    this.goto(moment);
    this.publish({});
  }

  publish(/** @type {{ answers?: number }} */ answers) {
    const message = { patch: this.changes(), ...answers };
    for (const listener of this.listeners) listener(message);
  }

  act(/** @type {any} */ message) {
    const { verb } = message;
    this.said = null;
    if (verb === "ready") this.sent = {};
    else if (verb === "set_options") this.setOptions(message);
    else if (verb === "goto") this.goto(message.moment);
    else if (verb in WAYS) this.index = WAYS[verb](this.recording, this.index);
    else if (verb === "play") this.play(message);
    else if (verb === "select") this.select(message);
    else this.said = NEEDS_PYTHON;
  }

  play(/** @type {{ by: string, times: number }} */ { by, times }) {
    for (let n = 0; n < times; n += 1) this.index = WAYS[by](this.recording, this.index);
  }

  select(/** @type {any} */ { verb, seq, go, details, ...picked }) {
    const { packed } = this.recording;
    this.selected = recordedSelected(packed, picked);
    this.details = recordedDetails(packed, picked, this.selected);
    if (details) this.looks.details.shown = true;
    if (go && this.selected.moment) this.goto(this.selected.moment);
  }

  goto(/** @type {number} */ moment) {
    const { last } = this.recording.packed;
    if (moment >= 0 && moment <= last) this.index = this.recording.indexOf(moment);
    else this.said = `There is no moment ${moment}; this run has moments 0 to ${last}.`;
  }

  setOptions(/** @type {any} */ { view, verb, seq, ...details }) {
    const known = this.looks[view];
    if (known && Object.keys(details).every((name) => name in known)) Object.assign(known, details);
    else this.said = NEEDS_PYTHON;
    if (view === "search") {
      this.said = WINDOWS.search(this.recording.at(this.index), known, this.recording.packed, this.moment).sentence
        || null;
    }
    const { pending } = this.recording.packed;
    if (view === "agenda" && known.limit > pending) {
      this.said = `Of the pending commands of each moment, this page keeps the first ${pending}.`;
    }
  }

  /** What every part shows now; what is behind another tab is not asked for. */
  views() {
    const values = { ...this.recording.at(this.index), selected: this.selected, details: this.details };
    const hidden = TAB_VIEWS.map(([name]) => name).filter((name) => name !== this.looks.tabs.shown);
    const { tabs, chart } = this.recording.packed;
    /** @type {Record<string, any>} */
    const views = { ...values, tabs: { shown: this.looks.tabs.shown, there: tabs }, chart };
    for (const [part, look] of Object.entries(this.looks)) {
      if (WINDOWS[part] && !hidden.includes(part)) {
        views[part] = WINDOWS[part](values, look, this.recording.packed, this.moment);
      }
    }
    for (const part of hidden) delete views[part];
    if (this.said) views.controls = { ...views.controls, sentence: this.said, tone: "plain" };
    return views;
  }

  /** The fields that differ from what was sent before, by part. */
  changes() {
    /** @type {Record<string, any>} */
    const patch = {};
    for (const [part, view] of Object.entries(this.views())) {
      const before = (this.sent[part] ??= {});
      const fields = Object.entries(view).filter(([name, value]) => !(name in before) || !isSame(before[name], value));
      if (fields.length) patch[part] = Object.fromEntries(fields);
      this.sent[part] = { ...before, ...view };
    }
    return patch;
  }
}

// Where the moves lead, as indexes of the kept moments.
/** @type {Record<string, (recording: Recording, index: number) => number>} */
const WAYS = {
  restart: () => 0,
  end: (recording) => recording.last,
  resume: (recording) => recording.last,
  step_in: (recording, index) => Math.min(index + 1, recording.last),
  step_back: (_recording, index) => Math.max(index - 1, 0),
  step_over: (recording, index) => recording.indexOf(recording.packed.over[index]),
  step_out: (recording, index) => recording.indexOf(recording.packed.out[index]),
  step_back_over: (recording, index) =>
    Math.min(recording.indexOf(recording.packed.back_over[index]), Math.max(index - 1, 0)),
};

function isSame(/** @type {any} */ one, /** @type {any} */ other) {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((each, index) => each === other[index]);
  }
  return one === other;
}

// The page itself: unpacks the run that it carries and draws the lab on it. Its address may end in #moment.

async function open() {
  const index = /** @type {HTMLElement} */ (document.querySelector("#lab"));
  const recording = await unpack(JSON.parse(String(document.querySelector("#run")?.textContent)).deflated);
  const model = new RecordedModel(recording, remember);
  model.goto(asked() ?? model.moment);
  render({ model, el: index });
  addEventListener("hashchange", () => model.jump(asked() ?? model.moment));
}

/** The moment that the address asks for. */
function asked() {
  const found = /^#(\d{1,12})$/.exec(location.hash);
  return found && Number(found[1]);
}

let resting = 0;

/** Writes the moment into the address, for links; not at each of the many moments of a drag. */
function remember(/** @type {number} */ moment) {
  clearTimeout(resting);
  resting = window.setTimeout(() => history.replaceState(null, "", `#${moment}`), 250);
}

open().catch((error) => {
  document.documentElement.classList.add("cl-broken");
  document.querySelector("#lab")?.append(
    make("p", { class: "cl-page-error", role: "alert", text: `This run cannot be shown here: ${error.message}` }),
  );
});
