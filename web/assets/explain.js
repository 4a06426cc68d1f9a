// The form of a new explanation: dropping and pasting, presets told, refusals before sending.

import { ask, find, findAll, make } from "./page.js";

const TYPES = ["image/png", "image/jpeg", "image/webp"];
const form = find("#explain");

if (form) {
  const presets = JSON.parse(form.dataset.presets);
  const error = find("#form-error");
  const say = (text) => (error.textContent = text);
  image(say);
  options(presets);
  labels();
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(say);
  });
}

function image(say) {
  const [drop, field, preview, text] = ["#drop", "#image", "#preview", "#drop-text"].map((one) => find(one));
  const choose = (file) => {
    const wrong = refusal(file);
    say(wrong ?? "");
    if (wrong) {
      field.value = "";
      return;
    }
    for (const one of findAll("[name=sample]:checked")) one.checked = false;
    show(preview, text, drop, { source: URL.createObjectURL(file), name: file.name });
  };
  field.addEventListener("change", () => field.files[0] && choose(field.files[0]));
  for (const [name, over] of [["dragenter", true], ["dragover", true], ["dragleave", false], ["drop", false]]) {
    drop.addEventListener(name, () => drop.classList.toggle("is-over", over));
  }
  // Anywhere on the page will do: who misses the area must not leave the page.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    take(field, event.dataTransfer.files, choose);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(field, event.clipboardData.files, choose);
  });
  for (const sample of findAll("[name=sample]")) {
    const shown = () => {
      field.value = "";
      say("");
      const name = find("span", sample.parentElement).textContent;
      show(preview, text, drop, { source: find("img", sample.parentElement).src, name });
    };
    sample.addEventListener("change", shown);
    if (sample.checked) shown();
  }
}

function take(field, files, choose) {
  if (!files.length) return;
  const one = new DataTransfer();
  one.items.add(files[0]);
  field.files = one.files;
  choose(files[0]);
}

/** Why a file cannot be sent, or null. The server looks at its bytes; this saves the way there. */
function refusal(file) {
  const most = Number(form.dataset.maxBytes);
  // Beside the image a request has its fields, which count as well.
  if (file.size > most - 4096) {
    return `${file.name} has ${megabytes(file.size)} and may have at most ${megabytes(most)}. Choose a smaller copy: a model looks at a few hundred pixels a side.`;
  }
  if (file.size === 0) return `${file.name} is empty.`;
  if (!TYPES.includes(file.type)) return `${file.name} is no PNG, JPEG or WebP image.`;
  return null;
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

function show(preview, text, drop, { source, name }) {
  if (preview.src.startsWith("blob:")) URL.revokeObjectURL(preview.src);
  preview.src = source;
  preview.hidden = false;
  drop.classList.add("is-filled");
  text.replaceChildren(make("b", { class: "clip" }, name), make("span", { class: "quiet" }, "Drop, paste or choose a file to take another."));
}

/** Say in each field what the preset has, and show only what belongs to the chosen methods. */
function options(presets) {
  const update = () => {
    const preset = presets[find("[name=preset]:checked").value];
    for (const field of findAll("[data-option]")) {
      const value = preset[field.dataset.option];
      const told = value === undefined ? "as the preset" : `as the preset: ${value}`;
      if (field.tagName === "SELECT") field.options[0].textContent = told;
      else field.placeholder = told;
    }
    for (const group of findAll(".methods")) {
      const { methodOf, method } = group.dataset;
      const chosen = find(`select[data-option="${methodOf}"]`).value || preset[methodOf];
      group.hidden = method !== chosen;
      for (const input of findAll("input, select", group)) input.disabled = group.hidden;
    }
  };
  form.addEventListener("change", update);
  update();
}

/** Offer the class names of the chosen model when somebody is about to type one. */
function labels() {
  const [model, list, field] = ["#model", "#labels", "#classes_named"].map((one) => find(one));
  let known = null;
  field.addEventListener("focus", async () => {
    if (known === model.value) return;
    known = model.value;
    try {
      const { labels: names } = await (await ask(`${form.dataset.models}/${encodeURIComponent(known)}`)).json();
      list.replaceChildren(...[...new Set(names ?? [])].map((value) => make("option", { value })));
    } catch {
      // Names can be typed without being offered; the server says which it does not know.
      list.replaceChildren();
    }
  });
}

async function send(say) {
  const button = find("#go");
  const has = find("#image").files.length || find("[name=sample]:checked") || find("#same");
  if (!has) {
    say("Choose an image first.");
    find("#image").focus();
    return;
  }
  say("");
  button.disabled = true;
  const label = button.textContent;
  button.textContent = "Sending …";
  try {
    const answer = await ask(form.action, { method: "POST", body: new FormData(form) });
    location.assign((await answer.json()).page);
  } catch (error) {
    say(error.message);
    button.disabled = false;
    button.textContent = label;
  }
}
