// The page of an explanation: pointing at segments, styles, classes, sharing.

import { ask, find, findAll, make, roving, signed } from "./page.js";
import { drawLegend, STYLES } from "./paint.js";
import { loadEvidence } from "./evidence.js";
import { Readout } from "./readout.js";
import { Stage } from "./stage.js";

const stageElement = find("#stage");
const panels = findAll(".class");
const state = { style: "signed", panel: panels[0] };

start().catch((error) => {
  find("#stage-error").textContent = `The segments cannot be shown. ${error.message}`;
});
tabs();
sharing();

async function start() {
  const evidence = await loadEvidence(stageElement.dataset);
  const chosen = () => evidence.classes.get(state.panel.dataset.class);
  const readout = new Readout(find("#readout"), find("#spoken"), evidence, chosen);
  const stage = new Stage(stageElement, {
    segments: evidence.segments,
    photo: evidence.photo,
    label: "The image and its segments. Arrow keys go from segment to segment, Home to the strongest.",
    strongest: () => chosen().order[0],
    onShow: (segment, how) => {
      readout.show(segment, how);
      mark(evidence.numbers[segment]);
    },
  });
  const draw = () => {
    const style = STYLES[state.style];
    const { attributions } = chosen();
    stage.drawPhoto(style);
    stage.drawOverlay(style.table(attributions), style);
    drawLegend(find("#legend"), style.legend(attributions), signed);
    readout.show(stage.shown, {});
  };
  styles(draw);
  bars(stage, evidence.numbers);
  document.addEventListener("class-chosen", draw);
  find("#opacity").addEventListener("input", ({ target }) => (stage.opacity = target.value / 100));
  stage.opacity = find("#opacity").value / 100;
  find("#tools").hidden = false;
  draw();
  stageElement.dataset.ready = "yes";
}

function styles(draw) {
  const row = find("#styles");
  const choose = (button) => {
    state.style = button.dataset.style;
    for (const one of row.children) {
      one.setAttribute("aria-checked", String(one === button));
      one.tabIndex = one === button ? 0 : -1;
    }
    draw();
  };
  for (const [name, { title }] of Object.entries(STYLES)) {
    const button = make("button", { type: "button", role: "radio", "data-style": name }, title);
    button.setAttribute("aria-checked", String(name === state.style));
    button.tabIndex = name === state.style ? 0 : -1;
    button.addEventListener("click", () => choose(button));
    row.append(button);
  }
  roving(row, choose);
}

function bars(stage, numbers) {
  for (const bar of findAll(".bar")) {
    const segment = numbers.indexOf(Number(bar.dataset.segment));
    bar.addEventListener("pointerenter", () => stage.show(segment));
    bar.addEventListener("pointerleave", () => stage.show(stage.pinned));
    bar.addEventListener("focus", () => stage.show(segment));
    bar.addEventListener("click", () => stage.pin(segment));
  }
}

function mark(number) {
  for (const bar of findAll(".bar", state.panel)) {
    bar.classList.toggle("is-shown", bar.dataset.segment === String(number));
  }
}

function tabs() {
  const row = find("#tabs");
  if (!row) return;
  const choose = (tab) => {
    for (const one of row.children) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
    }
    for (const panel of panels) panel.hidden = panel.dataset.class !== tab.dataset.class;
    state.panel = panels.find((panel) => !panel.hidden);
    const compare = find("#compare-a");
    if (compare) compare.value = `${compare.value.split(":")[0]}:${tab.dataset.class}`;
    document.dispatchEvent(new Event("class-chosen"));
  };
  for (const tab of row.children) tab.addEventListener("click", () => choose(tab));
  roving(row, choose);
  row.hidden = false;
  find(".findings").classList.add("is-tabbed");
  choose(row.children[0]);
}

function sharing() {
  const form = find("#share");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = find("#share-said");
    try {
      const { link } = await (await ask(form.action, { method: "POST" })).json();
      const field = find("#link");
      [field.value, field.hidden] = [link, false];
      field.select();
      said.textContent = await copied(link);
    } catch (error) {
      said.textContent = error.message;
    }
  });
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied.";
  } catch {
    return "Copy it from the field.";
  }
}
