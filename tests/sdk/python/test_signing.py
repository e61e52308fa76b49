"""The published Behest client's sign mode, unchanged: it signs users' tokens itself, with a key that its owner registered
for one project (`tollgate tenant-key register`), and mints nothing."""

import base64
import time

import httpx
import jwt
import openai
import pytest
from behest import Behest, BehestSigningClient, sign_behest_jwt

from conftest import setting


def ask(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


@pytest.fixture
def ours() -> dict:
    """Whose key it is; the names are those of the client's options."""
    return {
        "key_id": setting("BEHEST_KID"),
        "tenant_id": setting("BEHEST_TENANT_ID"),
        "project_id": setting("BEHEST_PROJECT_ID"),
    }


@pytest.fixture
def pem() -> str:
    return setting("SIGNING_KEY_PEM")


def status(gateway: str, token: str) -> tuple[int, str | None]:
    answer = httpx.post(
        f"{gateway}/v1/chat/completions",
        headers={"authorization": f"Bearer {token}"},
        json={"model": "gpt-4o", "messages": ask("hi")},
    )
    return answer.status_code, answer.json().get("error", {}).get("code")


def test_the_client_that_is_an_openai_client(gateway, pem, ours, user):
    client = BehestSigningClient(signing_key_pem=pem, base_url=f"{gateway}/v1", default_user_id=user, **ours)
    answer = client.chat.completions.create(model="gpt-4o", messages=ask("signed at home"))
    assert "signed at home" in answer.choices[0].message.content
    chunks = client.chat.completions.create(model="gpt-4o", messages=ask("signed at home"), stream=True)
    assert "signed at home" in "".join(it.choices[0].delta.content or "" for it in chunks if it.choices)


@pytest.mark.parametrize("unset", [[], ["BEHEST_ISSUER", "BEHEST_AUDIENCE"]])
def test_the_client_that_has_two_modes(gateway, pem, user, monkeypatch, unset):
    # The rest of its settings is in the environment, as `tollgate tenant-key register` printed it; without issuer and
    # audience it writes its own.
    for name in unset:
        monkeypatch.delenv(name)
    key = base64.b64encode(pem.encode()).decode()
    behest = Behest(key=key, base_url=gateway, default_user_id=user)
    answer = behest.chat.completions.create(model="gpt-4o", messages=ask("signed at home"))
    assert "signed at home" in answer["choices"][0]["message"]["content"]


def test_the_stock_sdk_with_a_token_signed_per_request(gateway, pem, ours, user):
    def key() -> str:
        return sign_behest_jwt(private_key_pem=pem, user_id=user, **ours)["access_token"]

    client = openai.OpenAI(base_url=f"{gateway}/v1", api_key=key, max_retries=0)
    assert client.chat.completions.create(model="gpt-4o", messages=ask("hi")).choices


@pytest.mark.parametrize("whose", ["tenant_id", "project_id"])
def test_a_key_speaks_for_its_own_project_alone(gateway, pem, ours, user, whose):
    good = sign_behest_jwt(private_key_pem=pem, user_id=user, **ours)["access_token"]
    assert status(gateway, good) == (200, None)
    elsewhere = ours | {whose: "another"}
    stolen = sign_behest_jwt(private_key_pem=pem, user_id=user, **elsewhere)["access_token"]
    assert status(gateway, stolen) == (401, "invalid_token")


def test_a_key_that_nobody_registered(gateway, pem, ours, user):
    token = sign_behest_jwt(private_key_pem=pem, user_id=user, **ours | {"key_id": "sk_of_nobody"})["access_token"]
    assert status(gateway, token) == (401, "invalid_token")


def test_a_token_that_its_owner_signed_too_long_ago(gateway, pem, ours, user):
    claims = {
        "tid": ours["tenant_id"],
        "pid": ours["project_id"],
        "uid": user,
        "iss": "behest",
        "aud": "behest",
        "exp": int(time.time()) - 600,
    }
    token = jwt.encode(claims, pem, algorithm="RS256", headers={"kid": ours["key_id"]})
    assert status(gateway, token) == (401, "token_expired")
