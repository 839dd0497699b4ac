// The types of what the front end passes on, for the reader and for the type checker. No module imports this one.
// The values of the views have their types in #views: `make check` writes them from the dataclasses of calamity_lab/views.

/** @import { HitText, LaneRow, LogRow, Mark } from "#views" */

/**
 * A view of a widget: `parts` are the names of the values that it draws, `update` draws them. `asked` and `answered`
 * get the name of each request; a change without a request has no name. `plays` is called when Play begins, `goesAhead`
 * when the cursor is moved before Python has answered, `waits` with what waits for Python, or null, `underWay` with
 * the move that takes long and can be paused, or "".
 * @typedef {{
 *   parts: string[], update(value: any, patch: any, part: string): void, asked?(name: string): void,
 *   answered?(name: string | undefined): void, plays?(): void, goesAhead?(): void,
 *   waits?(sentence: string | null, isSilent: boolean): void, underWay?(verb: string): void,
 *   close?(): void,
 * }} View
 * @typedef {(message: any, buffers?: (ArrayBuffer | DataView)[]) => void} Listener
 * The model of anywidget, or its substitute on a page.
 * @typedef {{
 *   get(name: string): any, send(message: any, callbacks?: any): void,
 *   on(name: string, listener: Listener): void, off(name: string, listener: Listener): void,
 * }} Model
 */

/**
 * The new items of the chart's columns, the events' first; `kept` says how many of the earlier items stay.
 * @typedef {{
 *   kept: number[], columns: ArrayLike<number>[], lanes: LaneRow[], names: string[], count: number[],
 * }} ChartPatch
 */

/**
 * The run in a page: see `page/recording.py`. A selection is the number of a row.
 * @typedef {{
 *   start: number, last: number, pending: number, tabs: string[], moments: number[], over: number[], out: number[],
 *   back_over: number[], log: LogRow[], chart: ChartPatch, searchable: { streams: HitText[], rejections: HitText[], faults: HitText[], waits: HitText[] },
 *   selected: {
 *     marks: Partial<Record<Mark, number>>, streams: Record<string, number>, commands: Record<string, [number, number]>, types: Record<string, [number, number]>,
 *   }, details: Record<string, number>,
 *   steps: Record<string, Record<string, any>>[], rows: any[],
 * }} Packed
 * @typedef {{ mark?: Mark | null, until?: number, position?: number, stream_id?: string | null, command_id?: string | null,
 *   type?: string, go?: boolean, details?: boolean }} Picked
 */

/**
 * The values of `calamity_lab.views.looks` and `lanes`: shapes and words by kind, signs by status, and the numbers
 * of the geometry of the lanes.
 * @typedef {{
 *   kinds: Record<string, { shape: string, word: string, short: string }>,
 *   reactions: string[], inLanes: string[], kindsOfLanes: string[], drawnAs: Record<string, string>,
 *   signs: Record<string, { word: string, line: string, outline: string }>,
 *   graph: { boxWide: number, boxHigh: number, nameRoom: number },
 *   sequence: { row: number, note: number, gap: number },
 *   lanes: {
 *     most: number, folded: number, leastGap: number, ahead: number,
 *     label: { size: number, mark: number, gap: number, apart: number },
 *     deadline: { down: number, apart: number, heights: number, most: number, ends: string[] },
 *   },
 * }} Looks
 */

/**
 * A mark with what it shows, and its point: `among` the events, and in pixels.
 * @typedef {{ key: Mark, kind: string, among: number, lane: number, moment: number }} PlacedMark
 * @typedef {PlacedMark & { name: string, label: string, position: number | null }} ChartMark
 * @typedef {PlacedMark & Point} DrawnMark
 * @typedef {{ key: Mark, moment: number, text: string, x: number, y: number, wide: number, isLeft: boolean }} DrawnLabel
 * @typedef {DrawnMark & { from: number, to: number, middle: number, end: string, until: number }} DrawnLine
 * @typedef {{ x: number, y: number }} Point
 */
export {};
