// A page that shows what a kernel sends, as JupyterLab would, but with nothing around it.
// Python calls `takeOver` with what has happened; `python` brings it what a widget says, and answers likewise.

const VIEW = "application/vnd.jupyter.widget-view+json";
const POLL = 100;

const models = new Map();
const modules = new Map();
let turn = Promise.resolve();

function ask(message) {
  turn = turn.then(async () => window.takeOver(await window.python(message)));
  return turn;
}

// Values of bytes come as text.
function revived(value) {
  if (typeof value?.base64 === "string") {
    return new DataView(Uint8Array.from(atob(value.base64), (letter) => letter.charCodeAt(0)).buffer);
  }
  if (Array.isArray(value)) return value.map(revived);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, revived(each)]));
}

class Model {
  constructor(id) {
    this.id = id;
    this.state = {};
    this.listeners = [];
  }

  get(name) {
    return this.state[name];
  }

  on(name, listen) {
    this.listeners.push([name, listen]);
  }

  off(name, listen) {
    this.listeners = this.listeners.filter((each) => each[0] !== name || each[1] !== listen);
  }

  send(content) {
    ask({ model: this.id, content });
  }

  tell(name, ...given) {
    for (const [heard, listen] of this.listeners) if (heard === name) listen(...given);
  }
}

async function draw(el, model) {
  const { _esm: script, _css: sheet } = model.state;
  if (!modules.has(script)) {
    document.head.append(Object.assign(document.createElement("style"), { textContent: sheet }));
    modules.set(script, import(URL.createObjectURL(new Blob([script], { type: "text/javascript" }))));
  }
  const { default: widget } = await modules.get(script);
  el.undraw = widget.render({ model, el });
}

function text(content) {
  return Object.assign(document.createElement("pre"), { textContent: content });
}

function drawn({ output_type: kind, data = {}, text: printed = "", traceback = [] }) {
  const el = Object.assign(document.createElement("div"), { className: "jp-OutputArea-output" });
  const model = models.get(data[VIEW]?.model_id);
  if (model?.state._esm) draw(el, model);
  else if (data["text/html"]) el.innerHTML = data["text/html"];
  else el.append(text(kind === "error" ? traceback.join("\n") : (data["text/plain"] ?? printed)));
  return el;
}

const area = (cell) => document.querySelectorAll(".jp-Cell-outputArea")[cell];
const undraw = (output) => output.querySelector(".jp-OutputArea-output")?.undraw?.();

const EVENTS = {
  addCell() {
    const cell = Object.assign(document.createElement("section"), { className: "jp-Cell" });
    cell.innerHTML = '<div class="jp-OutputArea jp-Cell-outputArea"></div>';
    document.querySelector("main").append(cell);
  },

  clear(cell) {
    [...area(cell).children].forEach(undraw);
    area(cell).replaceChildren();
  },

  show(cell, place, output) {
    const child = area(cell).children[place] ?? document.createElement("div");
    undraw(child);
    child.className = "jp-OutputArea-child";
    child.replaceChildren(drawn(output));
    area(cell).append(child);
  },

  keep(id, state) {
    if (!models.has(id)) models.set(id, new Model(id));
    const changed = revived(state);
    Object.assign(models.get(id).state, changed);
    for (const name of Object.keys(changed)) models.get(id).tell(`change:${name}`);
  },

  hear(id, content, buffers) {
    models.get(id).tell("msg:custom", content, revived(buffers));
  },
};

window.takeOver = (events) => {
  for (const [name, ...given] of JSON.parse(events)) EVENTS[name](...given);
};

// What nobody has asked for, such as a preview that comes late.
async function poll() {
  for (;;) {
    await new Promise((resolve) => {
      setTimeout(resolve, POLL);
    });
    await ask(null);
  }
}
poll();
