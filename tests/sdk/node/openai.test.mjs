// The stock OpenAI SDK for Node, which knows nothing of Tollgate.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { apiKey, ask, gateway, mint } from "./gateway.mjs";

const client = (key) => new OpenAI({ baseURL: `${gateway}/v1`, apiKey: key, maxRetries: 0 });

test("a plain chat", async () => {
  const answer = await client(await mint()).chat.completions.create({ model: "openai/gpt-4o", messages: ask("the tide is high") });
  assert.match(answer.choices[0].message.content, /the tide is high/);
  assert.ok(answer._request_id);
});

test("a streamed chat", async () => {
  const stream = await client(await mint()).chat.completions.create({ model: "gpt-4o", messages: ask("one two three"), stream: true });
  let text = "";
  let reason = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    reason = chunk.choices[0]?.finish_reason ?? reason;
  }
  assert.match(text, /one two three/);
  assert.equal(reason, "stop");
});

test("tools, streamed, through the SDK's own assembler", async () => {
  const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } } }];
  const runner = client(await mint()).chat.completions.stream({ model: "openai/fake-tools", messages: ask("weather in Oslo?"), tools });
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.tool_calls[0].function.name, "get_weather");
});

test("embeddings come as the SDK asked for them", async () => {
  const answer = await client(await mint()).embeddings.create({ model: "text-embedding-3-small", input: ["a", "b"] });
  assert.equal(answer.data.length, 2);
  assert.equal(typeof answer.data[0].embedding[0], "number");
});

test("models are listed", async () => {
  const ids = [];
  for await (const model of await client(await mint()).models.list()) ids.push(model.id);
  assert.ok(ids.includes("openai/gpt-4o") && ids.includes("fast"));
  assert.equal((await client(await mint()).models.retrieve("gpt-4o")).id, "openai/gpt-4o");
  assert.equal((await client(await mint()).models.retrieve("openai/gpt-4o")).id, "openai/gpt-4o");
});

test("a callable key is asked for each request", async () => {
  let asked = 0;
  const key = async () => {
    asked += 1;
    return mint();
  };
  await client(key).chat.completions.create({ model: "gpt-4o", messages: ask("hi") });
  assert.ok(asked >= 1);
});

test("errors have the SDK's own types and codes", async () => {
  const token = await mint();
  await assert.rejects(client(token).chat.completions.create({ model: "no-such-model", messages: ask("hi") }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    assert.ok(error.requestID);
    return true;
  });
  await assert.rejects(client(apiKey).chat.completions.create({ model: "gpt-4o", messages: ask("hi") }), (error) => {
    assert.ok(error instanceof OpenAI.AuthenticationError);
    assert.equal(error.code, "api_key_not_allowed");
    return true;
  });
});

test("a limit is a rate limit error", async () => {
  const limited = client(await mint(undefined, { tier: "free" }));
  await assert.rejects(
    async () => {
      for (let i = 0; i < 30; i++) await limited.chat.completions.create({ model: "gpt-4o", messages: ask("hi") });
    },
    (error) => {
      assert.ok(error instanceof OpenAI.RateLimitError);
      assert.equal(error.code, "rate_limit_exceeded");
      return true;
    },
  );
});

test("a stream that breaks off is an error, not an end", async () => {
  const stream = await client(await mint()).chat.completions.create({ model: "openai/fake-cut-3", messages: ask("hi"), stream: true });
  await assert.rejects(async () => {
    for await (const _ of stream);
  });
});

test("no answer ends early without a word", async () => {
  for (const behaviour of ["end-3", "end-1", "error-1", "cut-1"]) {
    await assert.rejects(async () => {
      const request = { model: `openai/fake-${behaviour}`, messages: ask("hi"), stream: true };
      for await (const _ of await client(await mint()).chat.completions.create(request));
    }, OpenAI.APIError, behaviour);
  }
});

test("a thread remembers", async () => {
  const remembering = client(await mint());
  for (const text of ["my name is Ada", "what is my name?"]) {
    await remembering.chat.completions.create({ model: "gpt-4o", messages: ask(text) }, { headers: { "x-thread-id": "node-openai" } });
  }
  const messages = await remembering.get("/threads/node-openai/messages");
  assert.deepEqual(messages.data.map((it) => it.role), ["user", "assistant", "user", "assistant"]);
});
