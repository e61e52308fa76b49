"""The published Behest client, unchanged: only its base URL is ours."""

import httpx
import pytest
from behest import Behest
from behest.v1_5 import BehestAuthError, BehestError


@pytest.fixture
def behest(gateway, api_key, user) -> Behest:
    return Behest(key=api_key, base_url=gateway, default_user_id=user)


def ask(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def test_mint(behest):
    minted = behest.auth.mint(session_id="s-1", ttl=600, tier=1)
    assert minted.session_id == "s-1"
    assert minted.ttl == 600
    assert minted.token.count(".") == 2


def test_a_wrong_key_is_an_auth_error(gateway):
    behest = Behest(key="behest_sk_live_" + "0" * 32, base_url=gateway)
    with pytest.raises(BehestAuthError):
        behest.auth.mint()


def test_chat_and_stream(behest):
    answer = behest.chat.completions.create(model="gpt-4o", messages=ask("hello there"))
    assert "hello there" in answer["choices"][0]["message"]["content"]
    chunks = list(behest.chat.completions.create(model="gpt-4o", messages=ask("once more"), stream=True))
    text = "".join(it["choices"][0]["delta"].get("content") or "" for it in chunks if it["choices"])
    assert "once more" in text


def test_a_session_remembers(behest):
    # The client sends its session id with every chat.
    for text in ["first", "second"]:
        answer = behest.chat.completions.create(model="gpt-4o", messages=ask(text), session_id="s-2")
    assert answer["usage"]["prompt_tokens"] > 1, "the second request carried the first turn"


def test_sessions_are_apart_and_no_threads(behest):
    # Each mint makes a session, unless the app names one; the client sends the last one's id with every request.
    first = behest.auth.mint().session_id
    ask_again = lambda: behest.chat.completions.create(model="gpt-4o", messages=ask("a b c d e f"))
    tokens = [ask_again()["usage"]["prompt_tokens"] for _ in range(2)]
    assert behest.auth.last_session_id != first, "without a token of the app's own, each request mints one"
    assert tokens[0] == tokens[1], "a session of its own remembers nothing of another"
    assert behest.threads.list()["data"] == []


def test_threads(gateway, behest):
    token = behest.auth.mint().token
    # The client has no parameter for a thread's id; an app adds the header.
    for text in ["one", "two"]:
        answer = httpx.post(
            f"{gateway}/v1/chat/completions",
            headers={"authorization": f"Bearer {token}", "x-thread-id": "t-1"},
            json={"model": "gpt-4o", "messages": ask(text)},
        )
        assert answer.status_code == 200, answer.text
    assert [it["id"] for it in behest.threads.list(token=token)["data"]] == ["t-1"]
    assert behest.threads.get("t-1", token=token)["message_count"] == 4
    messages = behest.threads.messages("t-1", token=token)["data"]
    assert [it["role"] for it in messages] == ["user", "assistant"] * 2
    assert behest.threads.delete("t-1", token=token) is None
    with pytest.raises(BehestError) as error:
        behest.threads.get("t-1", token=token)
    assert (error.value.status, error.value.code) == (404, "thread_not_found")


def test_another_user_finds_nothing(gateway, behest, api_key):
    token = behest.auth.mint().token
    httpx.post(
        f"{gateway}/v1/chat/completions",
        headers={"authorization": f"Bearer {token}", "x-thread-id": "mine"},
        json={"model": "gpt-4o", "messages": ask("one")},
    ).raise_for_status()
    eve = Behest(key=api_key, base_url=gateway, default_user_id="eve")
    with pytest.raises(BehestError) as error:
        eve.threads.messages("mine", token=eve.auth.mint().token)
    assert error.value.status == 404
