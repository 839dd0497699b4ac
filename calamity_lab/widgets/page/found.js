// What the search finds in a recorded run: the same as the view `found` in Python, on what the page carries.

const NOTHING_FOUND = { query: "", sentence: "", total: 0, groups: [], hits: [], before: null, after: null };
const FEW = 500;
const QUOTED = 60;

function recordedFound(values, { query, limit }, packed, cursor) {
  const wanted = folded(query);
  if (!wanted) return NOTHING_FOUND;
  const { streams, events, refusals } = findables(packed);
  const lasting = [matchesOf("stream", streams, wanted, cursor), matchesOf("event", events, wanted, cursor), matchesOf("refusal", refusals, wanted, cursor)];
  const pending = matchesOf("pending", values.agenda.entries.map(pendingFindable), wanted, cursor);
  const shown = [...lasting, pending].filter(({ hits }) => hits.length).map((matches) => ({ matches, told: toldOf(matches, limit) }));
  const total = shown.reduce((sum, { matches }) => sum + matches.hits.length, 0);
  return {
    query,
    sentence: foundSentence(query.trim(), total),
    total,
    groups: shown.map(({ matches, told: hits }) => ({ kind: matches.kind, total: matches.hits.length, shown: hits.length })),
    hits: shown.flatMap(({ told: hits }) => hits.map((hit) => toldHit(hit, cursor))),
    before: nearestHit(lasting.map(({ hits, earlier }) => hits[earlier - 1]), -1, cursor),
    after: nearestHit(lasting.map(({ hits, past }) => hits[past]), 1, cursor),
  };
}

const prepared = new WeakMap();

/** Everything that can be found, each with its text; that of the events is put together once. */
function findables(packed) {
  if (!prepared.has(packed)) prepared.set(packed, { ...packed.found, events: packed.events.map(eventFindable) });
  return prepared.get(packed);
}

function eventFindable(row, number) {
  const { position, type, fields, moment, stream_id, command, correlation } = row;
  return {
    text: [stream_id, type, command, correlation, fields].join("\x1f").toLowerCase(),
    hit: { key: `event ${position}`, kind: "event", shape: "event", label: `${type} #${position}`, told: fields, moment, is_past: false, stream_id, position, place: number + 1, command_id: null },
  };
}

function pendingFindable({ command, target, fields, command_id }, place) {
  return {
    text: [command, target, command_id, fields].join("\x1f").toLowerCase(),
    hit: { key: `pending ${command_id}`, kind: "pending", shape: "command", label: command, told: fields, moment: null, is_past: false, stream_id: target, position: null, place, command_id },
  };
}

function matchesOf(kind, all, wanted, cursor) {
  const found = all.filter(({ text }) => text.includes(wanted));
  const hits = found.map(({ hit }) => hit);
  const isNamed = ({ text }) => text === wanted || (text.includes("-") && text.slice(text.indexOf("-") + 1) === wanted);
  const exact = kind === "stream" && found.length <= FEW ? found.filter(isNamed).map(({ hit }) => hit) : [];
  const [past, earlier] = kind === "pending" ? [0, 0] : [upTo(hits, cursor), upTo(hits, cursor - 1)];
  return { kind, hits, exact, past, earlier };
}

/** Those that are named, and the nearest to the cursor. */
function toldOf({ hits, exact, past }, limit) {
  const first = bounded(null, past, hits.length, limit);
  return [...new Set([...exact, ...hits.slice(first, first + limit)])].slice(0, limit);
}

function toldHit(hit, cursor) {
  return hit.moment === null ? hit : told(hit, cursor);
}

/** The nearest of some hits in a direction; of those at one moment the first. */
function nearestHit(hits, direction, cursor) {
  const known = hits.filter((hit) => hit !== undefined);
  const nearest = known.reduce((best, hit) => (best && direction * (hit.moment - best.moment) >= 0 ? best : hit), null);
  return nearest && toldHit(nearest, cursor);
}

function foundSentence(query, total) {
  const letters = [...query];
  const quoted = letters.length > QUOTED ? `${letters.slice(0, QUOTED - 1).join("")}…` : query;
  return total ? `${total.toLocaleString("en-GB")} found for “${quoted}”` : `Nothing in this run has “${quoted}” in it`;
}
