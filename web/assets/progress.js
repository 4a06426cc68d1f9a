// Follows a job until it ends, over its event stream, and then shows the page anew.

import { find } from "./page.js";

const EVENTS = ["queued", "processing", "progress"];
const ENDS = ["succeeded", "failed", "canceled", "expired"];
const POLL_MS = 1000;

const panel = find("#progress");
const stages = JSON.parse(panel.dataset.stages);
const waiting = JSON.parse(panel.dataset.waiting);
const since = performance.now();

setInterval(() => {
  find("#elapsed").textContent = `· ${Math.round((performance.now() - since) / 1000)} s`;
}, 1000);
follow();

function follow() {
  const source = new EventSource(panel.dataset.events);
  source.onopen = () => tell("");
  source.onerror = () => {
    tell("The connection is lost. Trying to reach the server again …");
    // A browser gives up on a stream that was refused; asking for the job itself goes on.
    if (source.readyState === EventSource.CLOSED) setTimeout(poll, POLL_MS);
  };
  for (const name of EVENTS) {
    source.addEventListener(name, ({ data }) => show(JSON.parse(data)));
  }
  for (const name of ENDS) {
    source.addEventListener(name, () => {
      source.close();
      location.reload();
    });
  }
}

async function poll() {
  try {
    const answer = await fetch(panel.dataset.self);
    if (answer.ok) {
      const job = await answer.json();
      tell("");
      show(job);
      if (ENDS.includes(job.status)) location.reload();
    } else if (answer.status < 500) {
      location.reload();
    }
  } catch {
    tell("The connection is lost. Trying to reach the server again …");
  }
  setTimeout(poll, POLL_MS);
}

function show({ status, progress, waiting_for: why }) {
  find("#why").textContent = waiting[why] ?? "";
  if (status === "processing") {
    find("#status").textContent = "Working";
    find("#status").className = "badge processing";
  }
  if (!progress) return;
  const { stage, samples_done: done, samples_limit: limit } = progress;
  find("#stage").textContent = stages[stage] ?? stage;
  if (!limit) return;
  Object.assign(find("#bar"), { max: limit, value: done });
  find("#count").textContent = `${done} of at most ${limit} samples`;
}

function tell(text) {
  find("#lost").textContent = text;
}
