// Says of one segment what is known: its rank, its attribution, its error.

import { make, number, signed, Z95 } from "./page.js";

export class Readout {
  /**
   * @param element where it is shown, and spoken: where it is told to screen readers
   * @param evidence areas and numbers of all segments
   * @param chosen returns the figures of the class that is shown
   */
  constructor(element, spoken, evidence, chosen) {
    Object.assign(this, { element, spoken, evidence, chosen });
    this.name = make("span", { class: "readout-name" });
    this.more = make("span", { class: "readout-more" });
    this.value = make("span", { class: "readout-value figure" });
    this.plot = make("svg", { width: "100%", height: "24", "aria-hidden": "true" });
    [this.zero, this.bar, this.whisker] = [
      make("line", { class: "zero", y1: "0", y2: "24" }),
      make("rect", { y: "6", height: "12" }),
      make("line", { class: "whisker", y1: "12", y2: "12" }),
    ];
    this.plot.append(this.zero, this.bar, this.whisker);
    element.replaceChildren(make("div", {}, this.name, make("br"), this.more), this.plot, this.value);
    element.hidden = false;
  }

  /** Show a segment; null says what to do. */
  show(segment, { announced = false } = {}) {
    const figures = this.chosen();
    const value = segment === null ? undefined : figures.attributions[segment];
    const known = value !== undefined;
    this.plot.toggleAttribute("hidden", !known);
    this.element.classList.toggle("is-for", known && value > 0);
    this.element.classList.toggle("is-against", known && value < 0);
    if (!known) {
      this.name.textContent = "Point at a segment";
      this.more.textContent = "or tap it, or use the arrow keys";
      this.value.textContent = "";
      return;
    }
    this.write(segment, value, figures);
    if (announced) this.spoken.textContent = this.sentence(segment, value, figures);
  }

  write(segment, value, figures) {
    const error = figures.standard_errors?.[segment];
    const sure = figures.sign_confidence?.[segment];
    const area = `${(100 * this.evidence.areas[segment]).toFixed(1)} % of the image`;
    const sign = sure === undefined ? "" : ` · sign ${Math.min(99.9, 100 * sure).toFixed(sure > 0.995 ? 1 : 0)} % sure`;
    this.name.textContent = `Segment ${this.evidence.numbers[segment]} · rank ${figures.ranks[segment]} of ${figures.ranks.length}`;
    this.more.textContent = area + sign;
    this.value.textContent = signed(value);
    if (error !== undefined) this.value.append(" ", make("small", {}, `± ${number(Z95 * error)}`));
    this.draw(value, error ?? 0, figures);
  }

  draw(value, error, figures) {
    const [low, high] = scaleOf(figures);
    const at = (figure) => `${(100 * (figure - low)) / (high - low)}%`;
    const half = Z95 * error;
    place(this.zero, { x1: at(0), x2: at(0) });
    place(this.bar, {
      x: at(Math.min(0, value)),
      width: `${(100 * Math.abs(value)) / (high - low)}%`,
      class: value > 0 ? "for" : "against",
    });
    place(this.whisker, { x1: at(value - half), x2: at(value + half) });
  }

  sentence(segment, value, figures) {
    const error = figures.standard_errors?.[segment];
    const margin = error === undefined ? "" : `, plus or minus ${number(Z95 * error)}`;
    const side = value > 0 ? "speaks for" : value < 0 ? "speaks against" : "has no say";
    return `Segment ${this.evidence.numbers[segment]}, rank ${figures.ranks[segment]}: ${signed(value)}${margin}, ${side}.`;
  }
}

const scales = new WeakMap();

/** The lowest and the highest end of any error bar of a class, zero among them. */
function scaleOf(figures) {
  if (!scales.has(figures)) {
    let [low, high] = [0, 0];
    figures.attributions.forEach((value, segment) => {
      const half = Z95 * (figures.standard_errors?.[segment] ?? 0);
      [low, high] = [Math.min(low, value - half), Math.max(high, value + half)];
    });
    scales.set(figures, low === high ? [0, 1] : [low, high]);
  }
  return scales.get(figures);
}

function place(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
}
