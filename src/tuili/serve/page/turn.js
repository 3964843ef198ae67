// One question with all that comes of it: steps, answer, receipt, thumbs, or an error.

import { make } from "./dom.js";
import { feedbackOn } from "./feedback.js";
import { say } from "./language.js";
import { receiptOf } from "./receipt.js";
import { Steps } from "./steps.js";

const LONGEST = 4000; // characters of a prompt that feedback takes

export class Turn {
  constructor(question) {
    this.question = question;
    this.answer = null; // text, once there is one
    this.receipt = null;
    this.id = this.model = "";
    this.refusal = "";
    this.steps = new Steps();
    this.waiting = say(make("p", "waiting"), "thinking");
    this.element = make("article", "turn", {}, make("h2", "asked", { textContent: question }), this.waiting, this.steps.element);
  }

  /** A chunk of the stream. */
  take(chunk) {
    if (chunk.id) [this.id, this.model] = [chunk.id, chunk.model];
    const choice = chunk.choices[0];
    if (!choice) return; // the usage: the receipt has it, too
    const { delta } = choice;
    if (choice.depth !== undefined) {
      this.waiting.remove();
      this.steps.token(delta.reasoning ?? "", choice.depth);
    }
    if (choice.step) this.steps.judge(choice.step);
    if (delta.content) this.answer = delta.content;
    if (delta.refusal) this.refusal = delta.refusal;
    if (choice.receipt) this.receipt = choice.receipt;
  }

  /** The stream has ended as it should. Answers that were given have words; others say plainly that there is none. */
  finish() {
    this.#close();
    const shown = this.answer
      ? make("p", "answer", { textContent: this.answer })
      : say(make("p", "answer none"), "noAnswer");
    this.element.append(shown);
    if (!this.receipt) return;
    const known = this.question.length <= LONGEST ? { prompt: this.question } : {};
    const about = { id: this.id, model: this.model, ...known };
    this.element.append(receiptOf(this.receipt), feedbackOn(about));
  }

  /** It was stopped by whoever asked. */
  stop() {
    this.#close();
    this.element.append(say(make("p", "halted"), "stopped"));
  }

  /** It failed; what the server said is shown as it is, with a way to ask again. */
  fail(error, again) {
    this.#close();
    const said = make("p", "error", { role: "alert" });
    if (error.message) said.append(make("span", "", { textContent: error.message }));
    else said.append(say(make("span"), error.code || "unreachable"));
    if (error.status) said.append(" ", make("small", "", { textContent: [error.status, error.code].filter(Boolean).join(" · ") }));
    this.element.append(said, say(make("button", "quiet", { type: "button", onclick: again }), "again"));
  }

  #close() {
    this.waiting.remove();
    this.steps.finish(this.receipt);
  }
}
