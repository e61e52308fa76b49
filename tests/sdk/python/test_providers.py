"""Every provider that the gateway knows, behind a fake that behaves as that provider would: the stock OpenAI SDK must not
notice which one it is. What differs is what a provider does not do at all."""

import openai
import pydantic
import pytest

from conftest import setting_json

PROVIDERS = setting_json("PROVIDERS")
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
# The least polite thing that a client of OpenAI may send: one provider or another refuses each of these.
PARAMETERS = {"max_completion_tokens": 50, "temperature": 0, "seed": 1, "user": "ada", "n": 1}


class Place(pydantic.BaseModel):
    city: str
    inhabitants: int


def ask(text: str) -> list[dict]:
    return [{"role": "system", "content": "Be brief."}, {"role": "user", "content": text}]


@pytest.fixture(params=PROVIDERS, ids=lambda it: it["name"])
def provider(request) -> dict:
    return request.param


def test_a_plain_chat(client, provider):
    model = f"{provider['name']}/some-model"
    raw = client.chat.completions.with_raw_response.create(model=model, messages=ask("the tide is high"), **PARAMETERS)
    answer = raw.parse()
    assert "the tide is high" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is None or answer.usage.total_tokens > 0
    assert raw.headers["x-tollgate-provider"] == provider["name"]


@pytest.mark.parametrize("usage", [False, True])
def test_a_streamed_chat(client, provider, usage):
    model, name = f"{provider['name']}/some-model", provider["name"]
    # A small server that is not known to take it is not asked for it by the gateway, and a client of it knows.
    asked = {"stream_options": {"include_usage": True}} if usage and name != "custom" else {}
    stream = client.chat.completions.create(
        model=model, messages=ask("one two three"), stream=True, **asked, **PARAMETERS
    )
    chunks = list(stream)
    text = "".join(it.choices[0].delta.content or "" for it in chunks if it.choices)
    assert "one two three" in text
    assert [it.choices[0].finish_reason for it in chunks if it.choices and it.choices[0].finish_reason] == ["stop"]
    counted = [it for it in chunks if it.usage]
    if asked:
        assert len(counted) == 1
    assert asked or all(it.choices for it in counted), "no chunk that only counts where nobody asked for one"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_is_called(client, provider, stream):
    asked = {
        "model": f"{provider['name']}/fake-tools",
        "messages": ask("weather in Oslo?"),
        "tools": [TOOL],
        "tool_choice": "required",
    }
    if stream:
        deltas = [it.choices[0].delta for it in client.chat.completions.create(stream=True, **asked) if it.choices]
        calls = [call.function for delta in deltas for call in delta.tool_calls or []]
    else:
        calls = [it.function for it in client.chat.completions.create(**asked).choices[0].message.tool_calls]
    assert "".join(it.name or "" for it in calls) == "get_weather"
    assert "Oslo" in "".join(it.arguments or "" for it in calls)


def test_structured_output(client, provider):
    def parse() -> Place:
        return (
            client.chat.completions.parse(
                model=f"{provider['name']}/some-model", messages=ask("Oslo"), response_format=Place
            )
            .choices[0]
            .message.parsed
        )

    if provider["structured"]:
        assert parse() == Place(city="Oslo", inhabitants=7)
    else:
        with pytest.raises(pydantic.ValidationError):
            parse()


def test_embeddings(client, provider):
    def embed() -> list:
        return client.embeddings.create(model=f"{provider['name']}/some-embedding", input=["a", "bc"]).data

    if provider["embeddings"]:
        assert [it.embedding[0] for it in embed()] == [1.0, 2.0]
    else:
        # The provider's own answer, or the gateway's where it knows better.
        with pytest.raises((openai.NotFoundError, openai.BadRequestError)):
            embed()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, openai.BadRequestError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_an_error_has_its_type_its_text_and_a_code(client, provider, status, error, stream):
    with pytest.raises(error) as raised:
        client.chat.completions.create(model=f"{provider['name']}/fake-{status}", messages=ask("hi"), stream=stream)
    assert raised.value.status_code == status
    assert f"told to answer {status}" in raised.value.message
    assert isinstance(raised.value.code, str) and isinstance(raised.value.type, str)


def test_an_error_in_a_stream_is_an_error(client, provider):
    # Anthropic's third event comes before any content, so that there it is a status.
    with pytest.raises(openai.APIError) as raised:
        list(client.chat.completions.create(model=f"{provider['name']}/fake-error-3", messages=ask("hi"), stream=True))
    assert "fake provider" in raised.value.message
