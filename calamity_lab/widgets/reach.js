// How much of a list is asked for: as much as can be seen, and more as somebody scrolls there. What is not on the page
// costs a step nothing, neither here nor in Python.

// How far below what is in sight there is something already, so that the focus can go on to it.
const BELOW = 120;

class Reach {
  /**
   * `least` is how many there are at first, `room` about how high one of them is, in pixels, which stands in for those
   * that are not there, and `ask` asks for so many.
   */
  constructor(scroll, { least, room, ask }) {
    Object.assign(this, { scroll, room, ask, least });
    this.wanted = least;
    // So many fill what is in sight, as long as nobody has scrolled.
    this.filled = least;
    this.there = 0;
    this.all = 0;
    this.rest = make("div", { "aria-hidden": "true" });
    this.observer = new IntersectionObserver((seen) => { if (seen.at(-1).isIntersecting) this.grow(); }, { root: scroll, rootMargin: `0px 0px ${BELOW}px` });
    scroll.addEventListener("scroll", () => this.restAtTop(), { passive: true });
  }

  close() {
    this.observer.disconnect();
  }

  /** Hears how many there are now, of so many that there could be. */
  told(there, all) {
    if (this.there === there && this.all === all) return;
    Object.assign(this, { there, all });
    this.rest.style.height = `${Math.max(0, all - there) * this.room}px`;
    // What stays in sight is told once only.
    this.observer.unobserve(this.rest);
    this.observer.observe(this.rest);
  }

  /** Asks for so many at least; tells whether there are fewer. */
  include(wanted) {
    const lacks = wanted > this.there && this.there < this.all;
    if (lacks) this.want(wanted);
    return lacks;
  }

  grow() {
    if (this.there >= this.all) return;
    this.want(this.there + this.least);
    if (this.scroll.scrollTop === 0) this.filled = this.wanted;
  }

  /** At the top again, what came on the way down goes, but for what has the focus. */
  restAtTop() {
    if (this.scroll.scrollTop > 0) return;
    const focused = this.scroll.getRootNode().activeElement;
    if (this.there > this.filled && !(focused && this.scroll.contains(focused))) this.want(this.filled);
  }

  want(wanted) {
    this.wanted = wanted;
    this.ask(wanted);
  }
}
