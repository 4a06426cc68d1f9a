// Segments of a label map: which lies where, where their edges run, and which is next to which.

import { UNSEEN } from "./labelmap.js";

export class Segments {
  constructor({ labels, width, height }) {
    this.labels = labels;
    this.width = width;
    this.height = height;
    this.centres = centresOf(labels, width);
    // All outlines are made beforehand, so that pointing at a segment has only to draw one.
    this.outlines = outlinesOf(edgesOf(labels, width, height));
  }

  /** The segment at a place given in shares of the width and the height, or null. */
  at(x, y) {
    const column = Math.min(this.width - 1, Math.max(0, Math.floor(x * this.width)));
    const row = Math.min(this.height - 1, Math.max(0, Math.floor(y * this.height)));
    const label = this.labels[row * this.width + column];
    return label === UNSEEN ? null : label;
  }

  /** The outline of a segment, in pixels of the map. */
  outline(label) {
    return this.outlines.get(label);
  }

  /** The nearest segment whose centre lies in a direction, or the same if there is none. */
  beside(label, [dx, dy]) {
    const from = this.centres.get(label);
    let best = label;
    let least = Infinity;
    for (const [other, to] of this.centres) {
      const along = (to.x - from.x) * dx + (to.y - from.y) * dy;
      const across = Math.abs((to.x - from.x) * dy) + Math.abs((to.y - from.y) * dx);
      const far = along + 2 * across;
      if (other !== label && along > 0 && across <= 2 * along && far < least) {
        [best, least] = [other, far];
      }
    }
    return best;
  }
}

function centresOf(labels, width) {
  const [x, y, count] = [0, 1, 2].map(() => new Float64Array(UNSEEN + 1));
  // Run by run: a map has millions of pixels and far fewer changes along its rows.
  for (let row = 0, start = 0; start < labels.length; row += 1, start += width) {
    for (let from = 0, to = 1; from < width; from = to, to += 1) {
      const label = labels[start + from];
      while (to < width && labels[start + to] === label) to += 1;
      const pixels = to - from;
      x[label] += (pixels * (from + to - 1)) / 2;
      y[label] += pixels * row;
      count[label] += pixels;
    }
  }
  const centres = new Map();
  for (let label = 0; label < UNSEEN; label += 1) {
    if (count[label]) centres.set(label, { x: x[label] / count[label], y: y[label] / count[label] });
  }
  return centres;
}

function outlinesOf(edges) {
  const outlines = new Map();
  for (const [label, pieces] of edges) {
    const path = new Path2D();
    for (let at = 0; at < pieces.length; at += 4) {
      path.moveTo(pieces[at], pieces[at + 1]);
      path.lineTo(pieces[at + 2], pieces[at + 3]);
    }
    outlines.set(label, path);
  }
  return outlines;
}

/** By label, x0 y0 x1 y1 of each straight piece of its edge. */
function edgesOf(labels, width, height) {
  const edges = new Map();
  const add = (label, ...piece) => {
    if (label === UNSEEN) return;
    const known = edges.get(label);
    if (known) known.push(...piece);
    else edges.set(label, piece);
  };
  edgesBetweenRows(labels, width, height, add);
  edgesBetweenColumns(labels, width, height, add);
  return edges;
}

/** Pieces that run along rows: a piece goes on as long as the same two labels meet. */
function edgesBetweenRows(labels, width, height, add) {
  for (let y = 0; y <= height; y += 1) {
    let [above, below, from] = [UNSEEN, UNSEEN, 0];
    for (let x = 0, index = y * width; x <= width; x += 1, index += 1) {
      const a = x < width && y > 0 ? labels[index - width] : UNSEEN;
      const b = x < width && y < height ? labels[index] : UNSEEN;
      if (a === above && b === below) continue;
      if (above !== below) {
        add(above, from, y, x, y);
        add(below, from, y, x, y);
      }
      above = a;
      below = b;
      from = x;
    }
  }
}

/** Pieces that run along columns, all columns at once: memory is read in the order it lies in. */
function edgesBetweenColumns(labels, width, height, add) {
  const lefts = new Uint16Array(width + 1).fill(UNSEEN);
  const rights = new Uint16Array(width + 1).fill(UNSEEN);
  const starts = new Uint32Array(width + 1);
  for (let y = 0; y <= height; y += 1) {
    for (let x = 0, index = y * width; x <= width; x += 1, index += 1) {
      const a = y < height && x > 0 ? labels[index - 1] : UNSEEN;
      const b = y < height && x < width ? labels[index] : UNSEEN;
      if (a === lefts[x] && b === rights[x]) continue;
      if (lefts[x] !== rights[x]) {
        add(lefts[x], x, starts[x], x, y);
        add(rights[x], x, starts[x], x, y);
      }
      lefts[x] = a;
      rights[x] = b;
      starts[x] = y;
    }
  }
}
