// The receipt of an answer: outcome, confidence, cost, claim, program, and promise.

import { duration } from "./budget.js";
import { make } from "./dom.js";
import { label, number, percent, say } from "./language.js";

/** A receipt of the server as an element. */
export function receiptOf(receipt) {
  const { milliseconds, tokens } = receipt;
  const parts = Object.fromEntries(["queue", "prefill", "decode"].map((part) => [part, () => number(milliseconds[part])]));
  const list = make(
    "dl",
    `receipt ${receipt.outcome}`,
    {},
    fact("outcome", "wide", say(make("strong", "outcome"), receipt.outcome), reason(receipt.reason)),
    fact("confidence", "", ...confidence(receipt.confidence)),
    fact("attemptsMade", "", make("b", "", { textContent: receipt.attempts })),
    fact("tokensWritten", "", make("b", "", { textContent: tokens.generated })),
    ...(receipt.written_by.checker ? [fact("calculated", "", make("b", "", { textContent: receipt.written_by.checker }))] : []),
    fact("meanDepth", "", say(make("b"), "layers", { n: () => number(receipt.mean_depth, 1) })),
    fact(
      "time",
      "wide items",
      say(make("b"), ...duration(milliseconds.total)),
      bar(milliseconds),
      say(make("small"), "timeParts", parts),
    ),
    ...(receipt.unused.length ? [fact("unused", "wide", make("span", "", { textContent: receipt.unused.join(", ") }))] : []),
    ...(receipt.familiar ? [fact("familiarity", "wide items", ...familiarity(receipt.familiar))] : []),
    ...(receipt.proof ? [fact(receipt.proof.verdict, "wide", make("span", "", { textContent: receipt.proof.claim ?? "–" }))] : []),
    ...(receipt.trial ? [fact("program", "wide", trial(receipt.trial))] : []),
    fact("promise", "wide", promise(receipt.promise)),
  );
  return label(list, "receipt");
}

const fact = (name, className, ...children) =>
  make("div", className, {}, say(make("dt"), name), make("dd", "", {}, ...children));

const reason = (why) => (why ? make("span", "reason", { textContent: why }) : null);

function confidence(share) {
  if (share === null) return [say(make("span"), "unknown")];
  const filled = make("span", "filled");
  filled.style.width = `${100 * share}%`;
  return [make("b", "", { textContent: percent(share) }), make("span", "gauge", { ariaHidden: "true" }, filled)];
}

function familiarity({ p, level }) {
  return [say(make("b"), p < level ? "unfamiliar" : "familiar"), make("small", "", { textContent: `p = ${number(p, 2)}` })];
}

/** What the program of the answer does with the examples of the question. */
function trial({ verdict, examples: n, function: name }) {
  if (verdict === "agrees") return say(make("span"), "agrees", { n, name });
  if (verdict === "contradicts") return say(make("span"), "contradicts", { name });
  return say(make("span"), "untried", { name });
}

/** A bar whose parts are as long as the times of queue, prefill and decode. */
function bar(milliseconds) {
  const pieces = ["queue", "prefill", "decode"].map((part) => {
    const piece = make("span", part);
    piece.style.flexGrow = milliseconds[part];
    return piece;
  });
  return make("span", "times", { ariaHidden: "true" }, ...pieces);
}

function promise({ error_tolerance: tolerance, delta, wrong, n, why }) {
  if (tolerance === null) return say(make("span"), "noPromise", { why });
  const values = { tolerance: percent(tolerance), sure: percent(1 - delta), wrong, n: () => number(n) };
  return why ? say(make("span"), "noPromise", { why }) : say(make("span"), "promised", values);
}
