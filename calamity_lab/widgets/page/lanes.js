// What Python tells of the lanes, from what the page carries: what is pointed at, what is selected, what led to it.

const MOST_ARROWS = 40;
const MOST_STREAMS = 200;

/** What stands at a place, as a sentence. */
function recordedTold({ events, chart }, place) {
  if (place > 0) return events[place - 1] ? `${events[place - 1].type} #${events[place - 1].position}: ${events[place - 1].fields}` : "";
  return chart.told[stepPlace(chart, -place)] ?? "";
}

function stepPlace({ columns }, moment) {
  return columns[OF_EVENTS.length].indexOf(moment);
}

const NOTHING_SELECTED = { kind: "", title: "", detail: "", moment: null, first: 0, last: 0, mark: 0, position: null, until: null, command: "", streams: [], arrows: [] };

/** What a selection means; `picked` is what the front end asked for. */
function recordedSelected(packed, { place, until, position, stream_id: stream }) {
  const { events, chart } = packed;
  const first = place ?? (position === undefined ? 0 : events.findIndex((row) => row.position === position) + 1);
  if (first > 0 && events[first - 1]) return until === undefined ? ofEvent(packed, first) : ofRange(events, first, Math.max(first, Math.min(until, events.length)));
  if (first < 0) return ofMoment(packed, -first);
  if (stream && chart.lanes.some((lane) => lane.stream_id === stream)) return { ...NOTHING_SELECTED, kind: "stream", title: stream, detail: stream, streams: [stream] };
  return NOTHING_SELECTED;
}

function ofMoment(packed, moment) {
  const { events, chart } = packed;
  const first = events.findIndex((row) => row.moment === moment) + 1;
  const last = events.findLastIndex((row) => row.moment === moment) + 1;
  if (first) return first === last ? ofEvent(packed, first) : { ...ofRange(events, first, last), moment };
  // A refused command stands where it was refused.
  const after = chart.columns[OF_EVENTS.length].findIndex((other) => other >= moment);
  const isMark = after >= 0 && (chart.columns[OF_EVENTS.length][after] === moment || kindOf(chart, after) === "refused");
  return isMark ? ofStep(chart, after, moment) : NOTHING_SELECTED;
}

function kindOf({ columns }, step) {
  return STEP_KINDS[columns[OF_EVENTS.length + OF_STEPS.indexOf("kinds")][step]];
}

function ofEvent(packed, place) {
  const { type, position, moment, stream_id: stream } = packed.events[place - 1];
  return {
    ...NOTHING_SELECTED, kind: "event", title: `${type} #${position}`, detail: recordedTold(packed, place), moment, first: place, last: place, mark: place, position,
    streams: [stream], arrows: arrowsFrom(packed.chart, place),
  };
}

function ofRange(events, first, last) {
  const rows = events.slice(first - 1, last);
  const streams = [...new Set(rows.map((row) => row.stream_id))];
  const [position, until] = [rows[0].position, rows.at(-1).position];
  return {
    ...NOTHING_SELECTED, kind: "range", title: `${counted(rows.length, "event")} of ${counted(streams.length, "stream")}`, detail: `positions ${count(position)} to ${count(until)}`,
    first, last, position, until, streams: streams.slice(0, MOST_STREAMS),
  };
}

function ofStep(chart, step, moment) {
  const [mark, lane] = [-chart.columns[OF_EVENTS.length][step], chart.columns[OF_EVENTS.length + OF_STEPS.indexOf("lanes")][step]];
  return {
    ...NOTHING_SELECTED, kind: "step", title: `${whatHappened(chart, step, -mark === moment)} at step ${count(moment)}`, detail: chart.told[step], moment, mark,
    streams: [chart.lanes[lane].stream_id], arrows: arrowsFrom(chart, mark),
  };
}

function whatHappened({ columns, lanes, names }, step, isMark) {
  const [lane, name] = ["lanes", "names"].map((column) => columns[OF_EVENTS.length + OF_STEPS.indexOf(column)][step]);
  const kind = kindOf({ columns }, step);
  if (kind === "command") return `${names[name]} dispatched`;
  if (kind === "refused") return isMark ? names[name] : names[name].replace(/refused$/, "dispatched");
  return `${lanes[lane].stream_id} ${kind}`;
}

function arrowsFrom({ links }, here) {
  const towards = (from, to) => reached(here, links, from, to).slice(0, MOST_ARROWS);
  return [
    ...towards(1, 0).map(([effect, cause]) => ({ cause, effect, leads_here: true })),
    ...towards(0, 1).map(([cause, effect]) => ({ cause, effect, leads_here: false })),
  ];
}

/** Every link that can be reached from a place, breadth first. */
function reached(here, links, from, to) {
  const [found, waiting, seen, ends] = [[], [here], new Set([here]), new Map()];
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
function recordedVersion({ chart }, name, cursor) {
  const number = chart.lanes.findIndex((lane) => lane.stream_id === name);
  const [moments, lanes, , , steps, halves, stepLanes, kinds] = chart.columns;
  const events = moments.filter((moment, place) => lanes[place] === number && moment <= cursor).length;
  const taken = steps.filter((moment, place) => stepLanes[place] === number && moment <= cursor && halves[place] % 2 === 0 && STEP_KINDS[kinds[place]] !== "ignored").length;
  return { lane: chart.lanes[number], version: events + taken };
}
