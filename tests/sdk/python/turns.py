"""Random conversations: what the companion keeps of each turn is what the SDK put together of the same stream.

The Rust test `sdk_turns` makes the streams, tells the fake provider to say them, and starts this file by its name.
"""

import json

import httpx
import openai
import pytest
from conftest import setting

with open(setting("CONVERSATIONS"), encoding="utf-8") as file:
    CONVERSATIONS = json.load(file)


@pytest.fixture(scope="module")
def client() -> openai.OpenAI:
    headers = {"x-project-id": setting("PROJECT"), "x-end-user-id": setting("END_USER")}
    with httpx.Client() as http:
        base = f"{setting('GATEWAY_URL')}/v1"
        yield openai.OpenAI(base_url=base, api_key=setting("TOKEN"), max_retries=0, default_headers=headers, http_client=http)


@pytest.fixture(scope="module")
def stored():
    """What the companion's API says of a thread: its messages, without the members that it adds."""
    with httpx.Client(base_url=setting("COMPANION_URL"), headers={"authorization": f"Bearer {setting('TOKEN')}"}) as http:

        def stored(thread: str) -> list[dict]:
            answer = http.get(f"/v1/threads/{thread}/messages", params={"limit": 1000})
            if answer.status_code == 404:
                return []
            assert answer.status_code == 200, answer.text
            return answer.json()["data"]

        yield stored


def call(it) -> dict:
    """A tool call in the API's shape; the SDK adds `index` to it, and what it makes of the arguments."""
    it = it.to_dict()
    called = {name: text for name, text in it[it["type"]].items() if name != "parsed_arguments"}
    return {"id": it["id"], "type": it["type"], it["type"]: called}


def assembled(client, thread: str, turn: dict, messages: list[dict]):
    """What the SDK has of each choice when the stream is over, and whether it was over without an error."""
    asked = {"model": turn["model"], "n": turn["n"], "messages": messages, "extra_headers": {"x-thread-id": thread}}
    stream, whole = None, True
    try:
        with client.chat.completions.stream(**asked) as stream:
            stream.until_done()
    except (openai.APIError, httpx.HTTPError, json.JSONDecodeError):
        # The last of these is half an event, behind which the gateway says that there was an error.
        whole = False
    try:
        return stream.current_completion_snapshot.choices if stream else [], whole
    except AssertionError:
        # Not one event came.
        return [], whole


def kept(choice, whole: bool) -> dict | None:
    """How a choice is to be kept: half a tool call would make every provider refuse the thread from then on."""
    message, complete = choice.message, whole and bool(choice.finish_reason)
    calls = [call(it) for it in message.tool_calls or []] if complete else []
    said = {"content": message.content or None, "refusal": message.refusal or None, "tool_calls": calls or None}
    if not complete and not any(said.values()):
        return None
    index = {"choice_index": choice.index} if choice.index else {}
    return {**said, **index, "complete": complete}


def shown(message: dict) -> dict:
    said = {name: message.get(name) or None for name in ["content", "refusal", "tool_calls"]}
    return {**said, **{name: message[name] for name in ["choice_index", "complete"] if name in message}}


@pytest.mark.parametrize("conversation", CONVERSATIONS, ids=lambda it: it["thread"])
def test_what_is_kept_is_what_the_sdk_put_together(client, stored, conversation):
    thread, messages, before = conversation["thread"], [{"role": "user", "content": "go on"}], []
    for turn in conversation["turns"]:
        choices, whole = assembled(client, thread, turn, messages)
        # The SDK overlooks half an event at the end; what ends within one did not come to its end.
        expected = [kept(it, whole and not turn["torn"]) for it in choices]
        after = stored(thread)
        assert after[: len(before)] == before, "what was said before stays"
        new = after[len(before) :]
        # Without the first choice there is no answer to go on from.
        if not expected or not expected[0]:
            assert new == [], turn
            messages = [{"role": "user", "content": "once more"}]
            continue
        asked, answers = new[: len(messages)], new[len(messages) :]
        assert [{name: it[name] for name in sent} for it, sent in zip(asked, messages, strict=True)] == messages
        assert [shown(it) for it in answers] == [it for it in expected if it], turn
        assert {it["complete"] for it in asked} == {expected[0]["complete"]}, turn
        before = after
        calls = expected[0]["tool_calls"] or []
        messages = [{"role": "tool", "tool_call_id": it["id"], "content": "42"} for it in calls]
        messages = messages or [{"role": "user", "content": "go on"}]
