// The stock OpenAI SDK with a function as key. GATEWAY_URL and TOKEN_URL come from the environment.

import OpenAI from "openai";

const { GATEWAY_URL, TOKEN_URL } = process.env;
let kept = { token: "", until: 0 };

/** The user's token; asks the backend for another one half a minute before it expires. */
async function token() {
  if (Date.now() >= kept.until) {
    const answer = await fetch(TOKEN_URL, { headers: { cookie: "session=session-of-ada" } });
    if (!answer.ok) throw new Error(`no token: ${answer.status}`);
    const got = await answer.json();
    kept = { token: got.token, until: Date.now() + (got.expires_in - 30) * 1000 };
  }
  return kept.token;
}

const client = new OpenAI({ baseURL: `${GATEWAY_URL}/v1`, apiKey: token });
const messages = [{ role: "user", content: process.argv.slice(2).join(" ") || "hi" }];

const answer = await client.chat.completions.create({ model: "gpt-4o", messages });
console.log(answer.choices[0].message.content);

const stream = await client.chat.completions.create({ model: "gpt-4o", messages, stream: true });
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
console.log();
