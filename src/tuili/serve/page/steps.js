// The steps of an answer as they come: a group of lines for each attempt, tokens coloured by depth, a mark on each line that
// the checker has judged.

import { shade } from "./depth.js";
import { make } from "./dom.js";
import { number, say, text } from "./language.js";
import { marks } from "./marks.js"; // of the checker; the server makes this module

const MAX_OPEN_ATTEMPTS = 2; // if there are more, attempts that the answer does not come from are folded

document.addEventListener("language", () => {
  for (const token of document.querySelectorAll("[data-layers]")) token.title = text("layers", { n: token.dataset.layers });
});

export class Steps {
  constructor() {
    this.element = make("div", "steps");
    this.attempts = []; // {element, title, list, steps, n}
    this.line = null; // the line that is being written
    this.pending = []; // lines that are whole but not judged yet
    this.answering = false; // whether tokens of an answer have come since the last token of reasoning
  }

  /** Add a token: the part of its text that is reasoning, and its layers. */
  token(written, layers) {
    if (!written) {
      this.answering = this.attempts.length > 0;
      return;
    }
    if (this.answering && written.startsWith("\n")) this.#begin();
    this.answering = false;
    if (!this.attempts.length) this.#begin();
    const [first, ...rest] = written.split("\n");
    this.#add(first, layers);
    for (const piece of rest) {
      this.#end();
      this.#add(piece, layers);
    }
  }

  /** Add a verdict to the line that it is about. */
  judge(step) {
    this.#end();
    while (this.attempts.length < step.attempt) this.#begin(true);
    const attempt = this.attempts[step.attempt - 1];
    const index = this.pending.findIndex((line) => line.written.trim() === step.text.trim());
    const line = index < 0 ? newLine() : this.pending.splice(index, 1)[0];
    if (index < 0) line.text.textContent = step.text;
    mark(line, step);
    attempt.list.append(line.element);
    attempt.steps.push(step);
  }

  /** End the steps: put before the chosen attempt the steps that it kept from earlier ones, and fold the other attempts. */
  finish(receipt) {
    this.element.querySelectorAll(".writing").forEach((line) => line.classList.remove("writing"));
    if (!receipt?.steps) return;
    const whole = receipt.steps;
    const chosen = this.attempts.findLast((attempt) => endsWith(whole, attempt.steps)) ?? this.attempts.at(-1);
    if (!chosen) return;
    const kept = whole.slice(0, whole.length - chosen.steps.length);
    if (endsWith(whole, chosen.steps)) chosen.list.prepend(...kept.map((step) => this.#keptLine(step, chosen)));
    for (const attempt of this.attempts) if (attempt !== chosen) fold(attempt, this.attempts.length <= MAX_OPEN_ATTEMPTS);
  }

  /** Begin an attempt. With `keepLine` the line that is being written goes on. */
  #begin(keepLine = false) {
    if (!keepLine) this.#end();
    const n = this.attempts.length + 1;
    const title = say(make("summary"), "attempt", { n });
    const list = make("ol", "lines");
    const element = make("details", "attempt", { open: true }, title, list);
    this.attempts.push({ element, title, list, steps: [], n });
    this.element.append(element);
    this.element.classList.toggle("several", n > 1);
  }

  /** The line of a step that an attempt kept from an earlier one, as it was or put right. */
  #keptLine(step, chosen) {
    const line = newLine();
    line.text.textContent = step.text;
    mark(line, step);
    line.element.classList.add("kept");
    const before = this.attempts.slice(0, chosen.n - 1).flatMap((attempt) => attempt.steps);
    say(line.depth, before.some((earlier) => earlier.text === step.text) ? "kept" : "putRight");
    return line.element;
  }

  #add(piece, layers) {
    if (!piece) return;
    if (!this.line) {
      this.line = newLine();
      this.line.element.classList.add("writing");
      this.attempts.at(-1).list.append(this.line.element);
    }
    const token = make("span", `token ${shade(layers)}`, { textContent: piece });
    token.dataset.layers = layers;
    token.title = text("layers", { n: layers });
    this.line.text.append(token);
    this.line.written += piece;
    this.line.depths.push(layers);
  }

  #end() {
    if (!this.line) return;
    this.line.element.classList.remove("writing");
    this.pending.push(this.line);
    this.line = null;
  }
}

function newLine() {
  const parts = { mark: make("span", "mark"), text: make("span", "text"), depth: make("span", "layers") };
  const element = make("li", "line", {}, parts.mark, parts.text, parts.depth);
  return { ...parts, element, written: "", depths: [] };
}

function mark(line, step) {
  line.element.classList.add(step.verdict);
  line.mark.textContent = marks[step.verdict];
  line.mark.append(say(make("span", "unseen"), step.verdict));
  if (step.expected !== null) line.text.append(" ", say(make("span", "right"), "right", { value: step.expected }));
  else if (step.verdict !== "valid" && step.reason) line.text.append(" ", make("span", "right", { textContent: step.reason }));
  if (step.written_by === "checker" && line.written) line.text.append(" ", say(make("span", "right"), "calculated"));
  const nowhere = step.numbers.filter((source) => source.origin === "nowhere").map((source) => source.number);
  if (step.verdict === "valid" && nowhere.length) {
    line.element.classList.add("untraced");
    line.text.append(" ", say(make("span", "right"), "nowhere", { numbers: nowhere.join(", ") }));
  }
  const depths = line.depths;
  if (!depths.length) return;
  const mean = depths.reduce((sum, layers) => sum + layers, 0) / depths.length;
  say(line.depth, "layers", { n: () => number(mean, 1) });
}

/** Mark an attempt as one that the answer does not come from. */
function fold(attempt, open) {
  const wrong = attempt.steps.filter((step) => step.verdict === "invalid").length;
  attempt.element.open = open;
  attempt.element.classList.add("left");
  say(attempt.title, wrong ? "attemptWrong" : "attemptLeft", { n: attempt.n, wrong, steps: attempt.steps.length });
}

const endsWith = (whole, end) =>
  end.length > 0 && end.every((step, place) => whole[whole.length - end.length + place]?.text === step.text);
