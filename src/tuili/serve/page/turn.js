// A turn of the conversation: a question with its steps, answer, receipt and feedback, or an error.

import { make } from "./dom.js";
import { feedbackOn } from "./feedback.js";
import { say } from "./language.js";
import { receiptOf } from "./receipt.js";
import { Steps } from "./steps.js";

const MAX_PROMPT_CHARS = 4000; // in feedback; a longer prompt is left out

/** What the model was not given of the conversation, if anything, as a line below the answer. */
function leftOut({ system, earlier }) {
  return system + earlier ? [say(make("p", "left-out"), "leftOut", { n: system + earlier })] : [];
}

/** The question as the model and the checker read it, where that is another text. */
function readAs(text) {
  return text === null ? [] : [say(make("p", "left-out"), "readAs", { text })];
}

export class Turn {
  constructor(question) {
    this.question = question;
    this.answer = null; // text, as far as it has come
    this.shown = make("p", "answer");
    this.receipt = null;
    this.id = this.model = "";
    this.refusal = "";
    this.steps = new Steps();
    this.waiting = say(make("p", "waiting"), "thinking");
    this.element = make("article", "turn", {}, make("h2", "asked", { textContent: question }), this.waiting, this.steps.element);
  }

  /** Show a chunk of the stream. */
  take(chunk) {
    if (chunk.id) [this.id, this.model] = [chunk.id, chunk.model];
    const choice = chunk.choices[0];
    if (!choice) return; // a chunk with the usage, which the receipt has too
    const { delta } = choice;
    if (choice.depth !== undefined) {
      this.waiting.remove();
      this.steps.token(delta.reasoning ?? "", choice.depth);
    }
    if (choice.step) this.steps.judge(choice.step);
    if (delta.content) this.#write(delta.content);
    if (delta.refusal) this.refusal = delta.refusal;
    if (choice.receipt) this.receipt = choice.receipt;
  }

  /** Show the end of a complete stream: the answer, or that there is none, and the receipt. */
  finish() {
    this.#close();
    if (this.answer === null) this.element.append(say(make("p", "answer none"), "noAnswer"));
    if (!this.receipt) return;
    const promptField = this.question.length <= MAX_PROMPT_CHARS ? { prompt: this.question } : {};
    const about = { id: this.id, model: this.model, ...promptField };
    this.element.append(...readAs(this.receipt.read_as), ...leftOut(this.receipt.ignored), receiptOf(this.receipt), feedbackOn(about));
  }

  /** Show that the user has stopped the answer. */
  stop() {
    this.#close();
    this.element.append(say(make("p", "halted"), "stopped"));
  }

  /** Show an error in the words of the server, with a button to ask again. */
  fail(error, again) {
    this.#close();
    const message = make("p", "error", { role: "alert" });
    if (error.message) message.append(make("span", "", { textContent: error.message }));
    else message.append(say(make("span"), error.code || "unreachable"));
    if (error.status) message.append(" ", make("small", "", { textContent: [error.status, error.code].filter(Boolean).join(" · ") }));
    this.element.append(message, say(make("button", "quiet", { type: "button", onclick: again }), "again"));
  }

  /** Add to the answer. Models of steps tell it whole, those that write prose piece by piece. */
  #write(text) {
    this.shown.classList.toggle("prose", this.answer !== null);
    this.answer = (this.answer ?? "") + text;
    this.shown.textContent = this.answer;
    this.element.append(this.shown);
  }

  #close() {
    this.waiting.remove();
    this.steps.finish(this.receipt);
  }
}
