// The controls of the budget, and the fields of a request that they set.

import { byId, make } from "./dom.js";
import { number, percent, say, text } from "./language.js";

const TOLERANCES = [0, 0.01, 0.02, 0.05, 0.1]; // 0: off
const MIN_DEADLINE_MS = 200;
const MAX_DEADLINE_MS = 30_000;

/** The deadline in milliseconds at a position of the slider, to two digits; null at 0. `last`: the last position. */
export function deadline(position, last) {
  if (position === 0) return null;
  const exact = MIN_DEADLINE_MS * (MAX_DEADLINE_MS / MIN_DEADLINE_MS) ** ((position - 1) / (last - 1));
  return Number(exact.toPrecision(2));
}

/** The name and the values of the text for a duration. */
export const duration = (ms) =>
  ms < 1000
    ? ["milliseconds", { n: () => number(ms) }]
    : ["seconds", { n: () => number(ms / 1000, ms < 10_000 ? 1 : 0) }];

/** Fill the controls, and keep the values beside them up to date. */
export function setUpBudget() {
  for (const share of TOLERANCES) {
    const input = make("input", "", { type: "radio", name: "tolerance", value: share, checked: share === 0 });
    const label = share ? make("span", "", { textContent: percent(share) }) : say(make("span"), "off");
    byId("tolerance").append(make("label", "", {}, input, label));
  }
  byId("budget-form").addEventListener("input", showValues);
  byId("budget-form").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("language", showValues);
}

function showValues() {
  const ms = deadline(Number(byId("deadline").value), Number(byId("deadline").max));
  byId("attempts-now").textContent = byId("attempts").value;
  byId("deadline-now").textContent = ms === null ? text("off") : text(...duration(ms));
  byId("deadline").setAttribute("aria-valuetext", byId("deadline-now").textContent);
  byId("temperature-now").textContent = number(Number(byId("temperature").value), 1);
  say(byId("budget-now"), "budgetNow", { attempts: byId("attempts").value, tokens: byId("tokens").value });
}

/** The fields of a request that the controls set. Controls that are off set none. */
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
