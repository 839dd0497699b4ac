// The rows of the timeline: the lanes in groups, one a type, of which those in sight are drawn and no others.

const LANE = 24;
const MOST_LANES = 30;

class Lanes {
  constructor() {
    this.closed = new Set();
    this.lanes = [];
    this.groupOf = [];
    this.groups = [];
    this.rows = [];
    this.rowOf = new Int32Array(0);
    this.isSifted = null;
  }

  /** Whether only lanes are shown in which something is in sight: with many, unless a person chose. */
  sifts(chart) {
    return this.isSifted ?? chart.lanes.length > MOST_LANES;
  }

  /** Puts the lanes in rows; `isInSight` tells of which lanes something is in sight. */
  lay(chart, isInSight) {
    const sifts = this.sifts(chart);
    this.group(chart.lanes);
    for (const group of this.groups) group.lanes = [];
    for (let number = 0; number < chart.lanes.length; number += 1) {
      if (!sifts || isInSight[number]) this.groupOf[number].lanes.push(number);
    }
    this.rowOf = new Int32Array(chart.lanes.length).fill(-1);
    this.rows = [];
    for (const group of this.groups) if (group.lanes.length) this.layGroup(chart, group);
  }

  /** Finds the group of each lane; of those that were there before, it is known. */
  group(lanes) {
    if (this.lanes === lanes) return;
    if (!this.lanes.every((lane, number) => lane === lanes[number])) [this.groups, this.groupOf] = [[], []];
    const groups = new Map(this.groups.map((group) => [group.key, group]));
    for (let number = this.groupOf.length; number < lanes.length; number += 1) {
      const { kind, category } = lanes[number];
      const key = `${kind} ${category}`;
      if (!groups.has(key)) groups.set(key, { key, kind, category, all: 0, lanes: [] });
      groups.get(key).all += 1;
      this.groupOf.push(groups.get(key));
    }
    // Aggregates first, as they appeared; what watches them stands below.
    this.groups = [...groups.values()].sort((one, other) => (one.kind === "aggregate" ? 0 : 1) - (other.kind === "aggregate" ? 0 : 1));
    this.lanes = lanes;
  }

  layGroup(chart, group) {
    const isClosed = this.closed.has(group.key);
    const isAlone = group.all === 1;
    const heading = this.rows.length;
    if (!isAlone) this.rows.push({ key: group.key, group, isClosed });
    for (const number of group.lanes) {
      this.rowOf[number] = isClosed && !isAlone ? heading : this.rows.length;
      if (!isClosed || isAlone) this.rows.push({ key: chart.lanes[number].stream_id, lane: chart.lanes[number], number, isAlone });
    }
  }

  toggle(key) {
    if (!this.closed.delete(key)) this.closed.add(key);
  }

  /** The first row in sight and the one behind the last. */
  inSight({ top, height }) {
    const first = clamp(Math.floor(top / LANE), 0, this.rows.length);
    const last = clamp(Math.ceil((top + height) / LANE), first, this.rows.length);
    return [first, last];
  }
}
