// What the server measures of itself, read every two seconds while the panel is open.

import { byId, draw, make } from "./dom.js";
import { number, say } from "./language.js";
import { ask } from "./server.js";

const EVERY_MS = 2000;
const KEPT = 30; // values of a line
const [WIDTH, HEIGHT] = [96, 22];

const ROWS = {
  requestsPerSecond: { digits: 1, of: (now, before, seconds) => growth(now, before, "tuili_requests_total", answered) / seconds },
  tokensPerSecond: { digits: 0, of: (now, before, seconds) => growth(now, before, "tuili_tokens_total", written) / seconds },
  waiting: { digits: 0, of: (now) => total(now, "tuili_queue_waiting") },
  running: { digits: 0, of: (now) => total(now, "tuili_rows_running") },
  depthNow: {
    digits: 1,
    of: (now, before) =>
      growth(now, before, "tuili_token_depth_layers_sum") / growth(now, before, "tuili_token_depth_layers_count"),
  },
};

const answered = (labels) => labels.endpoint !== "other"; // neither the page nor what it reads here
const written = (labels) => labels.kind !== "prompt";

/** The samples of a text in Prometheus' format: name, labels, value. */
export function parse(told) {
  const samples = [];
  for (const line of told.split("\n")) {
    const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!found) continue;
    const pairs = [...(found[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]);
    samples.push({ name: found[1], labels: Object.fromEntries(pairs), value: Number(found[3].replace("Inf", "Infinity")) });
  }
  return samples;
}

/** The sum of a name's samples. */
export const total = (samples, name, wanted = () => true) =>
  samples.filter((sample) => sample.name === name && wanted(sample.labels)).reduce((sum, sample) => sum + sample.value, 0);

/** By how much a counter has grown; from 0 where the server has begun anew. */
function growth(now, before, name, wanted) {
  const [last, first] = [total(now, name, wanted), total(before, name, wanted)];
  return last < first ? last : last - first;
}

let before = null; // {samples, at}
let timer = 0;

/** Show the panel where the server tells its metrics, and follow them while it is open. */
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
    if (byId("live").open && !document.hidden) timer = setTimeout(tick, EVERY_MS);
  }
}

/** The metrics, or null where they are not told. */
async function read() {
  try {
    return parse(await (await ask("metrics")).text());
  } catch {
    return null;
  }
}

const kept = Object.fromEntries(Object.keys(ROWS).map((name) => [name, []]));

function show(samples) {
  const at = performance.now();
  const seconds = before ? (at - before.at) / 1000 : 0;
  for (const [name, row] of Object.entries(ROWS)) {
    const value = before || row.of.length === 1 ? row.of(samples, before?.samples, seconds) : NaN;
    kept[name] = [...kept[name], value].slice(-KEPT);
  }
  before = { samples, at };
  byId("live-rows").replaceChildren(
    ...Object.entries(ROWS).map(([name, { digits }]) => {
      const value = kept[name].at(-1);
      const told = Number.isFinite(value) ? number(value, digits) : "–";
      const figure = make("b", "", { textContent: told });
      figure.dataset.row = name;
      return make("div", "", {}, say(make("dt"), name), make("dd", "", {}, line(kept[name]), figure));
    }),
  );
}

/** A small line of the values; those that are none leave it out. */
function line(values) {
  const highest = Math.max(...values.filter(Number.isFinite), 1e-9);
  const places = values.flatMap((value, at) =>
    Number.isFinite(value)
      ? [[WIDTH - 3 - ((values.length - 1 - at) * (WIDTH - 6)) / (KEPT - 1), HEIGHT - 3 - (value / highest) * (HEIGHT - 6)]]
      : [],
  );
  const points = places.map((place) => place.map((part) => part.toFixed(1)).join(",")).join(" ");
  const [x, y] = places.at(-1) ?? [-9, -9];
  return draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "spark", "aria-hidden": "true" },
    draw("polyline", { points }),
    draw("circle", { cx: x, cy: y, r: 2 }),
  );
}
