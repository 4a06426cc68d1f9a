// An image with its segments: three canvases, a pointer, and arrow keys.

import { paintSegments } from "./paint.js";

const DIRECTIONS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const LINE = 2.5;

export class Stage {
  /**
   * @param root the element to fill
   * @param segments Segments, and photo: an image that has loaded, or null
   * @param onShow called with the segment pointed at (or null), and whether by keys or a click
   */
  constructor(root, { segments, photo, label, strongest, onShow }) {
    this.root = root;
    this.segments = segments;
    this.photo = photo;
    this.strongest = strongest;
    this.onShow = onShow;
    this.shown = null;
    this.pinned = null;
    const { width, height } = segments;
    [this.base, this.overlay, this.lines] = [0, 1, 2].map(() => canvas(width, height));
    root.style.setProperty("--ratio", String(width / height));
    root.replaceChildren(this.base, this.overlay, this.lines);
    root.classList.add("is-live");
    root.tabIndex = 0;
    root.setAttribute("role", "application");
    root.setAttribute("aria-roledescription", "image with segments");
    root.setAttribute("aria-label", label);
    this.listen();
    new ResizeObserver(() => this.fit()).observe(root);
    this.fit();
  }

  /** Draw the photograph, in grey where its colours would be taken for the overlay's. */
  drawPhoto({ grey }) {
    const context = this.base.getContext("2d");
    const { width, height } = this.base;
    context.globalCompositeOperation = "source-over";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
    if (this.photo) context.drawImage(this.photo, 0, 0, width, height);
    if (!grey) return;
    context.globalCompositeOperation = "saturation";
    context.fillStyle = "#808080";
    context.fillRect(0, 0, width, height);
    // Paler, so that dark places take on a colour as well as light ones.
    context.globalCompositeOperation = "source-over";
    context.fillStyle = "rgb(255 255 255 / 28%)";
    context.fillRect(0, 0, width, height);
  }

  /** Lay colours over the segments, and draw all edges if asked to. */
  drawOverlay(table, { edges = false } = {}) {
    const context = this.overlay.getContext("2d");
    paintSegments(context, this.segments, table);
    if (edges) this.strokeAll(context);
  }

  strokeAll(context) {
    const line = Math.max(1, this.segments.width / 640);
    for (const [width, colour] of [[line * 2.5, "rgb(0 0 0 / 45%)"], [line, "#ffd600"]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      for (const outline of this.segments.outlines.values()) context.stroke(outline);
    }
  }

  set opacity(share) {
    this.overlay.style.opacity = String(share);
  }

  /** Point at a segment, or at none. */
  show(label, { announced = false } = {}) {
    if (label === this.shown && !announced) return;
    this.shown = label;
    this.outline(label);
    this.onShow(label, { announced });
  }

  outline(label) {
    const context = this.lines.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.lines.width, this.lines.height);
    if (label === null) return;
    const scale = this.lines.width / this.segments.width;
    const line = (LINE * devicePixelRatio) / scale;
    const path = this.segments.outline(label);
    context.scale(scale, scale);
    context.lineCap = "square";
    for (const [width, colour] of [[line * 2.2, "#14181d"], [line, "#d3e84a"]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.stroke(path);
    }
  }

  // The outline is drawn in the screen's own pixels, so that it is sharp at any size.
  fit() {
    const { width, height } = this.root.getBoundingClientRect();
    this.lines.width = Math.max(1, Math.round(width * devicePixelRatio));
    this.lines.height = Math.max(1, Math.round(height * devicePixelRatio));
    this.outline(this.shown);
  }

  listen() {
    this.root.addEventListener("pointermove", (event) => this.show(this.under(event)));
    this.root.addEventListener("pointerleave", () => this.show(this.pinned));
    this.root.addEventListener("click", (event) => {
      const label = this.under(event);
      this.pinned = label === this.pinned ? null : label;
      this.show(label, { announced: true });
    });
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    this.root.addEventListener("focus", () => {
      if (this.shown === null && this.root.matches(":focus-visible")) this.pin(this.strongest());
    });
  }

  under(event) {
    const { left, top, width, height } = this.root.getBoundingClientRect();
    return this.segments.at((event.clientX - left) / width, (event.clientY - top) / height);
  }

  onKey(event) {
    if (event.key === "Escape") {
      this.pinned = null;
      this.show(null, { announced: true });
      return;
    }
    const direction = DIRECTIONS[event.key];
    if (!direction && event.key !== "Home") return;
    event.preventDefault();
    const from = this.shown;
    this.pin(direction && from !== null ? this.segments.beside(from, direction) : this.strongest());
  }

  pin(label) {
    this.pinned = label;
    this.show(label, { announced: true });
  }
}

function canvas(width, height) {
  const made = document.createElement("canvas");
  [made.width, made.height] = [width, height];
  made.setAttribute("aria-hidden", "true");
  return made;
}
