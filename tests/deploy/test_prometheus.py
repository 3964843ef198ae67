"""A real Prometheus reads from a real server all that dashboard, rules and scalers use, and evaluates all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import yaml
from openai import APIStatusError, OpenAI

from deploy.monitoring import dashboard
from tests.debian import needs
from tests.deploy.live import Live, eventually, live
from tests.deploy.manifests import KUBERNETES
from tests.deploy.test_monitoring import ALERTS, METRICS, RECORDED, SERIES, SERIES_USE, expressions, panels

pytestmark = needs("prometheus")
ASKED: Any = [{"role": "user", "content": "What is 48 + 27 * 3?"}]
AT_ONCE = {"TuiliBudgetOverrun", "TuiliPromiseRevoked", "TuiliNotReady", "TuiliAbsent"}
"""Alerts of conditions that did not hold at any moment."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Both processes, after a scrape, traffic, a scrape, more traffic, a scrape and the rules."""
    with live(tmp_path_factory.mktemp("live")) as both:
        # A counter that does not exist at the first scrape can only grow in the second round.
        for thumbs in (("up", "down"), ("up",)):
            both.wait_for_scrape()
            traffic(both, thumbs)
        both.values("tuili_attention_head_activation_ratio")  # comes with the look behind the traffic
        both.wait_for_scrape()
        for _ in range(2):  # some rules use figures of others
            both.wait_for_rules()
        yield both


def traffic(both: Live, thumbs: tuple[str, ...]) -> None:
    """Requests of all kinds: answered, cut short, cancelled, refused; and feedback."""
    with OpenAI(base_url=f"{both.url}/v1", api_key=both.key, max_retries=0) as client:
        chat = client.chat.completions
        name = chat.create(model="nano", messages=ASKED).id
        chat.create(model="nano", messages=ASKED, max_completion_tokens=5)
        assert client.responses.create(model="nano", input="What is 48 + 27 * 3?").status == "completed"
        assert client.completions.create(model="nano", prompt="What is 48 + 27 * 3?").choices
        with chat.create(model="nano", messages=ASKED, stream=True) as left:
            next(iter(left))
        refused: list[dict[str, Any]] = [{"n": 8}, {"model": "other"}, {"temperature": "hot"}]
        for wrong in refused:
            with suppress(APIStatusError):
                chat.create(**{"model": "nano", "messages": ASKED, **wrong})
                pytest.fail(f"{wrong} is answered")
        for thumb in thumbs:
            feedback = {"id": name, "model": "nano", "thumb": thumb, "correction": "130"}
            assert (
                client._client.post(f"{both.url}/v1/feedback", json=feedback, headers=client.auth_headers).status_code
                == 202
            )


def in_grafana(expression: str) -> str:
    """An expression as Grafana sends it, with all models chosen."""
    return expression.replace("$__rate_interval", "1m").replace("$model", ".*")


def test_the_server_is_scraped_with_a_key(watched: Live) -> None:
    (target,) = watched.get("targets")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    assert watched.values('up{job="tuili"}') == [1]


def test_what_is_scraped_is_what_is_listed(watched: Live) -> None:
    types = {name: one["type"] for name, (one,) in watched.get("metadata").items() if name.startswith("tuili_")}
    assert types == {name: metric["type"] for name, metric in METRICS.items()}


def test_every_name_that_is_used_has_series(watched: Live) -> None:
    scraped = set(watched.get("label/__name__/values"))
    assert {name for expression in expressions() for name, _ in SERIES_USE.findall(expression)} - scraped == set()
    assert SERIES.keys() - scraped == set()


def test_labels_have_the_values_that_are_listed(watched: Live) -> None:
    for name, metric in METRICS.items():
        for label, listed in metric["labels"].items():
            scraped = set(watched.get(f"label/{label}/values", **{"match[]": name}))
            assert scraped <= set(listed or scraped), name
            if listed and label != "outcome":  # the others are there from the start
                assert scraped == set(listed), name


def test_every_rule_is_loaded_and_healthy(watched: Live) -> None:
    def worked_out() -> dict[str, Any]:
        rules = watched.rules()
        return rules if all(rule["health"] != "unknown" for rule in rules.values()) else {}

    rules = eventually(worked_out, "some rule was never worked out")
    assert rules.keys() == RECORDED | ALERTS
    assert {name: rule["lastError"] for name, rule in rules.items() if rule["health"] != "ok"} == {}


def test_every_recorded_figure_has_a_value(watched: Live) -> None:
    assert {name: len(watched.values(name)) for name in sorted(RECORDED)} == dict.fromkeys(sorted(RECORDED), 1)


def test_every_panel_has_something_to_draw(watched: Live) -> None:
    asked = [in_grafana(target["expr"]) for panel in panels() for target in panel["targets"]]
    assert len(asked) > 30
    assert all(watched.last_points(expression) for expression in asked)


def test_the_choice_of_models_is_that_of_the_server(watched: Live) -> None:
    variables = json.loads(dashboard.FILE.read_text())["templating"]["list"]
    (query,) = (variable["query"] for variable in variables if variable["type"] == "query")
    assert query == "label_values(tuili_ready, model)"
    assert watched.get("label/model/values", **{"match[]": "tuili_ready"}) == ["nano"]


def test_the_scaler_finds_one_number_for_each_trigger(watched: Live) -> None:
    scaler = yaml.safe_load((KUBERNETES / "components" / "keda" / "scaledobject.yaml").read_text())
    queries = [trigger["metadata"]["query"] for trigger in scaler["spec"]["triggers"]]
    assert [watched.values(query) for query in queries] == [[0], [0]]


def test_the_first_of_each_kind_is_counted(watched: Live) -> None:
    """A counter that Prometheus sees late loses its first event, for the first value is taken for the level before."""
    satisfied = watched.values("tuili_user_satisfaction_ratio")[0]
    assert satisfied == pytest.approx(2 / 3), "two thumbs up, one down"


def test_no_alert_is_raised_for_nothing(watched: Live) -> None:
    """A scrape that a busy machine answers too late may raise one for a moment."""

    def all_inactive() -> bool:
        states = {name: rule["state"] for name, rule in watched.rules().items() if name in AT_ONCE}
        return states == dict.fromkeys(AT_ONCE, "inactive")

    eventually(all_inactive, "an alert stays")


def test_what_does_not_exist_is_missed(watched: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.deploy.live.PATIENCE_SECONDS", 1)
    with pytest.raises(AssertionError, match="no data: tuili_request_total"):
        watched.values("tuili_request_total")
    with pytest.raises(AssertionError, match="bad_data"):
        watched.last_points("sum by (tuili_ready)")


def test_a_server_that_has_gone_is_missed(watched: Live) -> None:
    """This is the last test: it ends the server."""
    watched.server.terminate()
    assert watched.server.wait(60) == 0
    eventually(lambda: watched.values('up{job="tuili"}') == [0], "still up")
    eventually(lambda: watched.rules()["TuiliAbsent"]["state"] == "pending", "not missed")
