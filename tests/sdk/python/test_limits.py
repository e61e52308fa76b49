"""What the stock SDK makes of limits, budgets and usage."""

import re

import httpx
import openai
import pytest

from conftest import setting


def ask(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def counting(gateway):
    """A client with the SDK's own retries, and the statuses of the answers that it had."""

    def client(token: str) -> tuple[openai.OpenAI, list[int]]:
        statuses = []
        http = httpx.Client(event_hooks={"response": [lambda answer: statuses.append(answer.status_code)]})
        return openai.OpenAI(base_url=f"{gateway}/v1", api_key=token, http_client=http), statuses

    return client


def test_a_budget_that_is_used_up_is_an_error_and_not_retried(counting):
    client, statuses = counting(setting("SPENT_TOKEN"))
    with pytest.raises(openai.APIStatusError) as error:
        client.chat.completions.create(model="openai/gpt-4o", messages=ask("hi"), max_tokens=5)
    assert (error.value.status_code, error.value.code) == (402, "quota_exceeded")
    assert statuses == [402]


@pytest.mark.parametrize("usage", [False, True])
def test_a_stream_past_its_budget_ends_as_if_it_had_been_long_enough(counting, usage):
    client, statuses = counting(setting("CAPPED_TOKEN_WITH_USAGE" if usage else "CAPPED_TOKEN"))
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(
        client.chat.completions.create(
            model="openai/fake-even-400+slow-1ms", messages=ask("hi"), max_tokens=20, stream=True, **options
        )
    )
    text = "".join(it.choices[0].delta.content or "" for it in chunks if it.choices)
    assert [it.choices[0].finish_reason for it in chunks if it.choices][-1] == "length"
    assert 0 < len(text.split()) <= 100
    assert bool(chunks[-1].usage) == usage, "the usage chunk comes when it was asked for"
    if usage:
        assert chunks[-1].usage.completion_tokens <= 100
    with pytest.raises(openai.APIStatusError) as error:
        client.chat.completions.create(model="openai/gpt-4o", messages=ask("hi"), max_tokens=20)
    assert error.value.status_code == 402
    assert statuses == [200, 402]


def test_the_headers_say_what_is_left(client):
    answer = client.chat.completions.with_raw_response.create(model="openai/gpt-4o", messages=ask("hi"))
    limit, remaining = (int(answer.headers[f"x-ratelimit-{it}-requests"]) for it in ["limit", "remaining"])
    assert 0 <= remaining < limit
    assert re.fullmatch(r"(\d+h)?(\d+m)?(\d+(\.\d+)?s)?|\d+ms", answer.headers["x-ratelimit-reset-requests"])
    assert answer.headers["x-tollgate-model"]


def test_usage_that_nobody_asked_for_stays_out_of_the_stream(client):
    chunks = list(client.chat.completions.create(model="openai/gpt-4o", messages=ask("hi"), stream=True))
    assert all(it.choices and not it.usage for it in chunks), "code that reads choices[0] must not break"
