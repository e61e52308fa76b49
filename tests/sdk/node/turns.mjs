// Random conversations: what the companion keeps of each turn is what the SDK put together of the same stream. The Rust test
// `sdk_turns` makes the streams, tells the fake provider to say them, and starts this file by its name.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import OpenAI from "openai";
import { gateway, setting } from "./gateway.mjs";

const conversations = JSON.parse(readFileSync(setting("CONVERSATIONS"), "utf8"));
const defaultHeaders = { "x-project-id": setting("PROJECT"), "x-end-user-id": setting("END_USER") };
const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: setting("TOKEN"), maxRetries: 0, defaultHeaders });

/** What the companion's API says of a thread. */
async function stored(thread) {
  const headers = { authorization: `Bearer ${setting("TOKEN")}` };
  const answer = await fetch(`${setting("COMPANION_URL")}/v1/threads/${thread}/messages?limit=1000`, { headers });
  if (answer.status === 404) return [];
  assert.equal(answer.status, 200);
  return (await answer.json()).data;
}

/** What the SDK has of each choice when the stream is over, and whether it was over without an error. */
async function assembled(thread, turn, messages) {
  let snapshot;
  const runner = client.chat.completions.stream({ model: turn.model, n: turn.n, messages }, { headers: { "x-thread-id": thread } });
  runner.on("chunk", (_, so_far) => (snapshot = so_far));
  let whole = true;
  try {
    await runner.finalChatCompletion();
  } catch (error) {
    // It refuses to finish where a choice has not ended, which is no error of the stream.
    whole = /missing finish_reason/.test(error.message);
  }
  return { choices: snapshot?.choices ?? [], whole };
}

/** A tool call in the API's shape. */
const call = (it) => ({ id: it.id, type: it.type, [it.type]: it[it.type] });

/** How a choice is to be kept: half a tool call would make every provider refuse the thread from then on. */
function kept(choice, whole) {
  const { content, refusal, tool_calls } = choice.message;
  const complete = whole && Boolean(choice.finish_reason);
  const calls = complete && tool_calls?.length ? tool_calls.map(call) : null;
  const said = { content: content || null, refusal: refusal || null, tool_calls: calls };
  if (!complete && !Object.values(said).some((it) => it)) return null;
  return { ...said, ...(choice.index ? { choice_index: choice.index } : {}), complete };
}

function shown({ content, refusal, tool_calls, choice_index, complete }) {
  const index = choice_index === undefined ? {} : { choice_index };
  return { content: content || null, refusal: refusal || null, tool_calls: tool_calls ?? null, ...index, complete };
}

/** As JSON has it: without prototypes, proxies and members that are not there. */
const plain = (it) => JSON.parse(JSON.stringify(it));

async function check({ thread, turns }) {
  let messages = [{ role: "user", content: "go on" }];
  let before = [];
  for (const turn of turns) {
    const { choices, whole } = await assembled(thread, turn, messages);
    // The SDK overlooks half an event at the end; what ends within one did not come to its end.
    const expected = choices.map((it) => kept(it, whole && !turn.torn));
    const after = await stored(thread);
    assert.deepEqual(after.slice(0, before.length), before, "what was said before stays");
    const fresh = after.slice(before.length);
    // Without the first choice there is no answer to go on from.
    if (!expected[0]) {
      assert.deepEqual(fresh, [], JSON.stringify(turn));
      messages = [{ role: "user", content: "once more" }];
      continue;
    }
    const asked = fresh.slice(0, messages.length);
    assert.deepEqual(asked.map((it, at) => Object.fromEntries(Object.keys(messages[at]).map((name) => [name, it[name]]))), messages);
    assert.deepEqual(fresh.slice(messages.length).map(shown), plain(expected.filter((it) => it)), JSON.stringify(turn));
    assert.ok(asked.every((it) => it.complete === expected[0].complete), JSON.stringify(turn));
    before = after;
    messages = (expected[0].tool_calls ?? []).map((it) => ({ role: "tool", tool_call_id: it.id, content: "42" }));
    if (messages.length === 0) messages = [{ role: "user", content: "go on" }];
  }
}

for (const conversation of conversations) test(`what is kept of ${conversation.thread}`, () => check(conversation));
