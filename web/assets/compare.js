// Two explanations on one colour scale, and their difference.

import { find, findAll, make, number, signed, Z95 } from "./page.js";
import { drawLegend, limitOf, paintPixels, signedColour, signedLegend, signedTable } from "./paint.js";
import { loadEvidence } from "./evidence.js";
import { Stage } from "./stage.js";
import { UNSEEN } from "./labelmap.js";

const OPACITY = 0.85;
const MOST_ROWS = 10;
const root = find("#compared");
const { mode, common } = root.dataset;

start().catch((error) => {
  find("#stage-error").textContent = `The comparison cannot be shown. ${error.message}`;
});

async function start() {
  const elements = findAll(".compared-side .stage");
  const sides = await Promise.all(elements.map(loadSide));
  const limits = sides.map(({ values }) => limitOf(values));
  const apart = mode === "segments" ? limitOf(sides[0].values.map((one, at) => one - sides[1].values[at])) : 0;
  const limit = Math.max(...limits, apart);
  sides.forEach((side, at) => {
    side.limit = common === "yes" ? limit : limits[at];
    side.stage = open(elements[at], side, sides);
    side.stage.drawOverlay(signedTable(side.values, side.limit));
  });
  if (mode !== "none") difference(sides, limit);
  legend(limit);
  root.dataset.ready = "yes";
}

async function loadSide(element) {
  const evidence = await loadEvidence(element.dataset);
  const figures = evidence.classes.get(element.dataset.class);
  // By pixel, a segment's attribution is spread over its area: for one percent of the image.
  const values =
    mode === "pixels"
      ? figures.attributions.map((one, segment) => (evidence.areas[segment] ? one / (100 * evidence.areas[segment]) : 0))
      : figures.attributions;
  return { ...evidence, figures, values, element, readout: readoutOf(element) };
}

const readoutOf = (element) => find(".side-readout", element.parentElement);

function open(element, side, sides) {
  const stage = new Stage(element, {
    segments: side.segments,
    photo: side.photo,
    label: "The image and its segments. Arrow keys go from segment to segment, Home to the strongest.",
    strongest: () => side.figures.order[0],
    onShow: (segment, { announced }) => {
      tell(side, segment);
      if (mode === "segments") together(sides, segment);
      if (announced) find("#spoken").textContent = side.readout.textContent;
    },
  });
  stage.drawPhoto({ grey: true });
  stage.opacity = OPACITY;
  return stage;
}

/** Where segments are the same, pointing at one points at it everywhere. */
function together(sides, segment) {
  for (const side of [...sides, ...(sides.extra ?? [])]) {
    if (side.stage && side.stage.shown !== segment) side.stage.show(segment);
  }
}

function tell(side, segment) {
  const value = segment === null ? undefined : side.values[segment];
  if (value === undefined) {
    side.readout.textContent = "\u00a0";
    return;
  }
  const error = mode === "pixels" ? undefined : side.errors?.[segment] ?? side.figures?.standard_errors?.[segment];
  const margin = error === undefined ? "" : ` ± ${number(Z95 * error)}`;
  const unit = mode === "pixels" ? " per 1 % of the image" : "";
  side.readout.textContent = `Segment ${side.numbers[segment]}: ${signed(value)}${margin}${unit}`;
}

function difference(sides, limit) {
  const element = find("#difference");
  if (mode === "pixels") {
    byPixel(element, sides, limit);
    return;
  }
  const [a, b] = sides;
  const values = a.values.map((one, segment) => one - b.values[segment]);
  // The errors of the two are taken as independent. Within one job they are not quite: the samples
  // are the same, and how two classes move together is not kept.
  const errors = values.map((_, segment) =>
    Math.hypot(a.figures.standard_errors?.[segment] ?? NaN, b.figures.standard_errors?.[segment] ?? NaN),
  );
  const order = values.map((_, segment) => segment).sort((x, y) => Math.abs(values[y]) - Math.abs(values[x]));
  const side = {
    segments: a.segments, photo: a.photo, areas: a.areas, numbers: a.numbers, values,
    errors: Number.isNaN(errors[0]) ? undefined : errors, figures: { order }, readout: readoutOf(element),
  };
  sides.extra = [side];
  side.stage = open(element, side, sides);
  side.stage.drawOverlay(signedTable(values, limit));
  table(side, sides, order);
}

function table(side, [a, b], order) {
  const head = make("tr", {}, ...["Segment", "Left", "Right", "Difference"].map((text) => make("th", { scope: "col" }, text)));
  const rows = order.slice(0, MOST_ROWS).map((segment) => {
    const error = side.errors?.[segment];
    const sure = error !== undefined && Math.abs(side.values[segment]) > Z95 * error;
    const margin = error === undefined ? "" : ` ± ${number(Z95 * error)}`;
    const cells = [signed(a.values[segment]), signed(b.values[segment]), signed(side.values[segment]) + margin];
    const row = make("tr", sure ? { class: "is-sure" } : {}, make("th", { scope: "row" }, String(side.numbers[segment])), ...cells.map((text) => make("td", {}, text)));
    row.addEventListener("pointerenter", () => side.stage.show(segment));
    return row;
  });
  const caption = make("caption", {}, "Where they differ most, with 95 % errors, taken as independent. Bold: more than the errors explain.");
  find("#differences").replaceChildren(
    make("table", { class: "differences" }, caption, make("thead", {}, head), make("tbody", {}, ...rows)),
  );
}

/** Segments differ, but the images have the same size, and so have the maps. */
function byPixel(element, [a, b], limit) {
  const at = (side, pixel) => {
    const label = side.segments.labels[pixel];
    return label === UNSEEN ? undefined : side.values[label];
  };
  const { width, height } = a.segments;
  const [base, overlay] = [0, 1].map(() => Object.assign(make("canvas", { "aria-hidden": "true" }), { width, height }));
  element.style.setProperty("--ratio", String(width / height));
  element.replaceChildren(base, overlay);
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", "Difference of the two, pixel by pixel");
  Stage.prototype.drawPhoto.call({ base, photo: a.photo }, { grey: true });
  overlay.style.opacity = String(OPACITY);
  paintPixels(overlay.getContext("2d"), { width, height }, (pixel) => {
    const [left, right] = [at(a, pixel), at(b, pixel)];
    return left === undefined || right === undefined ? [0, 0, 0, 0] : signedColour(left - right, limit);
  });
  element.addEventListener("pointermove", ({ clientX, clientY }) => {
    const box = element.getBoundingClientRect();
    const [x, y] = [((clientX - box.left) / box.width) * width, ((clientY - box.top) / box.height) * height].map(Math.floor);
    const pixel = Math.min(height - 1, Math.max(0, y)) * width + Math.min(width - 1, Math.max(0, x));
    const [left, right] = [at(a, pixel), at(b, pixel)];
    readoutOf(element).textContent = left === undefined || right === undefined ? "\u00a0" : `${signed(left)} less ${signed(right)}: ${signed(left - right)} per 1 % of the image`;
  });
}

function legend(limit) {
  if (common !== "yes") return;
  drawLegend(find("#legend"), signedLegend([], limit), signed);
}
