// The receipt: how it ended, how sure it is, what it cost, what is promised.

import { duration } from "./budget.js";
import { make } from "./dom.js";
import { label, number, percent, say } from "./language.js";

/** A receipt as the server tells it, for people. */
export function receiptOf(receipt) {
  const { milliseconds, tokens } = receipt;
  const parts = Object.fromEntries(["queue", "prefill", "decode"].map((part) => [part, () => number(milliseconds[part])]));
  const told = make(
    "dl",
    `receipt ${receipt.outcome}`,
    {},
    fact("outcome", "wide", say(make("strong", "outcome"), receipt.outcome), reason(receipt.reason)),
    fact("confidence", "", ...confidence(receipt.confidence)),
    fact("attemptsMade", "", make("b", "", { textContent: receipt.attempts })),
    fact("tokensWritten", "", make("b", "", { textContent: tokens.generated })),
    fact("meanDepth", "", say(make("b"), "layers", { n: () => number(receipt.mean_depth, 1) })),
    fact(
      "time",
      "wide spent",
      say(make("b"), ...duration(milliseconds.total)),
      bar(milliseconds),
      say(make("small"), "timeParts", parts),
    ),
    fact("promise", "wide", promise(receipt.promise)),
  );
  return label(told, "receipt");
}

const fact = (name, kind, ...said) => make("div", kind, {}, say(make("dt"), name), make("dd", "", {}, ...said));

const reason = (why) => (why ? make("span", "reason", { textContent: why }) : null);

function confidence(share) {
  if (share === null) return [say(make("span"), "unknown")];
  const filled = make("span", "filled");
  filled.style.width = `${100 * share}%`;
  return [make("b", "", { textContent: percent(share) }), make("span", "gauge", { ariaHidden: "true" }, filled)];
}

/** Where the time went, as lengths. */
function bar(milliseconds) {
  const pieces = ["queue", "prefill", "decode"].map((part) => {
    const piece = make("span", part);
    piece.style.flexGrow = milliseconds[part];
    return piece;
  });
  return make("span", "times", { ariaHidden: "true" }, ...pieces);
}

function promise(given) {
  if (given.error_tolerance === null) return say(make("span"), "noPromise", { why: given.why });
  const { error_tolerance: tolerance, delta, wrong, n } = given;
  const values = { tolerance: percent(tolerance), sure: percent(1 - delta), wrong, n: () => number(n) };
  return given.why ? say(make("span"), "noPromise", { why: given.why }) : say(make("span"), "promised", values);
}
