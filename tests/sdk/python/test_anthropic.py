"""The stock OpenAI SDK and a provider that speaks Anthropic's native Messages API."""

import openai
import pytest
from test_openai import WEATHER, ask

MODEL = "anthropic/claude-sonnet-4-5"


def test_a_plain_chat(client):
    answer = client.chat.completions.create(
        model=MODEL, messages=[{"role": "system", "content": "be brief"}, *ask("the tide is high")], temperature=1.5
    )
    assert answer.choices[0].message.content == "You said: the tide is high"
    assert (answer.object, answer.choices[0].finish_reason) == ("chat.completion", "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens_details.cached_tokens > 0


@pytest.mark.parametrize("usage", [False, True])
def test_a_streamed_chat(client, usage):
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(client.chat.completions.create(model=MODEL, messages=ask("one two three"), stream=True, **options))
    text = "".join(it.choices[0].delta.content or "" for it in chunks if it.choices)
    assert text == "You said: one two three"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [it.choices[0].finish_reason for it in chunks if it.choices][-1] == "stop"
    assert bool(chunks[-1].usage) == usage, "the usage chunk comes when it was asked for"


def test_the_sdk_puts_a_streamed_tool_call_together(client):
    asked = {"model": "anthropic/fake-tools", "messages": ask("weather in Oslo?"), "tools": [WEATHER]}
    with client.chat.completions.stream(**asked) as stream:
        for _ in stream:
            pass
        choice = stream.get_final_completion().choices[0]
    call = choice.message.tool_calls[0]
    assert (choice.finish_reason, call.function.name) == ("tool_calls", "get_weather")
    assert call.function.arguments == '{"heard":"weather in Oslo?"}'
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
    answer = client.chat.completions.create(
        model=MODEL, messages=[*ask("weather in Oslo?"), choice.message, result], tools=[WEATHER]
    )
    assert answer.choices[0].message.content == "The tool said: rain"


def test_errors_are_the_sdks_own(client):
    with pytest.raises(openai.BadRequestError) as error:
        client.chat.completions.create(model=MODEL, messages=ask("hi"), n=2)
    assert (error.value.code, error.value.param) == ("unsupported_parameter", "n")
    with pytest.raises(openai.RateLimitError) as error:
        client.chat.completions.create(model="anthropic/fake-429", messages=ask("hi"))
    assert (error.value.type, error.value.param) == ("rate_limit_error", None)
    with pytest.raises(openai.APIError) as error:
        list(client.chat.completions.create(model="anthropic/fake-error-4", messages=ask("hi"), stream=True))
    assert "told to answer 500" in error.value.message
    with pytest.raises(openai.APIError) as error:
        list(client.chat.completions.create(model="anthropic/fake-end-4", messages=ask("hi"), stream=True))
    assert "in the middle" in error.value.message
