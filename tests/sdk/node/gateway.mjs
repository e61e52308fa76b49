// What the tests share. The Rust test `sdk` starts the gateway and says here where it is.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

/** A missing gateway is an error, never a skip. */
export function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; run \`cargo nextest run -p tests --test sdk\``);
  return value;
}

export const gateway = setting("GATEWAY_URL");
export const apiKey = setting("API_KEY");

export const ask = (text) => [{ role: "user", content: text }];

export const tool = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};

/** Mints a token, by default for a user whom no other test has. */
export async function mint(user = `user-${randomUUID()}`, more = {}) {
  const answer = await fetch(`${gateway}/v1/auth/mint`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ user_id: user, ...more }),
  });
  assert.equal(answer.status, 200);
  return (await answer.json()).access_token;
}
