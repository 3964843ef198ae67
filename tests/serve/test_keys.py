"""Keys are known only by their hashes; every route except probes and the page needs one; quotas fill up steadily."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.serve.conftest import Running, running
from tests.serve.monitoring.test_metrics import samples
from tuili.errors import InputError
from tuili.serve.app import Settings
from tuili.serve.errors import HttpError
from tuili.serve.keys import Key, Keys, QuotaBucket, new_key, read_keys

ASKED: Any = [{"role": "user", "content": "What is 2 + 2?"}]


def key(name: str, secret: str, **more: Any) -> Key:
    return Key(name=name, sha256=hashlib.sha256(secret.encode()).hexdigest(), **more)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Running]:
    keys = [key("free", "one"), key("slow", "two", requests_per_minute=2), key("small", "three", tokens_per_minute=60)]
    keys.append(key("large", "large", tokens_per_minute=1000))
    yield from running(Settings(Keys(keys, clock=lambda: 0.0)))  # no quota fills up meanwhile


def test_every_route_but_probes_and_page_needs_a_key(guarded: Running) -> None:
    raw = guarded.client()._client
    paths = [(path, list(operations)) for path, operations in guarded.app.openapi()["paths"].items()]
    assert len(paths) > 6
    for path, methods in paths:
        for method in methods:
            status = raw.request(method, guarded.url + path.replace("{name}", "nano")).status_code
            assert (status == 401) != (path in ("/health", "/ready")), (method, path, status)
    with pytest.raises(openai.AuthenticationError) as refused:
        guarded.client("no").models.list()
    assert (refused.value.code, refused.value.response.headers["www-authenticate"]) == ("invalid_api_key", "Bearer")
    for header in ("Bearer no", "Basic one", "one", "Bearer"):
        reply = raw.get(f"{guarded.url}/v1/models", headers={"authorization": header})
        assert (reply.status_code, reply.json()["error"]["code"]) == (401, "invalid_api_key")
    for headers, status in (
        ({"x-api-key": "one"}, 200),
        ({"x-api-key": "one", "authorization": "Bearer none"}, 200),
        ({"x-api-key": "no", "authorization": "Bearer one"}, 200),
        ({"x-api-key": "no"}, 401),
        ({"x-api-key": ""}, 401),
        ({"x-api-key": "Bearer one"}, 401),
    ):
        assert raw.get(f"{guarded.url}/v1/models", headers=headers).status_code == status, headers
    assert guarded.client("one").models.list().data[0].id == "nano"


def test_quotas_are_kept_by_key(guarded: Running) -> None:
    slow, small = guarded.client("two").chat.completions, guarded.client("three").chat.completions
    for _ in range(2):
        slow.create(model="nano", messages=ASKED)
    with pytest.raises(openai.RateLimitError) as refused:
        slow.create(model="nano", messages=ASKED)
    assert refused.value.code == "rate_limit_exceeded"
    assert refused.value.response.headers["retry-after"] == "30"
    counted = samples(guarded, "one")["tuili_refused_total", "reason=rate_limit_exceeded"]
    assert counted == 1, "a quota that is spent is a refusal like any other"
    spent = 0
    while spent < 60:
        usage = small.create(model="nano", messages=ASKED, max_tokens=1).usage
        spent += usage.total_tokens if usage else 0
    with pytest.raises(openai.RateLimitError, match="tokens a minute"):
        small.create(model="nano", messages=ASKED)
    guarded.client("one").chat.completions.create(model="nano", messages=ASKED)


def test_many_at_once_cannot_all_pass_on_a_small_rest(guarded: Running) -> None:
    chat, outcomes = guarded.client("large").chat.completions, list[str]()

    def ask() -> None:
        try:
            chat.create(model="nano", messages=ASKED, max_tokens=400)
            outcomes.append("answered")
        except openai.RateLimitError:
            outcomes.append("refused")

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < outcomes.count("answered") < 12
    chat.create(model="nano", messages=ASKED, max_tokens=400)  # what was counted and not written has been given back


def test_a_bucket_fills_up_steadily_and_not_beyond_a_minute() -> None:
    now = [0.0]
    bucket = QuotaBucket(60, lambda: now[0])
    assert bucket.wait_seconds(60) == 0
    bucket.take(60)
    assert bucket.wait_seconds(1) == pytest.approx(1.0)
    now[0] = 10
    assert bucket.wait_seconds(10) == 0
    bucket.take(70)
    assert bucket.wait_seconds(1) == pytest.approx(61.0)
    now[0] = 10_000
    assert bucket.wait_seconds(60) == 0
    bucket.take(60)
    assert bucket.wait_seconds(1) > 0, "no more than a minute's worth is kept"


def test_keys_of_operators_make_nobody_else_need_one() -> None:
    boss = key("boss", "b")
    keys = Keys([key("free", "one"), key("chief", "c", role="operator")], operators=[boss])
    assert [keys.authenticate(f"Bearer {secret}").operator for secret in ("one", "c", "b")] == [False, True, True]
    alone = Keys(operators=[boss], max_priority=3)
    assert (alone.required, alone.has_operators, Keys([boss]).has_operators) == (False, True, False)
    for headers in (("", ""), ("Bearer none", ""), ("Basic b", "none"), ("b", "")):
        caller = alone.authenticate(*headers)
        assert (caller.operator, caller.client, caller.max_priority) == (False, "", 3)
    for headers in (("Bearer b", ""), ("", "b"), ("Bearer none", "b"), ("Bearer b", "none"), ("Basic none", "b")):
        assert alone.authenticate(*headers).operator, headers
    with pytest.raises(InputError, match="two keys are alike"):
        Keys([boss], operators=[boss])


def test_a_new_key_opens_and_its_line_does_not_tell_it(tmp_path: Path) -> None:
    secret, line = new_key("team-a")
    assert secret not in line
    file = tmp_path / "keys"
    file.write_text(line + "\n\n")
    keys = Keys(read_keys(file))
    caller = keys.authenticate(f"Bearer {secret}")
    assert (caller.name, caller.operator, caller.max_priority) == ("team-a", False, 0)
    secret, line = new_key("boss", operator=True)
    file.write_text(line)
    assert Keys(read_keys(file)).authenticate(f"Bearer {secret}").operator
    with pytest.raises(HttpError):
        Keys(read_keys(file)).authenticate(f"Bearer {json.loads(line)['sha256']}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no key"),
        ("{}", ":1: name"),
        ('{"name": "a b", "sha256": "' + "0" * 64 + '"}', ":1: name"),
        ('{"name": "a", "sha256": "secret"}', ":1: sha256"),
        ('{"name": "a", "sha256": "' + "0" * 64 + '", "requests_per_minute": -1}', "requests_per_minute"),
        ('\n{"name": "a", "sha256": "' + "0" * 64 + '", "key": "x"}', ":2: key"),
        ('{"name": "a", "sha256": "' + "0" * 64 + '", "role": "root"}', ":1: role"),
        ('{"name": "a", "sha256": "' + "0" * 64 + '", "max_priority": 101}', ":1: max_priority"),
        (('{"name": "a", "sha256": "' + "0" * 64 + '"}\n') * 2, "two keys are alike"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        read_keys(file)
    with pytest.raises(InputError, match="cannot be read"):
        read_keys(tmp_path / "none")
