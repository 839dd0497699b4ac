// Play: goes on by itself. One move is asked for at a time, and the next when the answer is drawn: nothing is
// queued, so that a pause holds at once. What became due in the meantime is asked for together.

const PACES = [
  { name: "1", text: "1 command/s", by: "step_over", perSecond: 1 },
  { name: "3", text: "3 commands/s", by: "step_over", perSecond: 3 },
  { name: "10", text: "10 commands/s", by: "step_over", perSecond: 10 },
  { name: "30", text: "30 commands/s", by: "step_over", perSecond: 30 },
  { name: "moments", text: "5 steps/s", by: "step_in", perSecond: 5 },
];
const USUAL = "3";
// Between an answer and the next move the page is painted, and hears what is pressed.
const BREATH = 16;

function mountPlay(desk) {
  const node = button({ icon: "play", text: "Play", kind: "cl-play", on: toggle });
  const speed = make("select", { class: "cl-input cl-select cl-speed", "aria-label": "Speed", title: "How fast it plays" },
    ...PACES.map(({ name, text }) => make("option", { value: name, text, selected: name === USUAL })));
  put(node, "aria-keyshortcuts", "p");
  const pace = () => PACES.find(({ name }) => name === speed.value);
  let playing = false;
  // The verb that Play has asked for and that is not answered, and what is to be said once it is.
  let open = null;
  let owed = null;
  let timer = 0;
  let due = 0;
  // Where the last answer left the cursor, and the fact there, without what Play put before it.
  let at = 0;
  let fact = null;
  let telling = false;

  function toggle() {
    if (playing) pause();
    else if (!isDisabled(node)) start();
  }
  function start() {
    playing = true;
    owed = null;
    due = performance.now();
    at = desk.values.controls.cursor;
    draw();
    for (const view of desk.views) view.plays?.();
    ask(desk.values.controls.at_end ? "restart" : "play");
  }
  function pause() {
    if (!playing) return;
    stop();
    // While an answer is on its way, the fact is not known yet.
    if (open) owed = "Paused";
    else tell("Paused");
  }
  function stop() {
    playing = false;
    clearTimeout(timer);
    draw();
  }
  function ask(verb) {
    open = verb;
    desk.send(verb, verb === "play" ? { by: pace().by, times: becomeDue() } : {});
  }
  /** How many moves are due. Of a long wait only a tenth of a second is made up for: the answer that a pause finds on its way is short, too. */
  function becomeDue() {
    const { perSecond } = pace();
    const now = performance.now();
    const times = clamp(1 + Math.floor(((now - due) * perSecond) / 1000), 1, Math.ceil(perSecond / 10));
    due = Math.max(due + (1000 * times) / perSecond, now);
    return times;
  }
  function wait() {
    clearTimeout(timer);
    timer = setTimeout(() => ask("play"), Math.max(BREATH, due - performance.now()));
  }
  function tell(why) {
    owed = null;
    telling = true;
    desk.apply({ controls: { sentence: `${why}. ${fact}`, tone: desk.values.controls.tone } });
    telling = false;
  }
  function draw() {
    node.firstChild.replaceWith(icon(playing ? "pause" : "play"));
    setText(node.lastChild, playing ? "Pause" : "Play");
    // What passes by is not read out; what stands there at rest is.
    put(desk.root.querySelector(".cl-foot"), "aria-busy", playing ? "true" : null);
    hint();
  }
  function hint() {
    const does = playing ? "Stay here" : desk.values.controls?.at_end ? "Once more, from the start" : "Go on by itself";
    put(node, "title", `${does} (p)`);
  }
  function answer(verb) {
    const { cursor, at_end: atEnd, tone } = desk.values.controls;
    at = cursor;
    if (tone === "error" || atEnd) {
      stop();
      tell(tone === "error" ? "Play stopped" : "Played to the end");
      return;
    }
    if (verb === "restart") due = performance.now() + 1000 / pace().perSecond;
    wait();
  }
  speed.addEventListener("change", () => {
    due = Math.min(due, performance.now() + 1000 / pace().perSecond);
    if (playing && !open) wait();
  });
  return {
    parts: ["controls"],
    node,
    speed,
    toggle,
    pause,
    close: stop,
    update(value, patch) {
      if (!telling && "sentence" in patch) fact = patch.sentence;
      disable(node, value.at_end && value.last === 0);
      hint();
      // Not as an answer: nothing was heard of Python for long.
      if (playing && patch.tone === "error" && desk.asks("play")) {
        stop();
        tell("Play stopped");
      }
    },
    /** Whoever asks for something else ends it; looking around does not, unless it leads elsewhere. */
    asked(name) {
      const looks = name.startsWith("look") || name === "select";
      if (playing && name !== open && !looks) stop();
    },
    answered(name) {
      const own = open !== null && name === open;
      if (own) open = null;
      if (playing && own) answer(name);
      else if (playing && desk.values.controls.cursor !== at) stop();
      else if (own && owed) tell(owed);
    },
  };
}
