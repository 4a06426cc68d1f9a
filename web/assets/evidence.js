// Fetches what is drawn from: the figures, the label map, the photograph.

import { ask } from "./page.js";
import { readLabelMap, UNSEEN } from "./labelmap.js";
import { Segments } from "./segments.js";

// Pixels of the longest side that segments are looked up and painted in.
const LONGEST = 2048;

/** Load the evidence that an element names in its data. */
export async function loadEvidence({ image, segments: labelMap, attributions }) {
  const [figures, map, photo] = await Promise.all([
    ask(attributions).then((answer) => answer.json()),
    ask(labelMap).then((answer) => answer.arrayBuffer()),
    loadPhoto(image),
  ]);
  // Older results have no numbers of their own: a segment is called by its place.
  const numbers = figures.segment_numbers ?? figures.areas.map((_, place) => place);
  const segments = new Segments(byPlace(await readLabelMap(map, LONGEST), numbers));
  return { segments, photo, numbers, areas: figures.areas, classes: new Map(figures.classes.map(byIndex)) };
}

/** Put each segment's place among the figures where the map has its number. */
function byPlace({ labels, ...size }, numbers) {
  const places = new Uint16Array(UNSEEN + 1).fill(UNSEEN);
  numbers.forEach((number, place) => (places[number] = place));
  return { ...size, labels: labels.map((number) => places[number]) };
}

const byIndex = (one) => [String(one.class_index), ranked(one)];

/** Add the rank of each segment, from 1, by |attribution|. */
function ranked(one) {
  const order = one.attributions
    .map((value, segment) => [Math.abs(value), segment])
    .sort((a, b) => b[0] - a[0] || a[1] - b[1])
    .map(([, segment]) => segment);
  const ranks = [];
  order.forEach((segment, at) => (ranks[segment] = at + 1));
  return { ...one, ranks, order };
}

/** A browser that cannot show the upload shows the segments all the same. */
function loadPhoto(path) {
  return new Promise((resolve) => {
    const photo = new Image();
    photo.onload = () => resolve(photo);
    photo.onerror = () => resolve(null);
    photo.src = path;
  });
}
