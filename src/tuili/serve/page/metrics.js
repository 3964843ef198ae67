// Live figures from the server's metrics, read every two seconds while their panel is open.

import { byId, draw, make } from "./dom.js";
import { number, say } from "./language.js";
import { ask } from "./server.js";

const INTERVAL_MS = 2000;
const MAX_POINTS = 30; // of a sparkline
const [WIDTH, HEIGHT] = [96, 22]; // of a sparkline, in units of its view box

const ROWS = {
  requestsPerSecond: { digits: 1, compute: (now, before, seconds) => growth(now, before, "tuili_requests_total", answered) / seconds },
  tokensPerSecond: { digits: 0, compute: (now, before, seconds) => growth(now, before, "tuili_tokens_total", written) / seconds },
  waiting: { digits: 0, compute: (now) => total(now, "tuili_queue_waiting") },
  running: { digits: 0, compute: (now) => total(now, "tuili_rows_running") },
  depthNow: {
    digits: 1,
    compute: (now, before) =>
      growth(now, before, "tuili_token_depth_layers_sum") / growth(now, before, "tuili_token_depth_layers_count"),
  },
};

const answered = (labels) => labels.endpoint !== "other"; // neither the page nor what it reads here
const written = (labels) => labels.kind !== "prompt";

/** The samples of a text in Prometheus' format: name, labels, value. */
export function parse(metrics) {
  const samples = [];
  for (const line of metrics.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!match) continue;
    const pairs = [...(match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]);
    samples.push({ name: match[1], labels: Object.fromEntries(pairs), value: Number(match[3].replace("Inf", "Infinity")) });
  }
  return samples;
}

/** The sum of the samples of a name whose labels are wanted. */
export const total = (samples, name, wanted = () => true) =>
  samples.filter((sample) => sample.name === name && wanted(sample.labels)).reduce((sum, sample) => sum + sample.value, 0);

/** By how much a counter has grown. A smaller value than before means that the server was restarted, and counted from 0. */
function growth(now, before, name, wanted) {
  const [last, first] = [total(now, name, wanted), total(before, name, wanted)];
  return last < first ? last : last - first;
}

let before = null; // {samples, at}
let timer = 0;

/** Show the panel if the server gives metrics, and update it while it is open. */
export async function setUpMetrics() {
  const panel = byId("live");
  panel.hidden = (await read()) === null;
  panel.addEventListener("toggle", follow);
  document.addEventListener("visibilitychange", follow);
}

function follow() {
  clearTimeout(timer);
  if (byId("live").open && !document.hidden) tick();
}

async function tick() {
  const samples = await read();
  if (samples === null) byId("live").hidden = true;
  else {
    show(samples);
    clearTimeout(timer);
    if (byId("live").open && !document.hidden) timer = setTimeout(tick, INTERVAL_MS);
  }
}

/** The metrics of the server; null where it gives none. */
async function read() {
  try {
    return parse(await (await ask("metrics")).text());
  } catch {
    return null;
  }
}

const history = Object.fromEntries(Object.keys(ROWS).map((name) => [name, []]));

function show(samples) {
  const at = performance.now();
  const seconds = before ? (at - before.at) / 1000 : 0;
  for (const [name, row] of Object.entries(ROWS)) {
    const value = before || row.compute.length === 1 ? row.compute(samples, before?.samples, seconds) : NaN;
    history[name] = [...history[name], value].slice(-MAX_POINTS);
  }
  before = { samples, at };
  byId("live-rows").replaceChildren(
    ...Object.entries(ROWS).map(([name, { digits }]) => {
      const value = history[name].at(-1);
      const shown = Number.isFinite(value) ? number(value, digits) : "–";
      const figure = make("b", "", { textContent: shown });
      figure.dataset.row = name;
      return make("div", "", {}, say(make("dt"), name), make("dd", "", {}, sparkline(history[name]), figure));
    }),
  );
}

/** A small line chart of the values, without those that are not finite. */
function sparkline(values) {
  const highest = Math.max(...values.filter(Number.isFinite), 1e-9);
  const points = values.flatMap((value, index) =>
    Number.isFinite(value)
      ? [[WIDTH - 3 - ((values.length - 1 - index) * (WIDTH - 6)) / (MAX_POINTS - 1), HEIGHT - 3 - (value / highest) * (HEIGHT - 6)]]
      : [],
  );
  const path = points.map((point) => point.map((part) => part.toFixed(1)).join(",")).join(" ");
  const [x, y] = points.at(-1) ?? [-9, -9];
  return draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "spark", "aria-hidden": "true" },
    draw("polyline", { points: path }),
    draw("circle", { cx: x, cy: y, r: 2 }),
  );
}
