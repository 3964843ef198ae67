// Vercel's AI SDK, by its provider for OpenAI (the Responses API, its default, and the chat API) and by its provider
// for compatible servers: text, streams, structured output. OPENAI_BASE_URL and OPENAI_API_KEY name the server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openai } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateObject, generateText, Output, streamObject, streamText } from 'ai';
import { z } from 'zod';

const compatible = createOpenAICompatible({
  name: 'tuili',
  baseURL: process.env.OPENAI_BASE_URL,
  apiKey: process.env.OPENAI_API_KEY,
  supportsStructuredOutputs: true,
});
const asked = { system: 'You are a helpful assistant.', prompt: 'What is 48 + 27 - 3?', maxRetries: 0 };
const schema = z.object({ answer: z.number().int() });
const models = { responses: openai('nano'), chat: openai.chat('nano'), compatible: compatible('nano') };

for (const [name, model] of Object.entries(models)) {
  test(`${name}: generateText`, async () => {
    const { text, usage } = await generateText({ model, ...asked });
    assert.equal(text, '72');
    assert.ok(usage.totalTokens > 0);
  });

  test(`${name}: streamText`, async () => {
    const errors = [];
    const { textStream } = streamText({ model, ...asked, onError: ({ error }) => errors.push(error) });
    let text = '';
    for await (const part of textStream) text += part;
    assert.deepEqual(errors, []);
    assert.equal(text, '72');
  });

  test(`${name}: generateObject`, async () => {
    const { object } = await generateObject({ model, schema, ...asked });
    assert.deepEqual(object, { answer: 72 });
  });

  test(`${name}: generateText with an object as output`, async () => {
    const { output } = await generateText({ model, output: Output.object({ schema }), ...asked });
    assert.deepEqual(output, { answer: 72 });
  });

  test(`${name}: streamObject`, async () => {
    const { object, partialObjectStream } = streamObject({ model, schema, ...asked });
    for await (const part of partialObjectStream) assert.ok(part);
    assert.deepEqual(await object, { answer: 72 });
  });

  test(`${name}: a conversation of several turns`, async () => {
    const question = { role: 'user', content: 'What is 20 + 30?' };
    const first = await generateText({ model, messages: [question], maxRetries: 0 });
    const messages = [question, ...first.response.messages, { role: 'user', content: asked.prompt }];
    assert.equal((await generateText({ model, messages, maxRetries: 0 })).text, '72');
  });
}
