// OpenAI's client for Node works unchanged.
//
// TUILI_URL is a server of the model nano with two keys: `one` has no quota, `two` one request a minute.

import assert from "node:assert/strict";
import test from "node:test";

import OpenAI from "openai";

const url = process.env.TUILI_URL;
const client = connect("one");
const question = "What is 48 + 27 * 3?";
const messages = [{ role: "user", content: question }];
const asked = { model: "nano", messages };

function connect(apiKey) {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
}

async function gather(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

// The sum of a metric of the server over all samples whose labels contain `labels`.
async function metricSum(name, labels = "") {
  const answer = await fetch(`${url}/metrics`, { headers: { Authorization: "Bearer one" } });
  const lines = (await answer.text()).split("\n").filter((line) => line.startsWith(`${name}{`) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

async function until(holds) {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail("the condition has not become true in five seconds");
}

test("a chat is answered with its reasoning, a receipt and the usage", async () => {
  const completion = await client.chat.completions.create(asked);
  const [choice] = completion.choices;
  assert.deepEqual([completion.object, choice.message.content, choice.finish_reason], ["chat.completion", "129", "stop"]);
  assert.equal(choice.message.reasoning, "20 * 3 = 60\n7 * 3 = 21\n60 + 21 = 81\n48 + 81 = 129");
  assert.equal(choice.message.reasoning_content, choice.message.reasoning);
  assert.equal(choice.receipt.outcome, "answered");
  assert.deepEqual(choice.receipt.steps.map((step) => step.verdict), Array(4).fill("valid"));
  const { usage } = completion;
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
  const { reasoning_tokens: reasoning } = usage.completion_tokens_details;
  assert.ok(0 < reasoning && reasoning < usage.completion_tokens);
});

test("a stream says the same, and its last chunk tells the usage", async () => {
  const whole = await client.chat.completions.create(asked);
  const options = { stream: true, stream_options: { include_usage: true } };
  const chunks = await gather(await client.chat.completions.create({ ...asked, ...options }));
  const choices = chunks.flatMap((chunk) => chunk.choices);
  assert.equal(choices.map(({ delta }) => delta.content ?? "").join(""), "129");
  assert.equal(choices.map(({ delta }) => delta.reasoning ?? "").join("").trim(), whole.choices[0].message.reasoning);
  assert.deepEqual(choices.map((choice) => choice.finish_reason).filter(Boolean), ["stop"]);
  const { prompt_tokens_details: _, ...usage } = chunks.at(-1).usage;
  const { prompt_tokens_details: __, ...expected } = whole.usage;
  assert.deepEqual(usage, expected);
  assert.equal(chunks.at(-1).choices.length, 0);
  assert.equal(new Set(chunks.map((chunk) => chunk.id)).size, 1);
  assert.equal(choices.filter((choice) => "depth" in choice).length, usage.completion_tokens);
  const without = await gather(await client.chat.completions.create({ ...asked, stream: true }));
  assert.ok(without.every((chunk) => chunk.usage == null && chunk.choices.length === 1));
});

test("the helper for streams puts the same message together", async () => {
  const final = await client.chat.completions.stream(asked).finalChatCompletion();
  assert.equal(final.choices[0].message.content, "129");
});

test("choices are drawn with seeds that count up", async () => {
  const drawn = { ...asked, temperature: 1.5, top_k: 50 };
  const both = await client.chat.completions.create({ ...drawn, n: 3, seed: 7 });
  const alone = await Promise.all([7, 8, 9].map((seed) => client.chat.completions.create({ ...drawn, seed })));
  const texts = ({ message }) => [message.content, message.reasoning];
  assert.deepEqual(both.choices.map(texts), alone.map((one) => texts(one.choices[0])));
  assert.deepEqual(both.choices.map((choice) => choice.index), [0, 1, 2]);
});

test("what a stop text begins is left out", async () => {
  const completion = await client.chat.completions.create({ ...asked, stop: [" = 81"] });
  assert.equal(completion.choices[0].message.content, "");
  assert.equal(completion.choices[0].receipt.stop, "stop");
  assert.ok(!completion.choices[0].message.reasoning.includes("81"));
});

test("log-probabilities are those of the answer's tokens", async () => {
  const completion = await client.chat.completions.create({ ...asked, logprobs: true, top_logprobs: 3 });
  const { content } = completion.choices[0].logprobs;
  assert.equal(content.map((token) => token.token).join(""), "129");
  for (const token of content) {
    assert.equal(token.top_logprobs.length, 3);
    assert.equal(token.top_logprobs[0].token, token.token);
    assert.ok(token.logprob <= 0);
  }
  assert.equal((await client.chat.completions.create(asked)).choices[0].logprobs, null);
});

test("an effort and a budget are kept", async () => {
  const low = await client.chat.completions.create({ ...asked, reasoning_effort: "low" });
  assert.equal(low.choices[0].message.content, "129");
  const budget = { max_steps: 4, error_tolerance: 0.05 };
  const sure = await client.chat.completions.create({ ...asked, budget });
  const { promise } = sure.choices[0].receipt;
  assert.deepEqual([promise.max_steps, promise.error_tolerance, promise.why], [4, 0.05, ""]);
  const short = await client.chat.completions.create({ ...asked, max_completion_tokens: 5 });
  assert.deepEqual([short.choices[0].finish_reason, short.usage.completion_tokens], ["length", 5]);
  assert.equal(short.choices[0].message.content, "");
  assert.ok(short.choices[0].message.refusal);
});

test("models are listed and found", async () => {
  const { data } = await client.models.list();
  assert.deepEqual(data.map((model) => model.id), ["nano"]);
  assert.equal((await client.models.retrieve("nano")).owned_by, "tuili");
  await assert.rejects(client.models.retrieve("none"), OpenAI.NotFoundError);
});

test("completions answer each prompt, whole or as a stream", async () => {
  const completion = await client.completions.create({ model: "nano", prompt: [question, "What is 2 + 2?"], n: 2 });
  assert.deepEqual(completion.choices.map((choice) => choice.text), ["129", "129", "4", "4"]);
  const options = { stream: true, stream_options: { include_usage: true } };
  const chunks = await gather(await client.completions.create({ model: "nano", prompt: question, ...options }));
  assert.equal(chunks.flatMap((chunk) => chunk.choices.map((choice) => choice.text)).join(""), "129");
  assert.ok(chunks.at(-1).usage.completion_tokens_details.reasoning_tokens > 0);
});

test("responses come as items and as events", async () => {
  const body = { model: "nano", input: question, reasoning: { effort: "low" } };
  const response = await client.responses.create(body);
  assert.deepEqual([response.output_text, response.status], ["129", "completed"]);
  assert.deepEqual(response.output.map((item) => item.type), ["reasoning", "message"]);
  assert.ok(response.usage.output_tokens_details.reasoning_tokens > 0);
  const events = await gather(await client.responses.create({ ...body, stream: true }));
  assert.equal(events[0].type, "response.created");
  assert.equal(events.at(-1).type, "response.completed");
  assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()]);
  const verdicts = events.flatMap((event) => (event.step ? [event.step.verdict] : []));
  assert.deepEqual(verdicts, Array(4).fill("valid"));
  const deltas = events.filter((event) => event.type === "response.output_text.delta");
  assert.equal(deltas.map((event) => event.delta).join(""), "129");
  const final = await client.responses.stream(body).finalResponse();
  assert.equal(final.output_text, "129");
  const cut = await client.responses.create({ ...body, max_output_tokens: 5 });
  assert.deepEqual([cut.status, cut.incomplete_details.reason], ["incomplete", "max_output_tokens"]);
});

test("errors are of the client's own kinds, with code and field", async () => {
  const create = (more, caller = client) => caller.chat.completions.create({ ...asked, ...more });
  const matches = (kind, status, code, param) => (error) => {
    assert.ok(error instanceof kind, String(error));
    assert.deepEqual([error.status, error.code, error.param], [status, code, param]);
    assert.ok(error.requestID);
    return true;
  };
  await assert.rejects(create({}, connect("none")), matches(OpenAI.AuthenticationError, 401, "invalid_api_key", null));
  await assert.rejects(create({ model: "none" }), matches(OpenAI.NotFoundError, 404, "model_not_found", "model"));
  await assert.rejects(create({ wish: 1 }), matches(OpenAI.BadRequestError, 400, "unknown_parameter", "wish"));
  const tools = [{ type: "function", function: { name: "add", parameters: {} } }];
  await assert.rejects(create({ tools }), matches(OpenAI.BadRequestError, 400, "unsupported_parameter", "tools"));
  await assert.rejects(create({ temperature: 3 }), matches(OpenAI.BadRequestError, 400, "invalid_value", "temperature"));
  await assert.rejects(
    create({ stream: true, temperature: 3 }),
    matches(OpenAI.BadRequestError, 400, "invalid_value", "temperature"),
  );
  const poor = connect("two");
  await create({}, poor);
  await assert.rejects(create({}, poor), (error) => {
    assert.ok(Number(error.headers.get("retry-after")) >= 1);
    return matches(OpenAI.RateLimitError, 429, "rate_limit_exceeded", null)(error);
  });
});

test("whoever leaves is counted, and frees the place", async () => {
  const cancelled = () => metricSum("tuili_outcomes_total", 'outcome="cancelled"');
  const atWork = () => metricSum("tuili_rows_running");
  const endless = { ...asked, n: 16, depth: 12, max_completion_tokens: 1600, logit_bias: { 4: -100 } }; // 4 ends a response
  const before = await cancelled();
  const stream = await client.chat.completions.create({ ...endless, stream: true });
  for await (const chunk of stream) if (chunk.choices[0].delta.reasoning) break;
  await until(async () => (await cancelled()) === before + 16 && (await atWork()) === 0);
  const leaving = new AbortController();
  const whole = client.chat.completions.create(endless, { signal: leaving.signal });
  await until(async () => (await atWork()) > 0);
  leaving.abort();
  await assert.rejects(whole, OpenAI.APIUserAbortError);
  await until(async () => (await cancelled()) === before + 32 && (await atWork()) === 0);
});
