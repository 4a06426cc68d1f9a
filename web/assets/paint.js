// How figures become colours. Blue speaks for, orange against: any colour vision tells them apart.

import { UNSEEN } from "./labelmap.js";

const FOR = [0, 114, 178];
const AGAINST = [240, 134, 0];
const STRONGEST = 5;
// Sixteen steps of cividis, made to look the same with any colour vision.
const STEPS = [
  [0, 34, 78], [8, 47, 108], [43, 62, 109], [61, 75, 109], [77, 88, 109], [91, 102, 112],
  [105, 115, 116], [120, 129, 120], [135, 142, 120], [151, 157, 117], [168, 171, 112],
  [185, 187, 104], [203, 203, 92], [221, 219, 75], [241, 236, 49], [254, 253, 85],
];

/** By name: what it is called, whether the photograph loses its colour, and its colours. */
export const STYLES = {
  signed: { title: "For and against", grey: true, table: signedTable, legend: signedLegend },
  heat: { title: "Heat map", grey: true, table: heatTable, legend: heatLegend },
  strongest: { title: "Strongest", grey: false, table: strongestTable, legend: () => "The five that speak most for the class" },
  edges: { title: "Segments", grey: false, table: () => [], legend: () => "All segments, for and against alike", edges: true },
};

/** The largest |value|, which the colours are scaled to. */
export const limitOf = (values) => values.reduce((most, one) => Math.max(most, Math.abs(one)), 0);

/** Colour of one value against the largest, as red, green, blue, opacity. */
export function signedColour(value, limit) {
  const strength = limit > 0 ? Math.min(1, Math.abs(value) / limit) : 0;
  return [...(value > 0 ? FOR : AGAINST), Math.round(255 * strength)];
}

export function signedTable(values, limit = limitOf(values)) {
  return values.map((value) => signedColour(value, limit));
}

function heatTable(values) {
  const [low, high] = ends(values);
  return values.map((value) => [...step(high > low ? (value - low) / (high - low) : 0), 235]);
}

function strongestTable(values) {
  const least = [...values].sort((a, b) => b - a)[Math.min(STRONGEST, values.length) - 1];
  return values.map((value) => [12, 15, 18, value > 0 && value >= least ? 0 : 235]);
}

export function signedLegend(values, limit = limitOf(values)) {
  const colour = (value) => signedColour(value, limit);
  return { low: -limit, high: limit, ends: ["against", "for"], colour };
}

function heatLegend(values) {
  const [low, high] = ends(values);
  return { low, high, colour: (value) => [...step((value - low) / (high - low || 1)), 255] };
}

function ends(values) {
  return [Math.min(0, ...values), Math.max(0, ...values)];
}

function step(share) {
  return STEPS[Math.round(Math.min(1, Math.max(0, share)) * (STEPS.length - 1))];
}

/** Paint each pixel with the colour of its segment. */
export function paintSegments(context, { labels, width, height }, table) {
  const words = new Uint32Array(UNSEEN + 1);
  table.forEach((colour, label) => (words[label] = word(colour)));
  const picture = context.createImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let at = 0; at < labels.length; at += 1) pixels[at] = words[labels[at]];
  context.putImageData(picture, 0, 0);
}

/** Paint each pixel with the colour that a function gives it. */
export function paintPixels(context, { width, height }, colourAt) {
  const picture = context.createImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let at = 0; at < pixels.length; at += 1) pixels[at] = word(colourAt(at));
  context.putImageData(picture, 0, 0);
}

// The order of bytes in a pixel is fixed, that in a word is the machine's; ours are little-endian.
function word([red, green, blue, opacity]) {
  return ((opacity << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Draw the bar that says which colour means what, with its ends; or write what there is to say. */
export function drawLegend(element, legend, write) {
  element.replaceChildren();
  element.hidden = false;
  if (typeof legend === "string") {
    element.append(legend);
    return;
  }
  const bar = document.createElement("canvas");
  [bar.width, bar.height] = [256, 1];
  paintPixels(bar.getContext("2d"), bar, (x) =>
    legend.colour(legend.low + ((legend.high - legend.low) * x) / 255),
  );
  const [low, high] = legend.ends ?? ["", ""];
  element.append(`${write(legend.low)} ${low}`, bar, `${high} ${write(legend.high)}`);
}
