// The page itself: unpacks the run that it carries and draws the lab on it. Its address may end in #moment.

async function open() {
  const place = document.querySelector("#lab");
  const recording = await unpack(JSON.parse(document.querySelector("#run").textContent).deflated);
  const model = new RecordedModel(recording, remember);
  model.goto(asked() ?? model.moment);
  render({ model, el: place });
  addEventListener("hashchange", () => model.jump(asked() ?? model.moment));
}

/** The moment that the address asks for. */
function asked() {
  const found = /^#(\d{1,12})$/.exec(location.hash);
  return found && Number(found[1]);
}

let resting = 0;

/** Lets the address tell the moment, so that a link can lead to it; not at each of a drag's many moments. */
function remember(moment) {
  clearTimeout(resting);
  resting = setTimeout(() => history.replaceState(null, "", `#${moment}`), 250);
}

open().catch((error) => {
  document.documentElement.classList.add("cl-broken");
  document.querySelector("#lab").append(make("p", { class: "cl-page-error", role: "alert", text: `This run cannot be shown here: ${error.message}` }));
});
