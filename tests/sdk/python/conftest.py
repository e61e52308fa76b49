"""What the SDK tests share. The Rust test `sdk` starts the gateway and says here where it is."""

import json
import os
import uuid

import httpx
import openai
import pytest


def setting(name: str) -> str:
    """A missing gateway is an error, never a skip."""
    value = os.environ.get(name)
    if not value:
        pytest.exit(f"{name} is not set; run these tests with `cargo nextest run -p tests --test sdk`", returncode=1)
    return value


def setting_json(name: str):
    return json.loads(setting(name))


@pytest.fixture(scope="session")
def gateway() -> str:
    return setting("GATEWAY_URL")


@pytest.fixture(scope="session")
def api_key() -> str:
    return setting("API_KEY")


@pytest.fixture
def user() -> str:
    """A user of its own for each test, so that none meets another's limits or threads."""
    return f"user-{uuid.uuid4()}"


@pytest.fixture
def mint(gateway, api_key, user):
    """Mints a token for this test's user, as an app's server would."""

    def mint(user_id: str = user, **more) -> str:
        answer = httpx.post(
            f"{gateway}/v1/auth/mint",
            headers={"authorization": f"Bearer {api_key}"},
            json={"user_id": user_id, **more},
        )
        assert answer.status_code == 200, answer.text
        return answer.json()["access_token"]

    return mint


@pytest.fixture
def client(gateway, mint) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway}/v1", api_key=mint(), max_retries=0)
