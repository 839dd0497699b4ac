// A recorded run, and how a page looks at it: the searches and windows that Python answers where there is one.
// Each does what the view of that name does in Python, on the same values.

import { lowest, markOf, readMark } from "../chart.js";
import { count, plural } from "../elements.js";
import { NOTHING_SELECTED } from "../lab_handle.js";

/**
 * @import { Details, Hit, HitText, LogRow, Selected, StateRow } from "#views"
 * @import { Packed, Picked } from "../types.js"
 */

/** How each view is looked at until a person says otherwise. @type {Record<string, Record<string, any>>} */
export const USUAL_OPTIONS = {
  tabs: { shown: "state" },
  agenda: { limit: 4 },
  state: { query: "", first: 0, limit: 6, pinned: [] },
  pointed: { mark: null },
  details: { shown: false, toggled: [], lengths: [] },
  log: { only: "all", query: "", first: null, limit: 60 },
  search: { query: "", limit: 6 },
  process_graph: { manager: null, instance: null, passed: null },
  sequence: { first: null, limit: 100 },
};

/**
 * What each view shows, from the values of the moment, as it is looked at.
 * @type {Record<string, (values: any, options: any, packed: Packed, cursor: number) => any>}
 */
export const WINDOWS = {
  details(values, { shown }) {
    return shown ? { ...values.details, shown } : NO_DETAILS;
  },

  agenda(values, { limit }) {
    return { ...values.agenda, entries: values.agenda.entries.slice(0, limit) };
  },

  state(values, { query, first, limit, pinned }) {
    const wanted = folded(query);
    const others = values.state.rows.filter((/** @type {StateRow} */ { stream_id }) => !pinned.includes(stream_id));
    const rows = others.filter((/** @type {StateRow} */ row) => !wanted || stateMatches(row, wanted));
    const from = Math.max(Math.min(first, rows.length - 1), 0);
    return {
      ...values.state,
      query,
      total: others.length,
      matching: rows.length,
      first: from,
      rows: rows.slice(from, from + limit),
      pinned: pinned.map((/** @type {string} */ name) =>
        values.state.rows.find((/** @type {StateRow} */ { stream_id }) => stream_id === name)
          ?? values[`absent ${name}`]
      ),
    };
  },

  log(_values, { only, query, first, limit }, packed, cursor) {
    const wanted = folded(query);
    const { rows, texts } = logTexts(packed);
    const found = rows.filter((row, place) => isListed(row, only) && (!wanted || texts[place].includes(wanted)));
    const now = upTo(found, cursor);
    const from = bounded(first, now, found.length, limit);
    return { only, query, total: found.length, now, first: from,
      rows: found.slice(from, from + limit).map((row) => withPast(row, cursor)) };
  },

  search: recordedSearch,

  pointed(_values, { mark }, packed) {
    return { mark, sentence: recordedSelected(packed, { mark }).detail };
  },

  process_graph(values, options) {
    const { manager, instance } = followed(values, options);
    const graph = values[`process_graph ${manager}`] ?? values.process_graph;
    const wanted = instance === null
      ? null
      : graph.instances.find((/** @type {import("#views").Instance} */ { id, stream_id }) =>
        instance === id || instance === stream_id
      );
    if (!wanted || wanted.id === graph.chosen) return graph;
    return { ...graph, ...values[`status ${wanted.lane}`], chosen: wanted.id };
  },
};

/**
 * The instance that was picked out of the run, unless another was chosen in the graph since.
 * @param {any} values @param {any} options
 */
function followed({ selected, process_graph: { managers } }, { manager, instance, passed }) {
  const stream = ["stream", "step"].includes(selected?.kind) ? selected.streams[0] : "";
  const category = managers.find((/** @type {string} */ name) => stream.startsWith(`${name}-`));
  return category && stream !== passed ? { manager: category, instance: stream } : { manager, instance };
}

function folded(/** @type {string} */ text) {
  return text.trim().toLowerCase();
}

function stateMatches(/** @type {StateRow} */ row, /** @type {string} */ wanted) {
  const texts = [row.stream_id, ...row.fields.flatMap(({ name, value }) => [name, value])];
  return texts.some((text) => text.toLowerCase().includes(wanted));
}

/** How many of the events are past. */
function upTo(/** @type {{ moment: number | null }[]} */ events, /** @type {number} */ cursor) {
  return lowest(events.length, (place) => Number(events[place].moment) > cursor);
}

/** @type {WeakMap<object, any>} */
const others = new WeakMap();

/**
 * A row as it is at the cursor: the same object each time, so that it is seen to be the same.
 * @template {LogRow | Hit} T @param {T} row @param {number} cursor @returns {T}
 */
function withPast(row, cursor) {
  const is_past = row.moment !== null && row.moment <= cursor;
  if ("decided" in row) {
    const is_decided = row.decided !== null && row.decided <= cursor;
    return asKnown(row, { is_past, is_decided });
  }
  return asKnown(row, { is_past });
}

/** @template {object} T @param {T} row @param {Record<string, boolean>} known @returns {T} */
function asKnown(row, known) {
  const key = Object.values(known).join();
  if (!others.has(row)) others.set(row, {});
  return (others.get(row)[key] ??= { ...row, ...known });
}

/** The events of a run, each with the command that caused it, in order. @param {Packed} packed */
function eventsOf(packed) {
  return logTexts(packed).events;
}

/** @type {WeakMap<Packed, { rows: LogRow[], texts: string[], events: PackedEvent[] }>} */
const texted = new WeakMap();

/** @typedef {LogRow & { position: number }} PackedEvent */

/** The rows of the log with the text of each, put together once. @param {Packed} packed */
function logTexts(packed) {
  const known = texted.get(packed) ?? {
    rows: packed.log,
    texts: packed.log.map(logText),
    events: /** @type {PackedEvent[]} */ (packed.log.filter(({ position }) => position !== null)),
  };
  texted.set(packed, known);
  return known;
}

/** Of a command the outcome is not searched in, as it comes later; nor is what changed in a projection. @param {LogRow} row */
function logText({ stream_id, name, cause, correlation, detail, outcome, kind, mark }) {
  const texts = [mark.startsWith("change") ? "" : detail, kind === "command" ? "" : outcome].filter(Boolean);
  return [stream_id, name, cause, correlation, ...texts].join("\x1f").toLowerCase();
}

/** Whether a row is among those of a kind. @param {LogRow} row @param {string} only */
function isListed({ kind, position, mark, decided, cause }, only) {
  if (only === "events") return position !== null;
  if (only === "rejections") return kind === "rejected" && decided !== null;
  // A fault that a person injected stands for itself where no command was in progress.
  if (kind === "injected") return only === "all" || !cause;
  return only === "all" || kind === "command" || (mark.startsWith("step") && kind === "rejected");
}

/**
 * The window's beginning: the one asked for, else one that holds the cursor and moves seldom.
 * @param {number | null} first @param {number} now @param {number} total @param {number} width
 */
export function bounded(first, now, total, width) {
  if (first !== null) return Math.max(0, Math.min(first, total - 1));
  const stride = Math.max(Math.floor(width / 2), 1);
  const before = Math.max(Math.floor(stride / 2), 1);
  const followed = Math.max(0, Math.floor((now - before) / stride)) * stride;
  return Math.min(followed, Math.ceil(Math.max(total - width, 0) / stride) * stride);
}

// What the search finds in a recorded run: the same as the view `found` in Python, on what the page carries.

/** @type {import("#views").SearchResults} */
const NO_RESULTS = { query: "", sentence: "", total: 0, groups: [], hits: [], before: null, after: null };
const FEW = 500;
const QUOTED = 60;

/**
 * @param {any} values @param {{ query: string, limit: number }} options @param {Packed} packed
 * @param {number} cursor
 */
function recordedSearch(values, { query, limit }, packed, cursor) {
  const wanted = folded(query);
  if (!wanted) return NO_RESULTS;
  const { entries, due } = values.agenda;
  const all = { ...findables(packed), pending: entries.map(pendingFindable), deadline: due.map(deadlineFindable) };
  const found = Object.entries(all).map(([kind, those]) => matchesOf(kind, those, wanted, cursor, limit));
  const total = found.reduce((sum, group) => sum + group.total, 0);
  return {
    query,
    sentence: resultSentence(query.trim(), total),
    total,
    groups: found.filter((group) => group.total).map(({ kind, total: those, hits }) => ({ kind, total: those,
      shown: hits.length })
    ),
    hits: found.flatMap(({ hits }) => hits),
    before: nearestHit(found.map(({ before }) => before), -1),
    after: nearestHit(found.map(({ after }) => after), 1),
  };
}

/** @typedef {{ stream: HitText[], event: HitText[], rejection: HitText[], fault: HitText[], wait: HitText[] }} Findables */

/** @type {WeakMap<Packed, Findables>} */
const prepared = new WeakMap();

/** Everything that can be found, each with its text; that of the events is put together once. */
function findables(/** @type {Packed} */ packed) {
  const { streams: stream, rejections: rejection, faults: fault, waits: wait } = packed.searchable;
  const known = prepared.get(packed) ?? { stream, event: eventsOf(packed).map(eventFindable), rejection, fault, wait };
  prepared.set(packed, known);
  return known;
}

/** @param {PackedEvent} row @returns {HitText} */
function eventFindable(row) {
  const { position, name, detail, moment, stream_id, cause, correlation, mark } = row;
  return {
    text: [stream_id, name, cause, correlation, detail].join("\x1f").toLowerCase(),
    hit: { key: `event ${position}`, kind: "event", shape: "event", label: `${name} #${position}`, detail, moment,
      is_past: false, stream_id, position, mark, index: null, command_id: null },
  };
}

/** @param {import("#views").AgendaEntry} entry @param {number} index @returns {HitText} */
function pendingFindable({ command, target, fields, command_id, origin }, index) {
  return {
    text: [command, target, command_id, fields, origin].join("\x1f").toLowerCase(),
    hit: { key: `pending ${command_id}`, kind: "pending", shape: "command", label: command, detail: fields,
      moment: null, is_past: false, stream_id: target, position: null, mark: null, index, command_id },
  };
}

/** @param {import("#views").DueEntry} entry @returns {HitText} */
function deadlineFindable({ command_id, deadline, command, origin, due_at }) {
  return {
    text: ["deadline", deadline, command, command_id, origin, `due ${due_at}`].join("\x1f").toLowerCase(),
    hit: { key: `deadline ${command_id}`, kind: "deadline", shape: "deadline", label: deadline,
      detail: `${command}, due ${due_at}, ${origin}`, moment: null, is_past: false, stream_id: null, position: null,
      mark: null, index: null, command_id },
  };
}

/** Whether what is found waits at the cursor, and came to be at no moment. */
const isAhead = (/** @type {string} */ kind) => kind === "pending" || kind === "deadline";

/**
 * The matches of a kind: those that are named by the query and the nearest to the cursor, and the next on each side.
 * @param {string} kind @param {HitText[]} all @param {string} wanted @param {number} cursor @param {number} limit
 */
function matchesOf(kind, all, wanted, cursor, limit) {
  const found = all.filter(({ text }) => text.includes(wanted));
  /** @param {HitText} findable */
  const isNamed = ({ text }) => text === wanted || (text.includes("-") && text.slice(text.indexOf("-") + 1) === wanted);
  const exact = kind === "stream" && found.length <= FEW ? found.filter(isNamed).map(({ hit }) => hit) : [];
  const hits = found.map(({ hit }) => hit);
  const [past, earlier] = isAhead(kind) ? [0, 0] : [upTo(hits, cursor), upTo(hits, cursor - 1)];
  const first = bounded(null, past, hits.length, limit);
  const shown = [...new Set([...exact, ...hits.slice(first, first + limit)])].slice(0, limit);
  const next = isAhead(kind) ? [] : [hits[earlier - 1], hits[past]];
  const [before, after] = next.map((hit) => hit && withPast(hit, cursor));
  return { kind, total: hits.length, hits: shown.map((hit) => withPast(hit, cursor)), before, after };
}

/**
 * The nearest of some hits in a direction; of those at one moment the first.
 * @param {(Hit | undefined)[]} hits @param {number} direction
 */
function nearestHit(hits, direction) {
  /** @type {Hit | null} */
  let nearest = null;
  for (const hit of hits) {
    if (hit && (!nearest || direction * (Number(hit.moment) - Number(nearest.moment)) < 0)) nearest = hit;
  }
  return nearest;
}

function resultSentence(/** @type {string} */ query, /** @type {number} */ total) {
  const letters = [...query];
  const quoted = letters.length > QUOTED ? `${letters.slice(0, QUOTED - 1).join("")}…` : query;
  return `${total ? plural(total, "match", "matches") : "No matches"} for “${quoted}”`;
}

// What is selected: Python says it of each mark and each stream. What a range selects is made here.

const MOST_STREAMS = 200;

/**
 * What a selection means; `picked` is what the front end asked for.
 * @param {Packed} packed @param {Picked} picked @returns {Selected}
 */
export function recordedSelected(packed, { mark, until, position, stream_id: stream, command_id: command, type }) {
  const { selected: { marks, streams, commands, types }, rows } = packed;
  if (type) return rows[types[type]?.[0]] ?? NOTHING_SELECTED;
  const events = eventsOf(packed);
  const named = mark ?? markOf("event", events.findIndex((row) => row.position === position) + 1);
  if (command) return rows[commands[command]?.[0]] ?? NOTHING_SELECTED;
  const { event: first } = readMark(named);
  const isRange = until !== undefined && first && first <= events.length;
  if (isRange) return ofRange(events, first, Math.max(first, Math.min(until, events.length)));
  return rows[marks[named] ?? streams[stream ?? ""]] ?? NOTHING_SELECTED;
}

function ofRange(/** @type {PackedEvent[]} */ events, /** @type {number} */ first, /** @type {number} */ last) {
  const rows = events.slice(first - 1, last);
  const streams = [...new Set(rows.map((row) => row.stream_id))];
  const [position, until] = [rows[0].position, rows[rows.length - 1].position];
  return {
    ...NOTHING_SELECTED,
    kind: "range",
    title: `${plural(rows.length, "event")} of ${plural(streams.length, "stream")}`,
    detail: `positions ${count(position)} to ${count(until)}`,
    first,
    last,
    position,
    until,
    streams: streams.slice(0, MOST_STREAMS),
  };
}

// What is selected, whole: Python wrote it for each mark and each pending command. Of a stream and a range the events are
// listed here.

/** @type {Details} */
export const NO_DETAILS = { shown: false, key: "", kind: "", title: "", sentence: "", sections: [], causes: [],
  effects: [], events: [], heading: "Events", more_links: 0, actions: [], answer: null };
const MOST_LINKS = 40;

/**
 * The details of what was picked, which `selected` says.
 * @param {Packed} packed @param {Picked} picked @param {Selected} selected @returns {Details}
 */
export function recordedDetails(packed, picked, selected) {
  const { details, selected: { commands, types }, rows } = packed;
  if (picked.type && types[picked.type]) return rows[types[picked.type][1]];
  const events = eventsOf(packed);
  if (!selected.kind) return NO_DETAILS;
  const { position, title, detail, first, last, streams, kind } = selected;
  const event = markOf("event", events.findIndex((row) => row.position === picked.position) + 1);
  const known = picked.command_id ? commands[picked.command_id]?.[1] : details[picked.mark ?? event];
  if (known !== undefined && kind !== "range") return rows[known];
  const found = events.filter((row, index) =>
    kind === "range" ? index + 1 >= first && index + 1 <= last : row.stream_id === streams[0]
  );
  return { ...NO_DETAILS, key: `${kind} ${title} ${position}`, title, sentence: detail,
    events: found.slice(0, MOST_LINKS).map((row) => ({ kind: "event", label: `${row.name} #${row.position}`,
      detail: row.stream_id, depth: 0, mark: row.mark, moment: row.moment, command_id: null, stream_id: null,
      type: null })
    ), more_links: Math.max(found.length - MOST_LINKS, 0) };
}

// A recorded run, unpacked: the values of every part at every moment, rows shared between moments.

const KEEP = 32;

export class Recording {
  constructor(/** @type {Packed} */ packed) {
    this.packed = packed;
    this.moments = packed.moments;
    // The values at every 32nd moment that was passed: from there, a few changes lead to any other.
    /** @type {Map<number, any>} */
    this.known = new Map([[-1, {}]]);
  }

  get last() {
    return this.moments.length - 1;
  }

  /** The index of the first kept moment at or after a moment. */
  indexOf(/** @type {number} */ moment) {
    return Math.min(lowest(this.moments.length, (index) => this.moments[index] >= moment), this.last);
  }

  /**
   * The values at an index, by part and field. They are shared: copy them before a change.
   * @param {number} index @returns {any}
   */
  at(index) {
    let from = index - (index % KEEP);
    while (from > 0 && !this.known.has(from)) from -= KEEP;
    if (!this.known.has(from)) from = -1;
    let values = this.known.get(from);
    for (let next = from + 1; next <= index; next += 1) {
      values = this.changed(values, this.packed.steps[next]);
      if (next % KEEP === 0) this.known.set(next, values);
    }
    return values;
  }

  changed(/** @type {any} */ values, /** @type {Record<string, Record<string, any>>} */ step) {
    const after = { ...values };
    for (const [part, fields] of Object.entries(step)) {
      const view = { ...after[part] };
      for (const [name, change] of Object.entries(fields)) view[name] = this.unpacked(view[name], change);
      after[part] = view;
    }
    return after;
  }

  /** A field's value after a change that `Packing` (in Python) wrote. */
  unpacked(/** @type {any} */ before, /** @type {any} */ change) {
    if ("v" in change) return change.v;
    if ("o" in change) return this.packed.rows[change.o];
    const [start, end, middle] = change.l ?? change.r;
    const old = Array.isArray(before) ? before : [];
    const fresh = change.r ? middle.map((/** @type {number} */ number) => this.packed.rows[number]) : middle;
    return [...old.slice(0, start), ...fresh, ...old.slice(old.length - end)];
  }
}

/** Reads what the page carries: JSON, compressed, as text. */
export async function unpack(/** @type {string} */ text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Recording(JSON.parse(await new Response(stream).text()));
}
