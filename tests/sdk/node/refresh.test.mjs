// A token that has expired is replaced by the stock OpenAI SDK alone: the key is a function, and the gateway says when to
// call it again. Nothing here retries; the SDK has its default settings.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { ask, gateway, mint, setting } from "./gateway.mjs";

/** A client whose key is a function, and what went over the wire: each attempt with what the gateway answered. */
function connect(key) {
  const seen = [];
  const record = async (url, init) => {
    const answer = await fetch(url, init);
    const sent = new Headers(init.headers);
    seen.push({
      token: sent.get("authorization").replace("Bearer ", ""),
      retry: sent.get("x-stainless-retry-count"),
      status: answer.status,
      shouldRetry: answer.headers.get("x-should-retry"),
      wait: answer.headers.get("retry-after-ms"),
    });
    return answer;
  };
  return { client: new OpenAI({ baseURL: `${gateway}/v1`, apiKey: key, fetch: record }), seen };
}

async function textOf(client, stream) {
  const answer = await client.chat.completions.create({ model: "gpt-4o", messages: ask("the tide is high"), stream });
  if (!stream) return answer.choices[0].message.content;
  let text = "";
  for await (const chunk of answer) text += chunk.choices[0]?.delta.content ?? "";
  return text;
}

for (const stream of [false, true]) {
  test(`an expired token is replaced by a new one, stream: ${stream}`, async () => {
    const [old, fresh] = [setting("EXPIRED_TOKEN"), await mint()];
    const tokens = [old, fresh];
    const { client, seen } = connect(async () => tokens.shift());
    assert.match(await textOf(client, stream), /the tide is high/);
    assert.deepEqual(seen.map((it) => it.token), [old, fresh]);
    assert.deepEqual(seen.map((it) => it.retry), ["0", "1"]);
    assert.deepEqual(seen.map((it) => it.status), [401, 200]);
    assert.deepEqual(seen.map((it) => it.shouldRetry), ["true", null]);
    assert.ok(Number(seen[0].wait) > 0 && Number(seen[0].wait) <= 1000, "the SDK need not wait for long");
  });
}

test("a key that never gives a new token is asked twice and no more", async () => {
  let asked = 0;
  const { client, seen } = connect(async () => {
    asked += 1;
    return setting("EXPIRED_TOKEN");
  });
  await assert.rejects(textOf(client, false), (error) => {
    assert.ok(error instanceof OpenAI.AuthenticationError);
    assert.equal(error.code, "token_expired");
    return true;
  });
  assert.deepEqual(seen.map((it) => it.shouldRetry), ["true", null]);
  assert.equal(asked, 2);
});

for (const name of ["FORGED_TOKEN", "FORGED_EXPIRED_TOKEN"]) {
  test(`an invalid token is not tried again: ${name}`, async () => {
    const { client, seen } = connect(async () => setting(name));
    await assert.rejects(textOf(client, false), (error) => {
      assert.ok(error instanceof OpenAI.AuthenticationError);
      assert.equal(error.code, "invalid_token");
      return true;
    });
    assert.deepEqual(seen.map((it) => it.shouldRetry), [null]);
  });
}
