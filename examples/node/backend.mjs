// A backend with one route: `GET /token` gives whoever is signed in a token for the gateway.
//
// GATEWAY_URL, API_KEY and PORT come from the environment. The API key never leaves this process.

import { createServer } from "node:http";

const { GATEWAY_URL, API_KEY, PORT } = process.env;

// Stands for your own sessions.
const signedIn = new Map([["session-of-ada", "ada"]]);

/** A token for one user, good for five minutes. */
async function mint(user) {
  const answer = await fetch(`${GATEWAY_URL}/v1/auth/mint`, {
    method: "POST",
    headers: { authorization: `Bearer ${API_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ user_id: user, ttl: 300 }),
  });
  if (!answer.ok) throw new Error(`mint: ${answer.status}`);
  const minted = await answer.json();
  return { token: minted.access_token, expires_in: minted.expires_in };
}

async function answer(request) {
  if (request.url !== "/token") return [404, {}];
  const session = /(?:^|;\s*)session=([^;]*)/.exec(request.headers.cookie ?? "")?.[1];
  const user = signedIn.get(session);
  return user === undefined ? [401, { error: "sign in first" }] : [200, await mint(user)];
}

createServer(async (request, response) => {
  const [status, body] = await answer(request).catch(() => [502, { error: "no token to be had" }]);
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}).listen(Number(PORT), "127.0.0.1");
