"""Who used what, and what is left: through the published Behest client and by hand."""

import csv
import io
import time
from datetime import datetime, timedelta, timezone

import httpx
import pytest
from behest import Behest
from behest.v1_5 import BehestError


@pytest.fixture
def behest(gateway, api_key, user) -> Behest:
    return Behest(key=api_key, base_url=gateway, default_user_id=user)


def used(behest, **window) -> dict:
    """The usage of one chat, as soon as the gateway has reported it."""
    behest.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hello there"}])
    for _ in range(300):
        usage = behest.usage.get(**window)
        if usage["totals"]["requests"]:
            return usage
        time.sleep(0.1)
    raise AssertionError("the gateway reported nothing in 30 s")


def test_usage_of_the_published_client(behest, user):
    now = datetime.now(timezone.utc)
    usage = used(behest, from_=now - timedelta(hours=2), to=now + timedelta(hours=2), granularity="hour")
    totals, line = usage["totals"], usage["breakdown"][0]
    assert totals["requests"] == 1 and totals["tokens"] > 0 and totals["cost_usd"] > 0
    assert (line["tokens"], line["cost_usd"]) == (totals["tokens"], totals["cost_usd"])
    assert datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00")) <= now
    assert (usage["user_id"], usage["granularity"]) == (user, "hour")
    # Its other spellings of a moment: nothing, a naive time, a date.
    for window in [{}, {"from_": datetime(2026, 1, 1).replace(year=now.year, month=now.month, day=1)}, {"from_": now.date()}]:
        assert behest.usage.get(**window)["totals"] == totals


def test_another_users_usage_is_forbidden_and_the_key_sees_it(behest, gateway, api_key, user):
    used(behest)
    with pytest.raises(BehestError) as error:
        behest.usage.get(user_id="eve")
    assert (error.value.status, error.value.code) == (403, "forbidden")
    headers = {"authorization": f"Bearer {api_key}"}
    bill = httpx.get(f"{gateway}/v1/billing/usage", params={"user_id": user}, headers=headers).json()
    assert bill["platform"]["requests"] + bill["byok"]["requests"] == 1
    table = httpx.get(f"{gateway}/v1/usage", params={"group_by": "user", "format": "csv"}, headers=headers)
    assert table.headers["content-type"].startswith("text/csv")
    assert user in [line["user_id"] for line in csv.DictReader(io.StringIO(table.text))]
    budget = httpx.get(f"{gateway}/v1/budget", headers=headers)
    assert budget.status_code == 200 and isinstance(budget.json()["budgets"], list)
