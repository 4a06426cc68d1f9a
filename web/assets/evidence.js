// Fetches what is drawn from: the figures, the label map, the photograph.

import { ask } from "./page.js";
import { readLabelMap } from "./labelmap.js";
import { Regions } from "./regions.js";

// Pixels of the longest side that regions are looked up and painted in.
const LONGEST = 2048;

/** Load the evidence that an element names in its data. */
export async function loadEvidence({ image, segments, attributions }) {
  const [figures, map, photo] = await Promise.all([
    ask(attributions).then((answer) => answer.json()),
    ask(segments).then((answer) => answer.arrayBuffer()),
    loadPhoto(image),
  ]);
  const regions = new Regions(await readLabelMap(map, LONGEST));
  return { regions, photo, areas: figures.areas, classes: new Map(figures.classes.map(byIndex)) };
}

const byIndex = (one) => [String(one.class_index), ranked(one)];

/** Add the rank of each region, from 1, by |attribution|. */
function ranked(one) {
  const order = one.attributions
    .map((value, segment) => [Math.abs(value), segment])
    .sort((a, b) => b[0] - a[0] || a[1] - b[1])
    .map(([, segment]) => segment);
  const ranks = [];
  order.forEach((segment, at) => (ranks[segment] = at + 1));
  return { ...one, ranks, order };
}

/** A browser that cannot show the upload shows the regions all the same. */
function loadPhoto(path) {
  return new Promise((resolve) => {
    const photo = new Image();
    photo.onload = () => resolve(photo);
    photo.onerror = () => resolve(null);
    photo.src = path;
  });
}
