"""A backend with one route: `GET /token` gives whoever is signed in a token for the gateway.

GATEWAY_URL, API_KEY and PORT come from the environment. The API key never leaves this process.
"""

import json
import os
import urllib.request
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Stands for your own sessions.
SIGNED_IN = {"session-of-ada": "ada"}


def mint(user: str) -> dict:
    """A token for one user, good for five minutes."""
    request = urllib.request.Request(
        f"{os.environ['GATEWAY_URL']}/v1/auth/mint",
        headers={"authorization": f"Bearer {os.environ['API_KEY']}", "content-type": "application/json"},
        data=json.dumps({"user_id": user, "ttl": 300}).encode(),
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        minted = json.load(answer)
    return {"token": minted["access_token"], "expires_in": minted["expires_in"]}


class Backend(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        cookie = SimpleCookie(self.headers.get("cookie", "")).get("session")
        user = SIGNED_IN.get(cookie.value) if cookie else None
        if self.path != "/token":
            self.answer(404, {})
        elif user is None:
            self.answer(401, {"error": "sign in first"})
        else:
            self.answer(200, mint(user))

    def answer(self, status: int, body: dict) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("cache-control", "no-store")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Backend).serve_forever()
