// The page: connects the controls with the conversation. `turn.js` shows a turn.

import { budgetFields, setUpBudget } from "./budget.js";
import { useExits } from "./depth.js";
import { byId, make } from "./dom.js";
import { examples } from "./examples.js";
import { otherLanguage, say, speak, text } from "./language.js";
import { setUpMetrics } from "./metrics.js";
import { ask, stream, useKey } from "./server.js";
import { setUpTheme } from "./theme.js";
import { Turn } from "./turn.js";

const NARROW = matchMedia("(max-width: 60rem)");
const turns = [];
let running = null; // the AbortController of the question that is being answered
let retry = null; // called when a key has been entered: repeats what was refused without it

/** The messages of the conversation in the form of the API, without turns that have no answer. */
function messages(question) {
  const answered = byId("earlier").checked ? turns.filter((turn) => turn.answer) : [];
  const earlier = answered.flatMap((turn) => [
    { role: "user", content: turn.question },
    { role: "assistant", content: turn.answer },
  ]);
  return [...earlier, { role: "user", content: question }];
}

async function submit(question) {
  if (running || !question.trim()) return;
  const body = { ...budgetFields(), messages: messages(question), stream: true, stream_options: { include_usage: true } };
  const turn = new Turn(question);
  byId("turns").append(turn.element);
  running = new AbortController();
  showState();
  toEnd();
  try {
    for await (const chunk of stream("v1/chat/completions", body, running.signal)) {
      keepEnd(() => turn.take(chunk));
    }
    keepEnd(() => turn.finish());
    turns.push(turn);
    byId("spoken").textContent = turn.answer ? text("spokenAnswer", { answer: turn.answer }) : text("noAnswer");
  } catch (error) {
    if (error.name === "AbortError") keepEnd(() => turn.stop());
    else keepEnd(() => showError(error, turn, () => (turn.element.remove(), submit(question))));
  } finally {
    running = null;
    showState();
  }
}

/** Show an error in its turn, or on the page if there is no turn. If the server requires a key, ask for it. */
function showError(error, turn, again) {
  if (error.status === 401) {
    turn?.element.remove();
    retry = again;
    byId("key-form").hidden = false;
    byId("trouble").replaceChildren(say(make("span"), "keyNeeded"), ` ${error.message}`);
    byId("trouble").hidden = false;
    byId("key").focus();
  } else if (turn) turn.fail(error, again);
  else {
    byId("trouble").replaceChildren(error.message || say(make("span"), error.code || "unreachable"));
    byId("trouble").hidden = false;
  }
}

/** Show and hide buttons and headings by the state of the conversation. */
function showState() {
  byId("send").hidden = running !== null;
  byId("stop").hidden = running === null;
  const empty = byId("turns").childElementCount === 0;
  byId("welcome").hidden = !empty;
  byId("clear").hidden = empty || running !== null;
}

/** Change the conversation. If its end is in sight, scroll so that it stays in sight. */
function keepEnd(change) {
  const page = document.documentElement;
  const atEnd = page.scrollHeight - page.scrollTop - page.clientHeight < 80;
  change();
  if (atEnd) toEnd();
}

const toEnd = () => scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });

/** The models that are loaded, once there is one. */
async function models() {
  for (;;) {
    const { data } = await (await ask("v1/models")).json();
    if (data.length) return data;
    await new Promise((go) => setTimeout(go, 500));
  }
}

async function begin() {
  byId("trouble").hidden = true;
  try {
    const data = await models();
    byId("model").replaceChildren(...data.map(({ id }) => make("option", "", { value: id, textContent: id })));
    byId("model-field").classList.toggle("single", data.length < 2);
    const choose = () => showModel(data.find(({ id }) => id === byId("model").value));
    byId("model").onchange = choose;
    choose();
    setUpMetrics();
  } catch (error) {
    showError(error, null, begin);
  }
}

/** Show what depends on the chosen model: its exits, and questions of the kind that it answers. */
function showModel({ exits, writes }) {
  useExits(exits);
  say(byId("lead"), writes === "prose" ? "leadOfProse" : "lead");
  byId("examples").replaceChildren(
    ...examples[writes].map((question) =>
      make("li", "", {}, make("button", "example", { type: "button", textContent: question, onclick: () => submit(question) })),
    ),
  );
}

function setUpAsking() {
  const field = byId("question");
  const grow = () => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  };
  const send = () => {
    if (running) return;
    const question = field.value;
    field.value = "";
    grow();
    submit(question);
  };
  field.addEventListener("input", grow);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  });
  byId("ask").addEventListener("submit", (event) => (event.preventDefault(), send()));
  byId("stop").addEventListener("click", () => running?.abort());
  document.addEventListener("keydown", (event) => event.key === "Escape" && running?.abort());
  byId("clear").addEventListener("click", () => {
    byId("turns").replaceChildren();
    turns.length = 0;
    showState();
    field.focus();
  });
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey(byId("key").value);
    byId("key").value = "";
    byId("key-form").hidden = byId("trouble").hidden = true;
    if (retry !== begin) begin();
    retry?.();
  });
}

setUpTheme();
setUpBudget();
setUpAsking();
byId("language").addEventListener("click", otherLanguage);
document.addEventListener("language", () => (byId("language").textContent = text("otherLanguage")));
const fit = () => (byId("budget").open = !NARROW.matches);
NARROW.addEventListener("change", fit);
fit();
speak();
useExits();
begin();
