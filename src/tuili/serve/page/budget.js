// The budget's controls, and what they mean in a request.

import { byId, make } from "./dom.js";
import { number, percent, say, text } from "./language.js";

const TOLERANCES = [0, 0.01, 0.02, 0.05, 0.1]; // 0: off
const SHORTEST_MS = 200;
const LONGEST_MS = 30_000;

/** What a place on the slider of deadlines means in milliseconds; null for off. Rounded to two digits. */
export function deadline(place, last) {
  if (place === 0) return null;
  const exact = SHORTEST_MS * (LONGEST_MS / SHORTEST_MS) ** ((place - 1) / (last - 1));
  return Number(exact.toPrecision(2));
}

/** A duration as a word with its value. */
export const duration = (ms) =>
  ms < 1000
    ? ["milliseconds", { n: () => number(ms) }]
    : ["seconds", { n: () => number(ms / 1000, ms < 10_000 ? 1 : 0) }];

/** Fill the controls and keep what they say beside them up to date. */
export function setUpBudget() {
  for (const share of TOLERANCES) {
    const input = make("input", "", { type: "radio", name: "tolerance", value: share, checked: share === 0 });
    const label = share ? make("span", "", { textContent: percent(share) }) : say(make("span"), "off");
    byId("tolerance").append(make("label", "", {}, input, label));
  }
  byId("budget-form").addEventListener("input", show);
  byId("budget-form").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("language", show);
}

function show() {
  const ms = deadline(Number(byId("deadline").value), Number(byId("deadline").max));
  byId("attempts-now").textContent = byId("attempts").value;
  byId("deadline-now").textContent = ms === null ? text("off") : text(...duration(ms));
  byId("deadline").setAttribute("aria-valuetext", byId("deadline-now").textContent);
  byId("temperature-now").textContent = number(Number(byId("temperature").value), 1);
  say(byId("budget-now"), "budgetNow", { attempts: byId("attempts").value, tokens: byId("tokens").value });
}

/** The fields of a request that the controls decide. What is off is left out. */
export function budgetFields() {
  const tolerance = Number(document.querySelector("[name=tolerance]:checked").value);
  const ms = deadline(Number(byId("deadline").value), Number(byId("deadline").max));
  const temperature = Number(byId("temperature").value);
  const tokens = byId("tokens").valueAsNumber;
  return {
    model: byId("model").value,
    ...(Number.isNaN(tokens) ? {} : { max_completion_tokens: tokens }),
    ...(temperature && { temperature }),
    budget: {
      max_steps: Number(byId("attempts").value),
      ...(tolerance && { error_tolerance: tolerance }),
      ...(ms && { deadline_ms: ms }),
    },
  };
}
