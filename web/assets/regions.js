// Regions of a label map: which lies where, where their edges run, and which is next to which.

import { UNSEEN } from "./labelmap.js";

export class Regions {
  constructor({ labels, width, height }) {
    this.labels = labels;
    this.width = width;
    this.height = height;
    this.centres = centresOf(labels, width);
    // All outlines are made beforehand, so that pointing at a region has only to draw one.
    this.outlines = outlinesOf(edgesOf(labels, width, height));
  }

  /** The region at a place given in shares of the width and the height, or null. */
  at(x, y) {
    const column = Math.min(this.width - 1, Math.max(0, Math.floor(x * this.width)));
    const row = Math.min(this.height - 1, Math.max(0, Math.floor(y * this.height)));
    const label = this.labels[row * this.width + column];
    return label === UNSEEN ? null : label;
  }

  /** The outline of a region, in pixels of the map. */
  outline(label) {
    return this.outlines.get(label);
  }

  /** The nearest region whose centre lies in a direction, or the same if there is none. */
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
  const [x, y, count] = [0, 1, 2].map(() => new Float64Array(UNSEEN));
  for (let at = 0, column = 0, row = 0; at < labels.length; at += 1) {
    const label = labels[at];
    if (label !== UNSEEN) {
      x[label] += column;
      y[label] += row;
      count[label] += 1;
    }
    column += 1;
    if (column === width) [column, row] = [0, row + 1];
  }
  const centres = new Map();
  count.forEach((pixels, label) => {
    if (pixels) centres.set(label, { x: x[label] / pixels, y: y[label] / pixels });
  });
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
  const rows = { lines: height, length: width, along: 1, across: width };
  const columns = { lines: width, length: height, along: width, across: 1 };
  walk(labels, rows, (label, y, from, to) => add(label, from, y, to, y));
  walk(labels, columns, (label, x, from, to) => add(label, x, from, x, to));
  return edges;
}

/**
 * Walk along all lines between pixels in one direction, and tell where two labels meet.
 *
 * A map has millions of pixels: the loop makes nothing that would have to be collected.
 */
function walk(labels, { lines, length, along, across }, tell) {
  for (let line = 0; line <= lines; line += 1) {
    const hasBefore = line > 0;
    const hasAfter = line < lines;
    let before = UNSEEN;
    let after = UNSEEN;
    let from = 0;
    for (let at = 0, index = line * across; at <= length; at += 1, index += along) {
      const inside = at < length;
      const a = inside && hasBefore ? labels[index - across] : UNSEEN;
      const b = inside && hasAfter ? labels[index] : UNSEEN;
      if (a === before && b === after) continue;
      if (before !== after) {
        tell(before, line, from, at);
        tell(after, line, from, at);
      }
      before = a;
      after = b;
      from = at;
    }
  }
}
