// Threads through the stock OpenAI SDK: chatted in by a header, read, filled and deleted as conversations.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import OpenAI from "openai";
import { ask, gateway, mint, setting, tool } from "./gateway.mjs";

const PICTURE = "https://pictures.example/oslo.png";

const client = (key, defaultHeaders = {}) => new OpenAI({ baseURL: `${gateway}/v1`, apiKey: key, maxRetries: 0, defaultHeaders });

/** What the provider was sent in the last request that held `word`. */
async function heard(word) {
  const { requests } = await (await fetch(`${setting("FAKE_URL")}/_control/requests`)).json();
  return requests.filter((it) => JSON.stringify(it.body).includes(word)).at(-1).body.messages;
}

/** All items, page by page. */
async function all(pages) {
  const items = [];
  for await (const item of pages) items.push(item);
  return items;
}

test("the second turn sees the first, plain and streamed", async () => {
  for (const stream of [false, true]) {
    const chatting = client(await mint(), { "x-thread-id": randomUUID() });
    const word = randomUUID();
    for (const text of [`my word is ${word}`, "what is my word?"]) {
      const answer = await chatting.chat.completions.create({ model: "gpt-4o", messages: ask(text), stream });
      if (stream) for await (const _ of answer);
    }
    const first = `my word is ${word}`;
    assert.deepEqual(
      (await heard(word)).map((it) => [it.role, it.content]),
      [["user", first], ["assistant", `You said: ${first}`], ["user", "what is my word?"]],
    );
  }
});

test("a chat with tools and a picture is a conversation with items", async () => {
  const key = await mint();
  const thread = randomUUID();
  const chatting = client(key, { "x-thread-id": thread });
  const picture = [{ type: "text", text: "weather here?" }, { type: "image_url", image_url: { url: PICTURE } }];
  const tide = { ...tool, function: { ...tool.function, name: "get_tide" } };
  const runner = chatting.chat.completions.stream({ model: "openai/fake-tools", messages: [{ role: "user", content: picture }], tools: [tool, tide] });
  const calls = (await runner.finalChatCompletion()).choices[0].message.tool_calls;
  const results = calls.map((it) => ({ role: "tool", tool_call_id: it.id, content: `result of ${it.function.name}` }));
  await chatting.chat.completions.create({ model: "gpt-4o", messages: results });

  const conversations = client(key).conversations;
  assert.equal((await conversations.retrieve(thread)).object, "conversation");
  const items = await all(conversations.items.list(thread, { order: "asc", limit: 2 }));
  assert.deepEqual(
    items.map((it) => it.type),
    ["message", "function_call", "function_call", "function_call_output", "function_call_output", "message"],
  );
  assert.equal(items[0].content[1].image_url, PICTURE);
  assert.deepEqual([items[1].name, items[2].name], ["get_weather", "get_tide"]);
  assert.deepEqual([items[3].call_id, items[3].output], [items[1].call_id, "result of get_weather"]);
  assert.deepEqual([items[5].content[0].type, items[5].status], ["output_text", "completed"]);
  const backwards = await all(conversations.items.list(thread, { limit: 5, include: ["message.output_text.logprobs"] }));
  assert.deepEqual(backwards.map((it) => it.id), items.map((it) => it.id).reverse());
  assert.deepEqual(await conversations.items.retrieve(items[2].id, { conversation_id: thread }), items[2]);
  // One of the two calls goes, and nothing else.
  assert.equal((await conversations.items.delete(items[2].id, { conversation_id: thread })).id, thread);
  const left = await all(conversations.items.list(thread, { order: "asc" }));
  assert.deepEqual(left.map((it) => it.id), items.map((it) => it.id).filter((it) => it !== items[2].id));
});

test("a conversation is made, filled, chatted in and deleted", async () => {
  const remembering = client(await mint());
  const word = randomUUID();
  const made = await remembering.conversations.create({ items: ask(`my word is ${word}`), metadata: { topic: "words" } });
  assert.match(made.id, /^conv_/);
  const added = await remembering.conversations.items.create(made.id, {
    items: [{ type: "message", role: "assistant", content: "noted" }],
  });
  assert.deepEqual([added.data.length, added.first_id, added.has_more], [1, added.data[0].id, false]);
  await remembering.chat.completions.create({ model: "gpt-4o", messages: ask("well?") }, { headers: { "x-thread-id": made.id } });
  assert.deepEqual((await heard(word)).map((it) => it.role), ["user", "assistant", "user"]);
  assert.deepEqual((await remembering.conversations.update(made.id, { metadata: null })).metadata, {});
  const refused = remembering.conversations.items.create(made.id, { items: [{ type: "item_reference", id: "msg_1" }] });
  await assert.rejects(refused, (error) => error instanceof OpenAI.BadRequestError && error.param === "items[0].type");
  const eve = client(await mint());
  await assert.rejects(eve.conversations.retrieve(made.id), OpenAI.NotFoundError);
  await assert.rejects(all(eve.conversations.items.list(made.id)), OpenAI.NotFoundError);
  assert.deepEqual(await remembering.conversations.delete(made.id), { id: made.id, object: "conversation.deleted", deleted: true });
  await assert.rejects(remembering.conversations.retrieve(made.id), { code: "conversation_not_found" });
});
