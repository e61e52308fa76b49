"""The stock OpenAI SDK, which knows nothing of Tollgate."""

import openai
import pytest

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def ask(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def test_a_plain_chat(client):
    answer = client.chat.completions.create(model="openai/gpt-4o", messages=ask("the tide is high"))
    assert "the tide is high" in answer.choices[0].message.content
    assert answer.model == "gpt-4o"
    assert answer.usage.total_tokens > 0
    assert answer._request_id


@pytest.mark.parametrize("usage", [False, True])
def test_a_streamed_chat(client, usage):
    options = {"stream_options": {"include_usage": True}} if usage else {}
    chunks = list(
        client.chat.completions.create(model="gpt-4o", messages=ask("one two three"), stream=True, **options)
    )
    text = "".join(it.choices[0].delta.content or "" for it in chunks if it.choices)
    assert "one two three" in text
    assert [it.choices[0].finish_reason for it in chunks if it.choices][-1] == "stop"
    assert bool(chunks[-1].usage) == usage, "the usage chunk comes when it was asked for"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called(client, stream):
    asked = {"model": "openai/fake-tools", "messages": ask("weather in Oslo?"), "tools": [WEATHER]}
    if stream:
        deltas = [it.choices[0].delta for it in client.chat.completions.create(stream=True, **asked) if it.choices]
        calls = [call for delta in deltas for call in delta.tool_calls or []]
        assert "".join(it.function.name or "" for it in calls) == "get_weather"
    else:
        message = client.chat.completions.create(**asked).choices[0].message
        assert message.tool_calls[0].function.name == "get_weather"


def test_embeddings_come_as_the_sdk_asked_for_them(client):
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    assert [it.index for it in answer.data] == [0, 1]
    assert all(isinstance(number, float) for number in answer.data[0].embedding)


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="no-such-model", messages=ask("hi"))
    assert (error.value.code, error.value.param) == ("model_not_found", "model")
    assert error.value.request_id


def test_the_api_key_does_not_chat(gateway, api_key):
    client = openai.OpenAI(base_url=f"{gateway}/v1", api_key=api_key, max_retries=0)
    with pytest.raises(openai.AuthenticationError) as error:
        client.chat.completions.create(model="gpt-4o", messages=ask("hi"))
    assert error.value.code == "api_key_not_allowed"
    assert "/v1/auth/mint" in str(error.value)


def test_a_bad_token_is_refused(gateway):
    client = openai.OpenAI(base_url=f"{gateway}/v1", api_key="not-a-token", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="gpt-4o", messages=ask("hi"))


def test_a_callable_key_is_asked_for_each_request(gateway, mint):
    minted = []

    def key() -> str:
        minted.append(mint())
        return minted[-1]

    client = openai.OpenAI(base_url=f"{gateway}/v1", api_key=key, max_retries=0)
    client.chat.completions.create(model="gpt-4o", messages=ask("hi"))
    assert minted


def test_a_limit_is_a_rate_limit_error(gateway, mint):
    client = openai.OpenAI(base_url=f"{gateway}/v1", api_key=mint(tier="free"), max_retries=0)
    with pytest.raises(openai.RateLimitError) as error:
        for _ in range(30):
            client.chat.completions.create(model="gpt-4o", messages=ask("hi"))
    assert error.value.code == "rate_limit_exceeded"
    assert int(error.value.response.headers["retry-after"]) >= 1


def test_a_thread_remembers(client):
    thread = {"x-thread-id": "python-openai"}
    for text in ["my name is Ada", "what is my name?"]:
        client.chat.completions.create(model="gpt-4o", messages=ask(text), extra_headers=thread)
    messages = client.get("/threads/python-openai/messages", cast_to=object)
    assert [it["role"] for it in messages["data"]] == ["user", "assistant"] * 2


@pytest.mark.parametrize("stream", [False, True])
def test_what_was_masked_on_the_way_to_the_model_comes_back(client, stream):
    # The fake repeats what it was sent; that it was sent a placeholder is looked at where its requests are.
    said = client.chat.completions.create(model="gpt-4o", messages=ask("write to ada.lovelace@example.org"), stream=stream)
    text = "".join(it.choices[0].delta.content or "" for it in said) if stream else said.choices[0].message.content
    assert text == "You said: write to ada.lovelace@example.org"


@pytest.mark.parametrize("stream", [False, True])
def test_a_provider_that_breaks_off_is_an_error(client, stream):
    def read() -> None:
        answer = client.chat.completions.create(model="openai/fake-cut-3", messages=ask("hi"), stream=stream)
        if stream:
            for _ in answer:
                pass

    # What it is depends on the SDK's HTTP library; that it is no normal end does not.
    with pytest.raises(Exception):
        read()


@pytest.mark.parametrize("behaviour", ["end-3", "end-1", "error-1", "cut-1", "error-3"])
def test_no_answer_ends_early_without_a_word(client, behaviour):
    def read() -> None:
        for _ in client.chat.completions.create(model=f"openai/fake-{behaviour}", messages=ask("hi"), stream=True):
            pass

    with pytest.raises(openai.APIError) as failed:
        read()
    # Before the content it is a status, behind it an event.
    assert isinstance(failed.value, openai.APIStatusError) == behaviour.endswith("-1")


def test_models_are_listed_and_told_one_by_one(client):
    listed = {it.id: it for it in client.models.list()}
    assert {"fast", "openai/gpt-4o", "anthropic/claude-sonnet-4-5"} <= set(listed)
    model = client.models.retrieve("gpt-4o")
    assert model == listed["openai/gpt-4o"]
    # The client writes the slash as `%2F`.
    assert client.models.retrieve("openai/gpt-4o") == model
    assert (model.object, model.owned_by, model.context_window) == ("model", "openai", 128_000)
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such-model")
