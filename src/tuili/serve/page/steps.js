// The steps as they come: tokens tinted by depth, a mark once a line is judged, one group of lines for each attempt.

import { shade } from "./depth.js";
import { make } from "./dom.js";
import { number, say, text } from "./language.js";

const SHOWN = 2; // with more attempts, those that the answer does not come from are folded
const MARKS = { valid: "✓", invalid: "✗" }; // others are undecided: ·

document.addEventListener("language", () => {
  for (const token of document.querySelectorAll("[data-layers]")) token.title = text("layers", { n: token.dataset.layers });
});

export class Steps {
  constructor() {
    this.element = make("div", "steps");
    this.attempts = []; // {element, list, lines, told}
    this.line = null; // the line that is being written
    this.pending = []; // lines that are whole but not judged yet
    this.answering = false; // since the last token of reasoning others have come
  }

  /** A token: its text as far as it is reasoning, and its layers. */
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

  /** A verdict about the line that was told before it. */
  judge(step) {
    this.#end();
    while (this.attempts.length < step.attempt) this.#begin(true);
    const attempt = this.attempts[step.attempt - 1];
    const found = this.pending.findIndex((line) => line.told.trim() === step.text.trim());
    const line = found < 0 ? newLine() : this.pending.splice(found, 1)[0];
    if (found < 0) line.text.textContent = step.text;
    mark(line, step);
    attempt.list.append(line.element);
    attempt.steps.push(step);
  }

  /** The end: which attempt the answer comes from, with the steps that it went on behind. Others are folded. */
  finish(receipt) {
    this.element.querySelectorAll(".writing").forEach((line) => line.classList.remove("writing"));
    if (!receipt?.steps) return;
    const whole = receipt.steps;
    const chosen = this.attempts.findLast((attempt) => endsWith(whole, attempt.steps)) ?? this.attempts.at(-1);
    if (!chosen) return;
    const given = whole.slice(0, whole.length - chosen.steps.length);
    if (endsWith(whole, chosen.steps)) chosen.list.prepend(...given.map((step) => this.#keptLine(step, chosen)));
    for (const attempt of this.attempts) if (attempt !== chosen) leave(attempt, this.attempts.length <= SHOWN);
  }

  /** Begin an attempt; lines that wait for their verdict stay where they are unless they were begun for this one. */
  #begin(takes = false) {
    if (!takes) this.#end();
    const n = this.attempts.length + 1;
    const title = say(make("summary"), "attempt", { n });
    const list = make("ol", "lines");
    const element = make("details", "attempt", { open: true }, title, list);
    this.attempts.push({ element, title, list, steps: [], n });
    this.element.append(element);
    this.element.classList.toggle("several", n > 1);
  }

  /** A step that an attempt did not write itself but went on behind: as it stood before, or put right. */
  #keptLine(step, chosen) {
    const line = newLine();
    line.text.textContent = step.text;
    mark(line, step);
    line.element.classList.add("kept");
    const before = this.attempts.slice(0, chosen.n - 1).flatMap((attempt) => attempt.steps);
    say(line.depth, before.some((told) => told.text === step.text) ? "kept" : "putRight");
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
    this.line.told += piece;
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
  return { ...parts, element, told: "", depths: [] };
}

function mark(line, step) {
  line.element.classList.add(step.verdict);
  line.mark.textContent = MARKS[step.verdict] ?? "·";
  line.mark.append(say(make("span", "unseen"), step.verdict));
  if (step.expected !== null) line.text.append(" ", say(make("span", "right"), "right", { value: step.expected }));
  else if (step.verdict !== "valid" && step.reason) line.text.append(" ", make("span", "right", { textContent: step.reason }));
  const depths = line.depths;
  if (!depths.length) return;
  const mean = depths.reduce((sum, layers) => sum + layers, 0) / depths.length;
  say(line.depth, "layers", { n: () => number(mean, 1) });
}

function leave(attempt, open) {
  const wrong = attempt.steps.filter((step) => step.verdict === "invalid").length;
  attempt.element.open = open;
  attempt.element.classList.add("left");
  say(attempt.title, wrong ? "attemptWrong" : "attemptLeft", { n: attempt.n, wrong, steps: attempt.steps.length });
}

const endsWith = (whole, end) =>
  end.length > 0 && end.every((step, place) => whole[whole.length - end.length + place]?.text === step.text);
