// How a page looks at what was recorded: the searches and windows that Python answers where there is one.
// Each does what the view of that name does in Python, on the same values.

import { lowest, OF_EVENTS, OF_STEPS, STEP_KINDS } from "../chart.js";
import { count, counted } from "../kit.js";
import { NOTHING_SELECTED } from "../lab_handle.js";

/** @import { EventRow, Findable, Hit, Packed, PackedChart, Picked, Selected, StateRow } from "../types.js" */

/** How each view is looked at until a person says otherwise. @type {Record<string, Record<string, any>>} */
export const USUAL_OPTIONS = {
  tabs: { shown: "state" },
  agenda: { limit: 4 },
  state: { query: "", first: 0, limit: 6, pinned: [] },
  pointed: { place: 0 },
  events: { query: "", first: null, limit: 40 },
  found: { query: "", limit: 6 },
  process_graph: { manager: null, instance: null, passed: null },
  sequence: { first: null, limit: 100 },
};

/**
 * What each view shows, from the values of the moment, as it is looked at.
 * @type {Record<string, (values: any, options: any, packed: Packed, cursor: number) => any>}
 */
export const WINDOWS = {
  agenda(values, { limit }) {
    return { ...values.agenda, entries: values.agenda.entries.slice(0, limit) };
  },

  state(values, { query, first, limit, pinned }, packed, cursor) {
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
          ?? absent(name, packed, cursor)
      ),
    };
  },

  events(values, { query, first, limit }, { events }, cursor) {
    const wanted = folded(query);
    const found = wanted ? events.filter((row) => eventMatches(row, wanted)) : events;
    const now = upTo(found, cursor);
    const from = bounded(first, now, found.length, limit);
    return { total: found.length, now, first: from,
      rows: found.slice(from, from + limit).map((row) => told(row, cursor)) };
  },

  found: recordedFound,

  pointed(_values, { place }, packed) {
    return { place, sentence: recordedTold(packed, place) };
  },

  process_graph(values, options) {
    const { manager, instance } = followed(values, options);
    const graph = values[`process_graph ${manager}`] ?? values.process_graph;
    const wanted = instance === null
      ? null
      : graph.instances.find((/** @type {import("../types.js").Instance} */ { id, stream_id }) =>
        instance === id || instance === stream_id
      );
    if (!wanted || wanted.id === graph.chosen) return graph;
    return { ...graph, ...values[`standing ${wanted.lane}`], chosen: wanted.id };
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

/** The row of a pinned stream that is not there at the cursor. */
function absent(/** @type {string} */ stream_id, /** @type {Packed} */ packed, /** @type {number} */ cursor) {
  const { lane, version } = recordedVersion(packed, stream_id, cursor);
  const { category = "", kind = "aggregate" } = lane ?? {};
  return { stream_id, category, kind, version, changed: false, is_new: false, gone: false, fields: [], as_of: null,
    note: version ? "no longer there" : "not there yet" };
}

function eventMatches(/** @type {EventRow} */ row, /** @type {string} */ wanted) {
  return [row.stream_id, row.type, row.command, row.correlation, row.fields].some((text) =>
    text.toLowerCase().includes(wanted)
  );
}

/** How many of the events are past. */
function upTo(/** @type {{ moment: number | null }[]} */ events, /** @type {number} */ cursor) {
  return lowest(events.length, (place) => Number(events[place].moment) > cursor);
}

/** @template {EventRow | Hit} T @param {T} row @param {number} cursor @returns {T} */
function told(row, cursor) {
  const is_past = Number(row.moment) <= cursor;
  return row.is_past === is_past ? row : variant(row, String(is_past), { ...row, is_past });
}

/** @type {WeakMap<object, Map<string, any>>} */
const variants = new WeakMap();

/**
 * A row with other values, the same object for the same name: so that it is seen to be the same.
 * @template {object} T @param {T} row @param {string} name @param {T} other @returns {T}
 */
function variant(row, name, other) {
  const known = variants.get(row) ?? new Map();
  variants.set(row, known);
  if (!known.has(name)) known.set(name, other);
  return known.get(name);
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

/** @type {import("../types.js").Found} */
const NOTHING_FOUND = { query: "", sentence: "", total: 0, groups: [], hits: [], before: null, after: null };
const FEW = 500;
const QUOTED = 60;

/**
 * @param {any} values @param {{ query: string, limit: number }} options @param {Packed} packed
 * @param {number} cursor
 */
function recordedFound(values, { query, limit }, packed, cursor) {
  const wanted = folded(query);
  if (!wanted) return NOTHING_FOUND;
  const { streams, events, refusals } = findables(packed);
  const lasting = [matchesOf("stream", streams, wanted, cursor), matchesOf("event", events, wanted, cursor),
    matchesOf("refusal", refusals, wanted, cursor)];
  const pending = matchesOf("pending", values.agenda.entries.map(pendingFindable), wanted, cursor);
  const shown = [...lasting, pending].filter(({ hits }) => hits.length).map((matches) => ({ matches,
    told: toldOf(matches, limit) })
  );
  const total = shown.reduce((sum, { matches }) => sum + matches.hits.length, 0);
  return {
    query,
    sentence: foundSentence(query.trim(), total),
    total,
    groups: shown.map(({ matches, told: hits }) => ({ kind: matches.kind, total: matches.hits.length,
      shown: hits.length })
    ),
    hits: shown.flatMap(({ told: hits }) => hits.map((hit) => toldHit(hit, cursor))),
    before: nearestHit(lasting.map(({ hits, earlier }) => hits[earlier - 1]), -1, cursor),
    after: nearestHit(lasting.map(({ hits, past }) => hits[past]), 1, cursor),
  };
}

/** @typedef {{ streams: Findable[], refusals: Findable[], events: Findable[] }} Findables */

/** @type {WeakMap<Packed, Findables>} */
const prepared = new WeakMap();

/** Everything that can be found, each with its text; that of the events is put together once. */
function findables(/** @type {Packed} */ packed) {
  const known = prepared.get(packed) ?? { ...packed.found, events: packed.events.map(eventFindable) };
  prepared.set(packed, known);
  return known;
}

/** @param {EventRow} row @param {number} number @returns {Findable} */
function eventFindable(row, number) {
  const { position, type, fields, moment, stream_id, command, correlation } = row;
  return {
    text: [stream_id, type, command, correlation, fields].join("\x1f").toLowerCase(),
    hit: { key: `event ${position}`, kind: "event", shape: "event", label: `${type} #${position}`, told: fields, moment,
      is_past: false, stream_id, position, place: number + 1, command_id: null },
  };
}

/** @param {import("../types.js").Entry} entry @param {number} place @returns {Findable} */
function pendingFindable({ command, target, fields, command_id }, place) {
  return {
    text: [command, target, command_id, fields].join("\x1f").toLowerCase(),
    hit: { key: `pending ${command_id}`, kind: "pending", shape: "command", label: command, told: fields, moment: null,
      is_past: false, stream_id: target, position: null, place, command_id },
  };
}

/** @param {string} kind @param {Findable[]} all @param {string} wanted @param {number} cursor */
function matchesOf(kind, all, wanted, cursor) {
  const found = all.filter(({ text }) => text.includes(wanted));
  const hits = found.map(({ hit }) => hit);
  /** @param {Findable} findable */
  const isNamed = ({ text }) => text === wanted || (text.includes("-") && text.slice(text.indexOf("-") + 1) === wanted);
  const exact = kind === "stream" && found.length <= FEW ? found.filter(isNamed).map(({ hit }) => hit) : [];
  const [past, earlier] = kind === "pending" ? [0, 0] : [upTo(hits, cursor), upTo(hits, cursor - 1)];
  return { kind, hits, exact, past, earlier };
}

/**
 * Those that are named, and the nearest to the cursor.
 * @param {{ hits: Hit[], exact: Hit[], past: number }} matches @param {number} limit
 */
function toldOf({ hits, exact, past }, limit) {
  const first = bounded(null, past, hits.length, limit);
  return [...new Set([...exact, ...hits.slice(first, first + limit)])].slice(0, limit);
}

function toldHit(/** @type {Hit} */ hit, /** @type {number} */ cursor) {
  return hit.moment === null ? hit : told(hit, cursor);
}

/**
 * The nearest of some hits in a direction; of those at one moment the first.
 * @param {(Hit | undefined)[]} hits @param {number} direction @param {number} cursor
 */
function nearestHit(hits, direction, cursor) {
  /** @type {Hit | null} */
  let nearest = null;
  for (const hit of hits) {
    if (hit && (!nearest || direction * (Number(hit.moment) - Number(nearest.moment)) < 0)) nearest = hit;
  }
  return nearest && toldHit(nearest, cursor);
}

function foundSentence(/** @type {string} */ query, /** @type {number} */ total) {
  const letters = [...query];
  const quoted = letters.length > QUOTED ? `${letters.slice(0, QUOTED - 1).join("")}…` : query;
  if (!total) return `No matches for “${quoted}”`;
  return `${total.toLocaleString("en-GB")} ${total === 1 ? "match" : "matches"} for “${quoted}”`;
}

// What Python tells of the lanes, from what the page carries: what is pointed at, what is selected, what led to it.

const MOST_ARROWS = 40;
const MOST_STREAMS = 200;

/**
 * What stands at a place, as a sentence.
 * @param {{ events: EventRow[], chart: PackedChart }} packed @param {number} place
 */
function recordedTold({ events, chart }, place) {
  if (place > 0) {
    return events[place - 1]
      ? `${events[place - 1].type} #${events[place - 1].position}: ${events[place - 1].fields}`
      : "";
  }
  return chart.told[stepPlace(chart, -place)] ?? "";
}

function stepPlace(/** @type {PackedChart} */ { columns }, /** @type {number} */ moment) {
  return columns[OF_EVENTS.length].indexOf(moment);
}

/**
 * What a selection means; `picked` is what the front end asked for.
 * @param {Packed} packed @param {Picked} picked @returns {Selected}
 */
export function recordedSelected(packed, { place, until, position, stream_id: stream }) {
  const { events, chart } = packed;
  const first = place ?? (position === undefined ? 0 : events.findIndex((row) => row.position === position) + 1);
  if (first > 0 && events[first - 1]) {
    return until === undefined
      ? ofEvent(packed, first)
      : ofRange(events, first, Math.max(first, Math.min(until, events.length)));
  }
  if (first < 0) return ofMoment(packed, -first);
  if (stream && chart.lanes.some((lane) => lane.stream_id === stream)) {
    return { ...NOTHING_SELECTED, kind: "stream", title: stream, detail: stream, streams: [stream] };
  }
  return NOTHING_SELECTED;
}

function ofMoment(/** @type {Packed} */ packed, /** @type {number} */ moment) {
  const { events, chart } = packed;
  const first = events.findIndex((row) => row.moment === moment) + 1;
  const last = events.findLastIndex((row) => row.moment === moment) + 1;
  if (first) return first === last ? ofEvent(packed, first) : { ...ofRange(events, first, last), moment };
  // A refused command stands where it was rejected.
  const after = chart.columns[OF_EVENTS.length].findIndex((other) => other >= moment);
  const isMark = after >= 0
    && (chart.columns[OF_EVENTS.length][after] === moment || kindOf(chart, after) === "refused");
  return isMark ? ofStep(chart, after, moment) : NOTHING_SELECTED;
}

function kindOf(/** @type {{ columns: number[][] }} */ { columns }, /** @type {number} */ step) {
  return STEP_KINDS[columns[OF_EVENTS.length + OF_STEPS.indexOf("kinds")][step]];
}

function ofEvent(/** @type {Packed} */ packed, /** @type {number} */ place) {
  const { type, position, moment, stream_id: stream } = packed.events[place - 1];
  return {
    ...NOTHING_SELECTED,
    kind: "event",
    title: `${type} #${position}`,
    detail: recordedTold(packed, place),
    moment,
    first: place,
    last: place,
    mark: place,
    position,
    streams: [stream],
    arrows: arrowsFrom(packed.chart, place),
  };
}

function ofRange(/** @type {EventRow[]} */ events, /** @type {number} */ first, /** @type {number} */ last) {
  const rows = events.slice(first - 1, last);
  const streams = [...new Set(rows.map((row) => row.stream_id))];
  const [position, until] = [rows[0].position, rows[rows.length - 1].position];
  return {
    ...NOTHING_SELECTED,
    kind: "range",
    title: `${counted(rows.length, "event")} of ${counted(streams.length, "stream")}`,
    detail: `positions ${count(position)} to ${count(until)}`,
    first,
    last,
    position,
    until,
    streams: streams.slice(0, MOST_STREAMS),
  };
}

function ofStep(/** @type {PackedChart} */ chart, /** @type {number} */ step, /** @type {number} */ moment) {
  const [mark, lane] = [-chart.columns[OF_EVENTS.length][step],
    chart.columns[OF_EVENTS.length + OF_STEPS.indexOf("lanes")][step]];
  return {
    ...NOTHING_SELECTED,
    kind: "step",
    title: `${whatHappened(chart, step, -mark === moment)} at step ${count(moment)}`,
    detail: chart.told[step],
    moment,
    mark,
    streams: [chart.lanes[lane].stream_id],
    arrows: arrowsFrom(chart, mark),
  };
}

/** @param {PackedChart} chart @param {number} step @param {boolean} isMark */
function whatHappened({ columns, lanes, names }, step, isMark) {
  const ofSteps = columns.slice(OF_EVENTS.length).map((column) => column[step]);
  const [lane, name] = [ofSteps[OF_STEPS.indexOf("lanes")], ofSteps[OF_STEPS.indexOf("names")]];
  const kind = kindOf({ columns }, step);
  if (kind === "command") return `${names[name]} dispatched`;
  if (kind === "refused") return isMark ? names[name] : names[name].replace(/rejected$/, "dispatched");
  return `${lanes[lane].stream_id} ${kind}`;
}

function arrowsFrom(/** @type {PackedChart} */ { links }, /** @type {number} */ here) {
  const towards = (/** @type {0 | 1} */ from, /** @type {0 | 1} */ to) =>
    reached(here, links, from, to).slice(0, MOST_ARROWS);
  return [
    ...towards(1, 0).map(([effect, cause]) => ({ cause, effect, leads_here: true })),
    ...towards(0, 1).map(([cause, effect]) => ({ cause, effect, leads_here: false })),
  ];
}

/**
 * Every link that can be reached from a place, breadth first.
 * @param {number} here @param {[number, number][]} links @param {0 | 1} from @param {0 | 1} to
 */
function reached(here, links, from, to) {
  /** @type {[number, number][]} */
  const found = [];
  const [waiting, seen] = [[here], new Set([here])];
  /** @type {Map<number, number[]>} */
  const ends = new Map();
  for (const link of links) ends.set(link[from], [...(ends.get(link[from]) ?? []), link[to]]);
  for (const place of waiting) {
    for (const end of ends.get(place) ?? []) {
      found.push([place, end]);
      if (!seen.has(end)) waiting.push(end);
      seen.add(end);
    }
  }
  return found;
}

/** The version of a stream at a moment: what took in an event has one more. */
function recordedVersion(/** @type {Packed} */ { chart }, /** @type {string} */ name, /** @type {number} */ cursor) {
  const number = chart.lanes.findIndex((lane) => lane.stream_id === name);
  const [moments, lanes, , , steps, halves, stepLanes, kinds] = chart.columns;
  const events = moments.filter((moment, place) => lanes[place] === number && moment <= cursor).length;
  const taken =
    steps.filter((moment, place) =>
      stepLanes[place] === number && moment <= cursor && halves[place] % 2 === 0
      && STEP_KINDS[kinds[place]] !== "ignored"
    ).length;
  return { lane: chart.lanes[number], version: events + taken };
}
