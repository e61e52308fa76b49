// Every provider that the gateway knows, behind a fake that behaves as that provider would: the stock OpenAI SDK must not
// notice which one it is. What differs is what a provider does not do at all.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { ask, gateway, mint, setting, tool } from "./gateway.mjs";

const connect = async () => new OpenAI({ baseURL: `${gateway}/v1`, apiKey: await mint(), maxRetries: 0 });

// The least polite thing that a client of OpenAI may send: one provider or another refuses each of these.
const parameters = { max_completion_tokens: 50, temperature: 0, seed: 1, user: "ada", n: 1 };
const place = z.object({ city: z.string(), inhabitants: z.number() });
const errors = { 400: "BadRequestError", 422: "UnprocessableEntityError", 429: "RateLimitError", 500: "InternalServerError", 503: "InternalServerError" };

for (const { name, embeddings, structured } of JSON.parse(setting("PROVIDERS"))) {
  const model = `${name}/some-model`;

  test(`${name}: a plain chat`, async () => {
    const client = await connect();
    const { data, response } = await client.chat.completions.create({ model, messages: ask("the tide is high"), ...parameters }).withResponse();
    assert.match(data.choices[0].message.content, /the tide is high/);
    assert.equal(data.choices[0].finish_reason, "stop");
    assert.equal(response.headers.get("x-tollgate-provider"), name);
  });

  test(`${name}: a streamed chat`, async () => {
    const client = await connect();
    let [text, reasons] = ["", []];
    for await (const chunk of await client.chat.completions.create({ model, messages: ask("one two three"), stream: true, ...parameters })) {
      text += chunk.choices[0]?.delta.content ?? "";
      if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
      assert.ok(!chunk.usage || chunk.choices.length, "a chunk that only counts, where nobody asked for one");
    }
    assert.match(text, /one two three/);
    assert.deepEqual(reasons, ["stop"]);
  });

  for (const stream of [false, true]) {
    test(`${name}: a tool is called, stream: ${stream}`, async () => {
      const client = await connect();
      const request = { model: `${name}/fake-tools`, messages: ask("weather in Oslo?"), tools: [tool], tool_choice: "required", stream };
      const answer = await client.chat.completions.create(request);
      const calls = [];
      if (stream) for await (const chunk of answer) calls.push(...(chunk.choices[0]?.delta.tool_calls ?? []));
      else calls.push(...answer.choices[0].message.tool_calls);
      assert.equal(calls.map((it) => it.function.name ?? "").join(""), "get_weather");
      assert.match(calls.map((it) => it.function.arguments ?? "").join(""), /Oslo/);
    });
  }

  test(`${name}: structured output`, async () => {
    const client = await connect();
    const parsed = client.chat.completions.parse({ model, messages: ask("Oslo"), response_format: zodResponseFormat(place, "place") });
    if (structured) assert.deepEqual((await parsed).choices[0].message.parsed, { city: "Oslo", inhabitants: 7 });
    else await assert.rejects(parsed);
  });

  test(`${name}: embeddings`, async () => {
    const client = await connect();
    const answer = client.embeddings.create({ model: `${name}/some-embedding`, input: ["a", "bc"] });
    if (embeddings) assert.deepEqual((await answer).data.map((it) => it.embedding[0]), [1, 2]);
    else await assert.rejects(answer, (error) => [400, 404].includes(error.status));
  });

  test(`${name}: errors have their type, their text and a code`, async () => {
    const client = await connect();
    for (const [status, kind] of Object.entries(errors)) {
      await assert.rejects(client.chat.completions.create({ model: `${name}/fake-${status}`, messages: ask("hi") }), (error) => {
        assert.ok(error instanceof OpenAI[kind], `${error}`);
        assert.match(error.message, new RegExp(`told to answer ${status}`));
        assert.deepEqual([typeof error.code, typeof error.type], ["string", "string"]);
        return true;
      });
    }
    // Anthropic's third event comes before any content, so that there it is a status.
    await assert.rejects(async () => {
      const request = { model: `${name}/fake-error-3`, messages: ask("hi"), stream: true };
      for await (const _ of await client.chat.completions.create(request));
    }, OpenAI.APIError);
  });
}
