"""Threads through the stock OpenAI SDK: chatted in by a header, read, filled and deleted as conversations."""

import uuid

import httpx
import openai
import pytest

from conftest import setting

PICTURE = "https://pictures.example/oslo.png"


def tool(name: str) -> dict:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def ask(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def heard(word: str) -> list[dict]:
    """What the provider was sent in the last request that held `word`."""
    requests = httpx.get(f"{setting('FAKE_URL')}/_control/requests").json()["requests"]
    return [it["body"]["messages"] for it in requests if word in str(it["body"])][-1]


@pytest.fixture
def thread() -> str:
    return f"thread-{uuid.uuid4()}"


@pytest.fixture
def chatted(client, thread) -> openai.OpenAI:
    """A picture, two parallel calls, their results and an answer, in the thread."""
    chatting = client.with_options(default_headers={"x-thread-id": thread})
    picture = [{"type": "text", "text": "weather here?"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
    asked = chatting.chat.completions.create(
        model="openai/fake-tools",
        messages=[{"role": "user", "content": picture}],
        tools=[tool("get_weather"), tool("get_tide")],
    )
    calls = asked.choices[0].message.tool_calls
    assert len(calls) == 2
    results = [{"role": "tool", "tool_call_id": it.id, "content": f"result of {it.function.name}"} for it in calls]
    chatting.chat.completions.create(model="gpt-4o", messages=results)
    return client


@pytest.mark.parametrize("stream", [False, True])
def test_the_second_turn_sees_the_first(client, thread, stream):
    chatting = client.with_options(default_headers={"x-thread-id": thread})
    word = uuid.uuid4().hex
    for text in [f"my word is {word}", "what is my word?"]:
        answer = chatting.chat.completions.create(model="gpt-4o", messages=ask(text), stream=stream)
        for _ in answer if stream else []:
            pass
    said = [(it["role"], it["content"]) for it in heard(word)]
    first = f"my word is {word}"
    assert said == [("user", first), ("assistant", f"You said: {first}"), ("user", "what is my word?")]


def test_a_header_of_one_request_names_the_thread_too(client, thread):
    client.chat.completions.create(model="gpt-4o", messages=ask("hi"), extra_headers={"x-thread-id": thread})
    assert client.conversations.retrieve(thread).id == thread


def test_a_chat_is_a_conversation_with_items(chatted, thread):
    conversation = chatted.conversations.retrieve(thread)
    assert (conversation.object, conversation.metadata) == ("conversation", {})
    # Pages of two, which the SDK turns by itself.
    items = list(chatted.conversations.items.list(thread, order="asc", limit=2))
    kinds = ["message", "function_call", "function_call", "function_call_output", "function_call_output", "message"]
    assert [it.type for it in items] == kinds
    question, call, _, result, _, answer = items
    assert (question.role, question.status) == ("user", "completed")
    assert [it.type for it in question.content] == ["input_text", "input_image"]
    assert (question.content[1].image_url, question.content[1].detail) == (PICTURE, "auto")
    assert (call.name, call.status, result.call_id) == ("get_weather", "completed", call.call_id)
    assert result.output == "result of get_weather"
    assert (answer.role, answer.content[0].type, answer.content[0].annotations) == ("assistant", "output_text", [])
    # None of these had to be bent into its type.
    for item in items:
        type(item).model_validate(item.to_dict(mode="python"), strict=False)
    backwards = list(chatted.conversations.items.list(thread, limit=4))
    assert [it.id for it in backwards] == [it.id for it in reversed(items)]
    include = ["message.input_image.image_url", "message.output_text.logprobs"]
    one = chatted.conversations.items.retrieve(call.id, conversation_id=thread, include=include)
    assert one == call


def test_a_conversation_is_made_filled_chatted_in_and_deleted(client):
    word = uuid.uuid4().hex
    begun = [{"type": "message", "role": "user", "content": f"my word is {word}"}]
    conversation = client.conversations.create(items=begun, metadata={"topic": "words"})
    assert conversation.metadata == {"topic": "words"}
    added = client.conversations.items.create(
        conversation.id,
        items=[
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "noted", "annotations": []}]},
            {"type": "function_call", "call_id": "call_1", "name": "note", "arguments": '{"word": 1}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "done"},
        ],
        include=["message.output_text.logprobs"],
    )
    assert [it.type for it in added.data] == ["message", "function_call", "function_call_output"]
    assert (added.first_id, added.last_id, added.has_more) == (added.data[0].id, added.data[2].id, False)
    client.chat.completions.create(model="gpt-4o", messages=ask("well?"), extra_headers={"x-thread-id": conversation.id})
    sent = heard(word)
    assert [it["role"] for it in sent] == ["user", "assistant", "tool", "user"]
    assert sent[1]["content"] == "noted" and sent[1]["tool_calls"][0]["function"]["arguments"] == '{"word": 1}'
    # What one conversation gives, another one takes.
    items = [it.to_dict() for it in client.conversations.items.list(conversation.id, order="asc")]
    copy = client.conversations.create(items=items)
    copied = client.conversations.items.list(copy.id, order="asc").data
    without_ids = [{k: v for k, v in it.to_dict().items() if k != "id"} for it in copied]
    assert without_ids == [{k: v for k, v in it.items() if k != "id"} for it in items]

    changed = client.conversations.update(conversation.id, metadata={"topic": "other"})
    assert changed.metadata == {"topic": "other"}
    left = client.conversations.items.delete(added.data[2].id, conversation_id=conversation.id)
    assert left.id == conversation.id
    with pytest.raises(openai.NotFoundError) as error:
        client.conversations.items.retrieve(added.data[2].id, conversation_id=conversation.id)
    assert error.value.code == "item_not_found"
    gone = client.conversations.delete(conversation.id)
    assert (gone.id, gone.object, gone.deleted) == (conversation.id, "conversation.deleted", True)
    with pytest.raises(openai.NotFoundError) as error:
        client.conversations.retrieve(conversation.id)
    assert error.value.code == "conversation_not_found"


def test_what_cannot_be_kept_is_refused_and_another_users_is_not_there(client, gateway, mint, thread):
    client.conversations.create(extra_body={"id": thread})
    with pytest.raises(openai.BadRequestError) as error:
        client.conversations.items.create(thread, items=[{"type": "item_reference", "id": "msg_1"}])
    assert error.value.param == "items[0].type" and "item_reference" in error.value.message
    eve = openai.OpenAI(base_url=f"{gateway}/v1", api_key=mint("eve"), max_retries=0)
    for theirs in [
        lambda: eve.conversations.retrieve(thread),
        lambda: eve.conversations.update(thread, metadata={}),
        lambda: eve.conversations.delete(thread),
        lambda: eve.conversations.items.list(thread),
        lambda: eve.conversations.items.create(thread, items=ask("hi")),
    ]:
        with pytest.raises(openai.NotFoundError):
            theirs()
    listed = client.get("/conversations", cast_to=httpx.Response).json()
    assert [it["id"] for it in listed["data"]] == [thread]
