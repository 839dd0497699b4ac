// How a page looks at what was recorded: the searches and windows that Python answers where there is one.
// Each does what the view of that name does in Python, on the same values.

const USUAL_LOOKS = {
  tabs: { shown: "state" },
  agenda: { limit: 4 },
  state: { query: "", first: 0, limit: 6, pinned: [] },
  pointed: { place: 0 },
  events: { query: "", first: null, limit: 40 },
  found: { query: "", limit: 6 },
  process_graph: { manager: null, instance: null, passed: null },
  sequence: { first: null, limit: 100 },
};

const WINDOWS = {
  agenda(values, { limit }) {
    return { ...values.agenda, entries: values.agenda.entries.slice(0, limit) };
  },

  state(values, { query, first, limit, pinned }, packed, cursor) {
    const wanted = folded(query);
    const others = values.state.rows.filter(({ stream_id }) => !pinned.includes(stream_id));
    const rows = others.filter((row) => !wanted || stateMatches(row, wanted));
    const from = Math.max(Math.min(first, rows.length - 1), 0);
    return {
      ...values.state, query, total: others.length, matching: rows.length, first: from, rows: rows.slice(from, from + limit),
      pinned: pinned.map((name) => values.state.rows.find(({ stream_id }) => stream_id === name) ?? absent(name, packed, cursor)),
    };
  },

  events(values, { query, first, limit }, { events }, cursor) {
    const wanted = folded(query);
    const found = wanted ? events.filter((row) => eventMatches(row, wanted)) : events;
    const now = upTo(found, cursor);
    const from = bounded(first, now, found.length, limit);
    return { total: found.length, now, first: from, rows: found.slice(from, from + limit).map((row) => told(row, cursor)) };
  },

  found: recordedFound,

  pointed(_values, { place }, packed) {
    return { place, sentence: recordedTold(packed, place) };
  },

  process_graph(values, look) {
    const { manager, instance } = followed(values, look);
    const graph = values[`process_graph ${manager}`] ?? values.process_graph;
    const wanted = instance === null ? null : graph.instances.find(({ id, stream_id }) => instance === id || instance === stream_id);
    if (!wanted || wanted.id === graph.chosen) return graph;
    return { ...graph, ...values[`standing ${wanted.lane}`], chosen: wanted.id };
  },
};

/** The instance that was picked out of the run, unless another was chosen in the graph since. */
function followed({ selected, process_graph: { managers } }, { manager, instance, passed }) {
  const stream = ["stream", "step"].includes(selected?.kind) ? selected.streams[0] : "";
  const category = managers.find((name) => stream.startsWith(`${name}-`));
  return category && stream !== passed ? { manager: category, instance: stream } : { manager, instance };
}

function folded(text) {
  return text.trim().toLowerCase();
}

function stateMatches(row, wanted) {
  const texts = [row.stream_id, ...row.fields.flatMap(({ name, value }) => [name, value])];
  return texts.some((text) => text.toLowerCase().includes(wanted));
}

/** The row of a pinned stream that is not there at the cursor. */
function absent(stream_id, packed, cursor) {
  const { lane, version } = recordedVersion(packed, stream_id, cursor);
  const { category = "", kind = "aggregate" } = lane ?? {};
  return { stream_id, category, kind, version, changed: false, is_new: false, gone: false, fields: [], as_of: null, note: version ? "no longer there" : "not there yet" };
}

function eventMatches(row, wanted) {
  return [row.stream_id, row.type, row.command, row.correlation, row.fields].some((text) => text.toLowerCase().includes(wanted));
}

/** How many of the events are past. */
function upTo(events, cursor) {
  return lowest(events.length, (place) => events[place].moment > cursor);
}

function told(row, cursor) {
  const is_past = row.moment <= cursor;
  return row.is_past === is_past ? row : variant(row, String(is_past), { is_past });
}

const variants = new WeakMap();

/** A row with other values, the same object for the same name: so that it is seen to be the same. */
function variant(row, name, values) {
  if (!variants.has(row)) variants.set(row, new Map());
  const known = variants.get(row);
  if (!known.has(name)) known.set(name, { ...row, ...values });
  return known.get(name);
}

/** The window's beginning: the one asked for, else one that holds the cursor and moves seldom. */
function bounded(first, now, total, width) {
  if (first !== null) return Math.max(0, Math.min(first, total - 1));
  const stride = Math.max(Math.floor(width / 2), 1);
  const before = Math.max(Math.floor(stride / 2), 1);
  const followed = Math.max(0, Math.floor((now - before) / stride)) * stride;
  return Math.min(followed, Math.ceil(Math.max(total - width, 0) / stride) * stride);
}
