// Where there is no room for lanes: what happened around the cursor as a list, the latest in the middle.

const LISTED_BEFORE = 10;
const LISTED_AFTER = 5;

function mountLaneList(pick) {
  const list = make("ol", { class: "cl-lane-list" });
  return {
    node: list,
    update(timeline) {
      const { chart, cursor } = timeline;
      const latest = timeline.latest();
      const rows = marksAround(chart, timeline.now, cursor).map((mark) => ({
        ...mark, words: timeline.words(mark), stream_id: chart.lanes[mark.lane].stream_id, category: chart.lanes[mark.lane].category,
        isPast: mark.moment <= cursor, isLatest: latest !== null && mark.moment === latest.moment, isPicked: timeline.isSelected(mark.place),
      }));
      keyed(list, rows, ({ place }) => place, (row) => listedMark(row, pick), updateListed);
      timeline.desk.later(() => keepInSight(list.querySelector("[aria-current]"), list));
    },
  };
}

/** The marks before and after the cursor, in order of what happened. */
function marksAround(chart, now, cursor) {
  const places = [];
  for (let event = Math.max(now - LISTED_BEFORE, 0) + 1; event <= Math.min(now + LISTED_AFTER, chart.events.length); event += 1) places.push(event);
  const step = chart.steps.upto("moments", cursor);
  for (let other = Math.max(step - LISTED_BEFORE, 0); other < Math.min(step + LISTED_AFTER, chart.steps.length); other += 1) places.push(-chart.steps.moments[other]);
  const marks = places.map((place) => chart.at(place)).sort((one, other) => one.moment - other.moment || one.place - other.place);
  const at = marks.filter(({ moment }) => moment <= cursor).length;
  return marks.slice(Math.max(at - LISTED_BEFORE, 0), at + LISTED_AFTER);
}

function listedMark(row, pick) {
  const name = make("span", { class: "cl-listed-name", text: row.kind === "event" ? `${row.name} #${count(row.place)}` : row.name });
  const node = make("button", { type: "button", class: "cl-listed", on: { click: () => pick(row) } },
    glyph(row.kind), name, make("span", { class: "cl-listed-stream cl-muted" }, ...nameParts(row)));
  return make("li", {}, node);
}

function updateListed(item, { words, isPast, isLatest, isPicked }) {
  const node = item.firstChild;
  put(node, "class", `cl-listed ${isPast ? "cl-past" : "cl-later"}`);
  put(node, "aria-label", words);
  put(node, "aria-current", isLatest ? "step" : null);
  put(node, "aria-pressed", isPicked ? "true" : "false");
}
