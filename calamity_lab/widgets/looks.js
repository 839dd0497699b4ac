// What everything looks like. Python puts the values of calamity_lab/views/looks.py in place of these empty ones.

/** @type {import("./types.js").Looks} */
export const LOOKS = {
  kinds: {},
  reactions: [],
  inLanes: [],
  kindsOfLanes: [],
  drawnAs: {},
  signs: {},
  graph: { boxWide: 0, boxHigh: 0, nameRoom: 0 },
  sequence: { row: 0, note: 0, gap: 0 },
  lanes: { most: 0, folded: 0, leastGap: 0, ahead: 0, label: { size: 0, mark: 0, gap: 0, apart: 0 },
    deadline: { down: 0, apart: 0, heights: 0, most: 0, ends: [] } },
};
