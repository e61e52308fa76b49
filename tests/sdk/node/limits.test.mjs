// What the stock SDK makes of limits, budgets and usage.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { ask, gateway, mint, setting } from "./gateway.mjs";

/** A client with the SDK's own retries, and the statuses of the answers that it had. */
function counting(token) {
  const statuses = [];
  const observed = async (...request) => {
    const answer = await fetch(...request);
    statuses.push(answer.status);
    return answer;
  };
  return [new OpenAI({ baseURL: `${gateway}/v1`, apiKey: token, fetch: observed }), statuses];
}

test("a budget that is used up is an error and not retried", async () => {
  const [client, statuses] = counting(setting("SPENT_TOKEN"));
  await assert.rejects(client.chat.completions.create({ model: "openai/gpt-4o", messages: ask("hi"), max_tokens: 5 }), (error) => {
    assert.ok(error instanceof OpenAI.APIError);
    assert.deepEqual([error.status, error.code], [402, "quota_exceeded"]);
    return true;
  });
  assert.deepEqual(statuses, [402]);
});

for (const usage of [false, true]) {
  test(`a stream past its budget ends as if it had been long enough, usage ${usage ? "asked for" : "not asked for"}`, async () => {
    const [client, statuses] = counting(setting(usage ? "CAPPED_TOKEN_WITH_USAGE" : "CAPPED_TOKEN"));
    const options = usage ? { stream_options: { include_usage: true } } : {};
    const request = { model: "openai/fake-even-400+slow-1ms", messages: ask("hi"), max_tokens: 20, stream: true, ...options };
    let [text, reason, last] = ["", null, null];
    for await (const chunk of await client.chat.completions.create(request)) {
      text += chunk.choices[0]?.delta.content ?? "";
      reason = chunk.choices[0]?.finish_reason ?? reason;
      last = chunk;
    }
    assert.equal(reason, "length");
    const words = text.trim().split(/\s+/).length;
    assert.ok(words > 0 && words <= 100, text);
    assert.equal(Boolean(last.usage), usage);
    await assert.rejects(client.chat.completions.create({ model: "openai/gpt-4o", messages: ask("hi"), max_tokens: 20 }), { status: 402 });
    assert.deepEqual(statuses, [200, 402]);
  });
}

test("the headers say what is left", async () => {
  const [client] = counting(await mint());
  const { response } = await client.chat.completions.create({ model: "openai/gpt-4o", messages: ask("hi") }).withResponse();
  const [limit, remaining] = ["limit", "remaining"].map((it) => Number(response.headers.get(`x-ratelimit-${it}-requests`)));
  assert.ok(remaining >= 0 && remaining < limit);
  assert.match(response.headers.get("x-ratelimit-reset-requests"), /^((\d+h)?(\d+m)?(\d+(\.\d+)?s)?|\d+ms)$/);
});

test("usage that nobody asked for stays out of the stream", async () => {
  const [client] = counting(await mint());
  for await (const chunk of await client.chat.completions.create({ model: "openai/gpt-4o", messages: ask("hi"), stream: true })) {
    assert.ok(chunk.choices.length === 1 && !chunk.usage, "code that reads choices[0] must not break");
  }
});
