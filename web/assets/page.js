// What all scripts of the pages share: finding and making elements, asking the server, numbers.

export const find = (selector, within = document) => within.querySelector(selector);
export const findAll = (selector, within = document) => [...within.querySelectorAll(selector)];

/** Make an element. Text is text: nothing here is ever read as HTML. */
export function make(name, attributes = {}, ...children) {
  const svg = ["svg", "line", "rect"].includes(name);
  const element = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** A problem that the server tells, in its words. */
export class Problem extends Error {
  constructor(title, detail) {
    super(detail && detail !== title ? `${title}: ${detail}` : title);
  }
}

/** Ask the server; throws a Problem whose message can be shown as it is. */
export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, { ...options, headers: headersOf(options) });
  } catch {
    throw new Problem("The server cannot be reached. Is it running, and are you connected?");
  }
  if (!answer.ok) throw await problemOf(answer);
  return answer;
}

function headersOf(options) {
  const headers = { Accept: "application/json", ...options.headers };
  const token = document.body.dataset.csrf;
  if (token) headers["X-CSRF-Token"] = token;
  return headers;
}

async function problemOf(answer) {
  if (answer.status === 401) {
    return new Problem("You are no longer signed in. Load this page anew to sign in again.");
  }
  if (!(answer.headers.get("Content-Type") ?? "").includes("json")) {
    return new Problem(`The server answered ${answer.status}.`);
  }
  const { title, detail } = await answer.json();
  return new Problem(title, detail);
}

/** Write a size without its sign, like web.site.words.number. */
export function number(value) {
  const size = Math.abs(value);
  return size === 0 || (size >= 0.001 && size < 1e6) ? value.toFixed(3) : value.toExponential(1).replace("+", "");
}

/** Write an attribution with its sign. */
export function signed(value) {
  const sign = value > 0 ? "+" : value < 0 ? "−" : "";
  return sign + number(Math.abs(value));
}

/** Half of the 95% interval of a standard error. */
export const Z95 = 1.96;

/** Let arrow keys walk a row of controls of which one is chosen at a time. */
export function roving(row, choose) {
  row.addEventListener("keydown", (event) => {
    const items = [...row.children];
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const at = items.indexOf(document.activeElement);
    const to = { Home: 0, End: items.length - 1 }[event.key] ?? at + step;
    if (at < 0 || Number.isNaN(to)) return;
    event.preventDefault();
    const next = items[(to + items.length) % items.length];
    next.focus();
    choose(next);
  });
}
