// What Python tells of the lanes, from what the page carries: what is pointed at, what is selected, what led to it.

const MOST_ARROWS = 40;

/** What stands at a place, as a sentence. */
function recordedTold({ events, chart }, place) {
  if (place > 0) return events[place - 1] ? `${events[place - 1].type} #${events[place - 1].position}: ${events[place - 1].fields}` : "";
  return chart.told[stepPlace(chart, -place)] ?? "";
}

function stepPlace({ columns }, moment) {
  return columns[OF_EVENTS.length].indexOf(moment);
}

const NOTHING_SELECTED = { kind: "", title: "", detail: "", moment: null, first: 0, last: 0, position: null, until: null, command: "", streams: [], arrows: [] };

/** What a selection means; `picked` is what the front end asked for. */
function recordedSelected(packed, { place, until, position, stream_id: stream }) {
  const { events, chart } = packed;
  const first = place ?? (position === undefined ? 0 : events.findIndex((row) => row.position === position) + 1);
  if (first > 0 && events[first - 1]) return until === undefined ? ofEvent(packed, first) : ofRange(events, first, Math.min(until, events.length));
  const step = first < 0 ? stepPlace(chart, -first) : -1;
  if (step >= 0) return ofStep(packed, step, -first);
  if (stream && chart.lanes.some((lane) => lane.stream_id === stream)) return { ...NOTHING_SELECTED, kind: "stream", title: stream, detail: stream, streams: [stream] };
  return NOTHING_SELECTED;
}

function ofEvent(packed, place) {
  const { type, position, moment, stream_id: stream } = packed.events[place - 1];
  return {
    ...NOTHING_SELECTED, kind: "event", title: `${type} #${position}`, detail: recordedTold(packed, place), moment, first: place, last: place, position,
    streams: [stream], arrows: arrowsFrom(packed.chart, place),
  };
}

function ofRange(events, first, last) {
  const rows = events.slice(first - 1, last);
  const streams = [...new Set(rows.map((row) => row.stream_id))];
  const [position, until] = [rows[0].position, rows.at(-1).position];
  return {
    ...NOTHING_SELECTED, kind: "range", title: `${counted(rows.length, "event")} of ${counted(streams.length, "stream")}`, detail: `positions ${count(position)} to ${count(until)}`,
    first, last, position, until, streams,
  };
}

function ofStep({ chart }, step, moment) {
  const [lane, kind] = [2, 3].map((column) => chart.columns[OF_EVENTS.length + column][step]);
  return {
    ...NOTHING_SELECTED, kind: "step", title: `${STEP_KINDS[kind]} at step ${count(moment)}`, detail: chart.told[step], moment,
    streams: [chart.lanes[lane].stream_id], arrows: arrowsFrom(chart, -moment),
  };
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
  const [found, waiting, seen] = [[], [here], new Set([here])];
  for (const place of waiting) {
    for (const link of links) {
      if (link[from] !== place) continue;
      found.push([place, link[to]]);
      if (!seen.has(link[to])) waiting.push(link[to]);
      seen.add(link[to]);
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
