"""A token that has expired is replaced by the stock OpenAI SDK alone: the key is a function, and the gateway says when to
call it again. Nothing here retries; the SDK has its default settings."""

import asyncio

import openai
import pytest

from conftest import setting


def ask(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def seen() -> list[dict]:
    """What went over the wire: each attempt with what the gateway answered."""
    return []


@pytest.fixture
def connect(gateway, seen):
    """A client whose key is a function, with a record of its attempts."""

    def note(answer) -> None:
        seen.append(
            {
                "token": answer.request.headers["authorization"].removeprefix("Bearer "),
                "retry": answer.request.headers["x-stainless-retry-count"],
                "status": answer.status_code,
                "should_retry": answer.headers.get("x-should-retry"),
                "wait": answer.headers.get("retry-after-ms"),
            }
        )

    def connect(key) -> openai.OpenAI:
        http = openai.DefaultHttpxClient(event_hooks={"response": [note]})
        return openai.OpenAI(base_url=f"{gateway}/v1", api_key=key, http_client=http)

    return connect


def text_of(client: openai.OpenAI, stream: bool) -> str:
    answer = client.chat.completions.create(model="gpt-4o", messages=ask("the tide is high"), stream=stream)
    if not stream:
        return answer.choices[0].message.content
    return "".join(it.choices[0].delta.content or "" for it in answer if it.choices)


@pytest.mark.parametrize("stream", [False, True])
def test_an_expired_token_is_replaced_by_a_new_one(connect, mint, seen, stream):
    old, new = setting("EXPIRED_TOKEN"), mint()
    tokens = [old, new]
    assert "the tide is high" in text_of(connect(lambda: tokens.pop(0)), stream)
    assert [it["token"] for it in seen] == [old, new]
    assert [it["retry"] for it in seen] == ["0", "1"]
    assert [it["status"] for it in seen] == [401, 200]
    assert seen[0]["should_retry"] == "true"
    assert 0 < int(seen[0]["wait"]) <= 1000, "the SDK need not wait for long"
    assert seen[1]["should_retry"] is None


def test_a_key_that_never_gives_a_new_token_is_asked_twice_and_no_more(connect, seen):
    asked = []

    def key() -> str:
        asked.append(1)
        return setting("EXPIRED_TOKEN")

    with pytest.raises(openai.AuthenticationError) as error:
        text_of(connect(key), stream=False)
    assert (error.value.status_code, error.value.code) == (401, "token_expired")
    assert [it["should_retry"] for it in seen] == ["true", None]
    assert len(asked) == 2


@pytest.mark.parametrize("name", ["FORGED_TOKEN", "FORGED_EXPIRED_TOKEN"])
def test_an_invalid_token_is_not_tried_again(connect, seen, name):
    with pytest.raises(openai.AuthenticationError) as error:
        text_of(connect(lambda: setting(name)), stream=False)
    assert error.value.code == "invalid_token"
    assert [it["should_retry"] for it in seen] == [None]


@pytest.mark.parametrize("stream", [False, True])
def test_an_asynchronous_key(gateway, mint, stream):
    tokens = [setting("EXPIRED_TOKEN"), mint()]

    async def key() -> str:
        return tokens.pop(0)

    async def text() -> str:
        client = openai.AsyncOpenAI(base_url=f"{gateway}/v1", api_key=key)
        answer = await client.chat.completions.create(model="gpt-4o", messages=ask("hi there"), stream=stream)
        if stream:
            return "".join([it.choices[0].delta.content or "" async for it in answer if it.choices])
        return answer.choices[0].message.content

    assert "hi there" in asyncio.run(text())
    assert tokens == []
