// Feedback on an answer: thumbs, and a correction.

import { draw, make } from "./dom.js";
import { label, say } from "./language.js";
import { post } from "./server.js";

const HAND = "M7 11v9H4v-9zM7 11l4-7c1.5 0 2.5 1 2.2 2.6L12.5 10H18c1.3 0 2.2 1.2 1.9 2.4l-1.5 6c-.2 1-1 1.6-2 1.6H7";

/** The controls that judge an answer. `about`: its id, model and prompt. */
export function feedbackOn(about) {
  const status = make("span", "said", { role: "status" });
  const field = make("input", "", { type: "text", required: true, maxLength: 2000 });
  const correction = make(
    "form",
    "correction",
    { hidden: true },
    make("label", "", {}, say(make("span"), "correction"), field),
    say(make("button", "quiet", { type: "submit" }), "sendCorrection"),
  );
  const thumbs = ["up", "down"].map((thumb) => {
    const icon = draw("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", class: thumb }, draw("path", { d: HAND }));
    const button = make("button", "thumb", { type: "button", ariaPressed: "false" }, icon);
    label(button, thumb);
    button.addEventListener("click", async () => {
      for (const other of thumbs) other.ariaPressed = String(other === button);
      correction.hidden = thumb === "up";
      if ((await send({ ...about, thumb }, status)) && thumb === "down") field.focus();
      else correction.hidden = true;
    });
    return button;
  });
  correction.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (await send({ ...about, thumb: "down", correction: field.value }, status)) correction.hidden = true;
  });
  return make("div", "feedback", {}, say(make("span"), "judge"), ...thumbs, status, correction);
}

/** Send feedback to the server, and show in `status` whether it was taken. Returns whether it was. */
async function send(body, status) {
  try {
    await post("v1/feedback", body);
    say(status, "thanks");
    return true;
  } catch (error) {
    if (error.status === 404) say(status, "noFeedback");
    else if (error.status === 0) say(status, "unreachable");
    else {
      delete status.dataset.word;
      status.textContent = error.message;
    }
    return false;
  }
}
