// What tests of accessibility ask of a page. Each function takes the roots of widgets, and answers with words.
window.accessibility = (() => {
  const shown = (node) => node.checkVisibility({ visibilityProperty: true });
  const within = (roots, selector) => roots.flatMap((root) => [...root.querySelectorAll(selector)]).filter(shown);
  const outer = (node) => node.outerHTML.slice(0, 120);

  // Colours are numbers from 0 to 255 and an opacity; whatever CSS calls them, a canvas knows them.
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", {
    willReadFrequently: true,
  });
  const known = new Map();
  function parse(text) {
    if (!known.has(text)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = text;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(text, [r, g, b, a / 255]);
    }
    return known.get(text);
  }
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a)];

  function luminance(colour) {
    const [r, g, b] = colour.map((c) => (c <= 255 * 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  function contrast(one, other) {
    const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  }

  function middleIn(node, shape) {
    const [inner, outer] = [node.getBoundingClientRect(), shape.getBoundingClientRect()];
    const [x, y] = [inner.x + inner.width / 2, inner.y + inner.height / 2];
    return outer.left < x && x < outer.right && outer.top < y && y < outer.bottom;
  }

  /** What is painted behind all that is in a node, and how opaque that is; what many share is reckoned once. */
  function painted(node, reckoned) {
    if (!node) return { background: [255, 255, 255], opacity: 1 };
    if (!reckoned.has(node)) {
      const { background, opacity } = painted(node.parentElement, reckoned);
      const style = getComputedStyle(node);
      reckoned.set(node, { background: over(parse(style.backgroundColor), background),
        opacity: opacity * style.opacity });
    }
    return reckoned.get(node);
  }

  /** The fills of shapes that were drawn before a text in its own group, and so are behind it. */
  function shapesBehind(node) {
    const siblings = node.ownerSVGElement ? [...node.parentElement.children] : [];
    const shapes = siblings.slice(0, siblings.indexOf(node)).filter((each) =>
      each.matches("path, rect, circle") && middleIn(node, each)
    );
    return shapes.map((each) => getComputedStyle(each).fill).filter((fill) => fill !== "none").map(parse);
  }

  function contrastOf(node, colour, reckoned) {
    const { background: around, opacity } = painted(node, reckoned);
    // With forced colours the browser paints a background of its own behind text, whatever is there.
    const plate = matchMedia("(forced-colors: active)").matches
      ? parse(getComputedStyle(node.closest(".cl-root")).backgroundColor)
      : null;
    const background = plate ?? shapesBehind(node).reduce((below, fill) => over(fill, below), around);
    const [r, g, b, a] = parse(colour);
    return contrast(over([r, g, b, a * opacity], background), background);
  }

  /** Every text in sight: its node, its colour and its words; placeholders and what fields hold are texts too. */
  function texts(root) {
    const found = [];
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || node.closest("title, style, option") || !shown(node)) continue;
      const style = getComputedStyle(node);
      found.push([node, node.ownerSVGElement ? style.fill : style.color, walker.currentNode.data]);
    }
    for (const field of within([root], "input:not([type=range]), select")) {
      found.push([field, getComputedStyle(field).color, field.value]);
      if (field.placeholder) found.push([field, getComputedStyle(field, "::placeholder").color, field.placeholder]);
    }
    return found;
  }

  const OPERABLE = "button, a, input, select, summary, [role=tab], [role=option], [role=button], [tabindex='0']";
  const STOPS = "button, a, input, select, summary, [tabindex='0']";

  return {
    /** How many texts there are, and those whose contrast with their background is less than this. */
    faint: (roots, least) => {
      const [all, reckoned] = [roots.flatMap(texts), new Map()];
      const measured = all.map((
        [node, colour, words],
      ) => [contrastOf(node, colour, reckoned), words.trim().slice(0, 40), node]);
      const faint = measured.filter(([ratio]) => ratio < least);
      return [all.length, faint.map(([ratio, words, node]) => `${ratio.toFixed(2)}: ${words} in ${outer(node)}`)];
    },

    /** What can be pressed and is less than 24 pixels high or wide. */
    small: (roots) =>
      within(roots, OPERABLE)
        .map((node) => [node, node.getBoundingClientRect()])
        .filter(([, { width, height }]) => Math.min(width, height) < 23.99)
        .map(([node, { width, height }]) => `${width.toFixed(0)} by ${height.toFixed(0)}: ${outer(node)}`),

    /** What the Tab key must reach, numbered; of a list with one tab stop, the arrows do the rest. */
    stops: (roots) =>
      within(roots, STOPS)
        .filter((node) => !node.disabled && node.getAttribute("tabindex") !== "-1")
        .map((node, place) => {
          node.dataset.stop = place;
          return outer(node);
        }),

    /** The number of the stop that has the focus, and what it is if nobody can see that; null outside. */
    focused([root]) {
      const node = document.activeElement;
      if (!root.contains(node)) return null;
      // The scrubber shows it at its thumb, which no script can see.
      const seen = node === root || node.type === "range" || getComputedStyle(node).outlineStyle !== "none";
      return [node.dataset.stop ?? "", seen ? "" : outer(node)];
    },

    /** Of a list with one item that moves: the places there are, and those the arrow keys lead to. */
    walked([list]) {
      const press = (key) =>
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
      const option = list.querySelector("[tabindex='0']");
      const all = Number(option.getAttribute("aria-setsize"));
      option.focus();
      for (let n = 0; n < all; n += 1) press("ArrowLeft");
      const reached = new Set();
      for (let n = 0; n < all; n += 1) {
        reached.add(option.getAttribute("aria-posinset"));
        press("ArrowRight");
      }
      return [all, reached.size];
    },

    /** From now on, what a live region says. */
    listen([region]) {
      const said = [];
      region.heard = said;
      new MutationObserver(() => {
        const words = region.textContent.trim();
        if (words !== said.at(-1)) said.push(words);
      }).observe(region, { childList: true, characterData: true, subtree: true });
    },

    heard: ([region]) => region.heard,

    /** What moves by itself, or would at the next change. */
    moving: (roots) =>
      [...roots, ...within(roots, "*")].filter((node) =>
        [null, "::before", "::after"].some((part) => {
          const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(node, part);
          const takesTime = transitionDuration.split(", ").some((each) => parseFloat(each) > 0);
          return takesTime || animationName !== "none" || scrollBehavior === "smooth";
        })
      ).map(outer),

    /** How well a shape is seen on its background: the better of its fill and its line. */
    shapes: (roots, selector, reckoned = new Map()) =>
      within(roots, selector).map((node) => {
        const { fill, stroke } = getComputedStyle(node);
        const { background } = painted(node.ownerSVGElement, reckoned);
        return Math.max(
          ...[fill, stroke].filter((each) => each !== "none").map((each) =>
            contrast(over(parse(each), background), background)
          ),
        );
      }),
  };
})();
