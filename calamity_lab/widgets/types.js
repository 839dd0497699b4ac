// The types of what the front end passes on, for the reader and for the type checker. No module imports this one.

/**
 * What a view of a widget is: `parts` are the names of the values that it draws, `update` draws them. `asked` and
 * `answered` get the name of each request; what came unasked has none. `plays` is called when Play begins, `goesAhead`
 * when the cursor is moved before Python has answered.
 * @typedef {{
 *   parts: string[], update(value: any, patch: any, part: string): void, asked?(name: string): void,
 *   answered?(name: string | undefined): void, plays?(): void, goesAhead?(): void, close?(): void,
 * }} View
 * @typedef {(message: any, buffers?: (ArrayBuffer | DataView)[]) => void} Listener
 * What anywidget hands over, or what stands in for it on a page.
 * @typedef {{
 *   get(name: string): any, send(message: any, callbacks?: any): void,
 *   on(name: string, listener: Listener): void, off(name: string, listener: Listener): void,
 * }} Model
 */

/**
 * Values that Python sends, by part; the classes of the same names are in `calamity_lab.views`.
 * @typedef {"aggregate" | "process manager"} StreamKind
 * @typedef {{ name: string, last: number, parent: string | null, forked_at: number, current: boolean }} Branch
 * @typedef {{
 *   cursor: number, last: number, at_start: boolean, at_end: boolean, sentence: string, tone: string, branch: string,
 *   command_number: number, commands: number, ticks: number[], rejections: number[], branches: Branch[],
 * }} Controls
 * @typedef {{ cursor: number, last: number, sentence: string, tone: string, at_end?: boolean }} Fact
 * @typedef {{ shown: string, there: string[] }} Tabs
 * @typedef {{ place: number, sentence: string }} Pointed
 *
 * @typedef {{
 *   command_id: string, command: string, target: string, fields: string, origin: string, sender: string | null,
 *   cause: number | null, depth: number, outcome: string, preview: string,
 * }} Entry
 * @typedef {{ total: number, in_progress: Entry | null, entries: Entry[] }} Agenda
 *
 * @typedef {{
 *   name: string, kind: string, required: boolean, default: any, options: string[], hint: string, optional: boolean,
 *   fields: FormField[], item: FormField | null,
 * }} FormField
 * @typedef {{ command: string, target: string, doc: string, fields: FormField[] }} CommandForm
 * @typedef {{ forms: CommandForm[], errors: Record<string, string>, sent: number }} FormView
 *
 * @typedef {{
 *   kind: "numbers" | "changes", versions: number[], moments: (number | null)[], values: string[],
 *   heights: (number | null)[], past: number, least: string, most: string, every: number, earlier: number,
 * }} FieldHistory
 * @typedef {{
 *   name: string, value: string, before: string | null, changed: boolean, path: string, depth: number, inner: number,
 *   is_open: boolean, gone: boolean, whole: string | null, history: FieldHistory | null,
 * }} FieldRow
 * @typedef {{
 *   version: number, first: number, last: number, event: string, moment: number | null, is_future: boolean,
 *   why: string,
 * }} AsOf
 * @typedef {{
 *   stream_id: string, category: string, kind: StreamKind, version: number, changed: boolean, is_new: boolean,
 *   gone: boolean, fields: FieldRow[], as_of: AsOf | null, note: string, pinned?: boolean,
 * }} StateRow
 * @typedef {{
 *   query: string, total: number, matching: number, first: number, rows: StateRow[], pinned: StateRow[],
 *   unfolded: [string, string][], histories: [string, string][], as_of: [string, number][],
 * }} StateView
 *
 * @typedef {{ stream_id: string, category: string, kind: StreamKind }} Lane
 * @typedef {{
 *   kept: number[], columns: ArrayLike<number>[], lanes: Lane[], names: string[], count: number[],
 * }} ChartPatch
 * @typedef {{ cause: number, effect: number, leads_here: boolean }} Arrow
 * @typedef {{
 *   kind: string, title: string, detail: string, moment: number | null, first: number, last: number, mark: number,
 *   position: number | null, until: number | null, command: string, streams: string[], arrows: Arrow[],
 * }} Selected
 *
 * @typedef {{
 *   position: number, stream_id: string, version: number, type: string, fields: string, command: string,
 *   correlation: string, recorded_at: string, moment: number, is_past: boolean,
 * }} EventRow
 * @typedef {{ total: number, now: number, first: number, rows: EventRow[] }} EventTable
 *
 * @typedef {{
 *   key: string, kind: string, shape: string, label: string, told: string, moment: number | null, is_past: boolean,
 *   stream_id: string | null, position: number | null, place: number | null, command_id: string | null,
 * }} Hit
 * @typedef {{ kind: string, total: number, shown: number }} HitGroup
 * @typedef {{
 *   query: string, sentence: string, total: number, groups: HitGroup[], hits: Hit[], before: Hit | null,
 *   after: Hit | null,
 * }} Found
 *
 * @typedef {{ key: string, standing: string, times: number, told: string, instead: boolean }} StandingMark
 * @typedef {{
 *   key: string, kind: string, name: string, x: number, y: number, count: number, current: boolean,
 * }} GraphNode
 * @typedef {{ source: string, target: string, label: string, count: number }} GraphEdge
 * @typedef {{ id: string, stream_id: string, stage: string, status: string, started: number, lane: number }} Instance
 * @typedef {{
 *   width: number, height: number, headings: { x: number, text: string }[],
 *   boxes: { key: string, x: number, y: number, outline: string, lines: string[] }[],
 *   ways: { key: string, line: string, tip: number[], word: number[] | null }[],
 * }} GraphScene
 * @typedef {{
 *   managers: string[], manager: string, nodes: GraphNode[], edges: GraphEdge[], instances: Instance[],
 *   chosen: string | null, marks: StandingMark[], told: string, since: number | null, then: number | null,
 *   overdue: boolean, about: string[], cursor: number, now: number | null, scene: GraphScene,
 * }} ProcessGraph
 *
 * @typedef {{ name: string, category: string, kind: string }} Participant
 * @typedef {{
 *   key: string, kind: string, source: number, target: number, label: string, detail: string, note: string,
 *   moment: number | null, tense: "past" | "now" | "future",
 * }} Message
 * @typedef {{
 *   title: string, correlation: string, total: number, first: number, commands: number,
 *   participants: Participant[], messages: Message[],
 * }} SequenceView
 *
 * @typedef {{
 *   controls?: Controls, fact?: Fact, tabs?: Tabs, pointed?: Pointed, agenda?: Agenda, form?: FormView,
 *   state?: StateView, selected?: Selected, events?: EventTable, found?: Found, process_graph?: ProcessGraph,
 *   sequence?: SequenceView, chart?: any,
 * }} Values
 */

/**
 * What a page carries of a run: see `page/recording.py`. What is selected is told by the number of a row.
 * @typedef {{ hit: Hit, text: string }} Findable
 * @typedef {{
 *   start: number, last: number, pending: number, tabs: string[], moments: number[], over: number[], out: number[],
 *   back_over: number[], events: EventRow[], chart: ChartPatch, found: { streams: Findable[], rejections: Findable[] },
 *   selected: { places: Record<number, number>, streams: Record<string, number> },
 *   steps: Record<string, Record<string, any>>[], rows: any[],
 * }} Packed
 * @typedef {{ place?: number, until?: number, position?: number, stream_id?: string }} Picked
 */

/**
 * What Python tells of `calamity_lab.views.looks` and `lanes`: shapes and words by kind, signs by standing, and the
 * numbers by which everything is put in the lanes.
 * @typedef {{
 *   kinds: Record<string, { shape: string, word: string, short: string }>,
 *   reactions: string[], inLanes: string[], drawnAs: Record<string, string>,
 *   signs: Record<string, { word: string, line: string, outline: string }>,
 *   graph: { boxWide: number, boxHigh: number, nameRoom: number },
 *   lanes: { most: number, folded: number, leastGap: number, ahead: number },
 * }} Looks
 */

/**
 * Something in the lanes. `place` is an event's number among all, from 1, or a moment, negated.
 * @typedef {{ place: number, kind: string, name: string, lane: number, moment: number }} ChartMark
 * @typedef {{ place: number, kind: number, lane: number, moment: number, x: number, y: number }} DrawnMark
 * @typedef {{ x: number, y: number }} Point
 */
export {};
