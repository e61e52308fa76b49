"""The stock OpenAI SDK with a function as key. GATEWAY_URL and TOKEN_URL come from the environment."""

import json
import os
import sys
import time
import urllib.request

from openai import OpenAI

kept = {"token": "", "until": 0.0}


def token() -> str:
    """The user's token; asks the backend for another one half a minute before it expires."""
    if time.time() >= kept["until"]:
        request = urllib.request.Request(os.environ["TOKEN_URL"], headers={"cookie": "session=session-of-ada"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            got = json.load(answer)
        kept.update(token=got["token"], until=time.time() + got["expires_in"] - 30)
    return kept["token"]


client = OpenAI(base_url=f"{os.environ['GATEWAY_URL']}/v1", api_key=token)
messages = [{"role": "user", "content": " ".join(sys.argv[1:]) or "hi"}]

answer = client.chat.completions.create(model="gpt-4o", messages=messages)
print(answer.choices[0].message.content)

for chunk in client.chat.completions.create(model="gpt-4o", messages=messages, stream=True):
    print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="", flush=True)
print()
