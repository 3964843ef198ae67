"""Rules, dashboard and scalers: promtool accepts them, and they use only metrics that Tuili has."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.monitoring import dashboard, prometheus_rule
from tests.deploy.manifests import DEPLOY, KUBERNETES, ROOT, needs_promtool

MONITORING = DEPLOY / "monitoring"
METRICS = yaml.safe_load((MONITORING / "metrics.yaml").read_text())
RULES = [rule for group in yaml.safe_load((MONITORING / "rules.yaml").read_text())["groups"] for rule in group["rules"]]
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
ALERTS = {rule["alert"] for rule in RULES if "alert" in rule}
TESTS = yaml.safe_load((MONITORING / "rules_test.yaml").read_text())["tests"]
ADDED_LABELS = {"le", "job", "instance"}
"""Labels that Prometheus adds to metrics."""
SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
SERIES = {name + part: name for name, metric in METRICS.items() for part in SUFFIXES[metric["type"]]}
SERIES_USE = re.compile(r"\b(tuili_\w+)(?:\{([^}]*)\})?")
LABEL_MATCH = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')


def panels() -> Iterator[dict[str, Any]]:
    yield from (panel for panel in json.loads(dashboard.FILE.read_text())["panels"] if panel["type"] != "row")


def expressions() -> list[str]:
    """Every expression that anything here asks Prometheus."""
    scaler = yaml.safe_load((KUBERNETES / "components" / "keda" / "scaledobject.yaml").read_text())
    variables = json.loads(dashboard.FILE.read_text())["templating"]["list"]
    return [
        *(rule["expr"] for rule in RULES),
        *(target["expr"] for panel in panels() for target in panel["targets"]),
        *(variable["query"] for variable in variables if variable["type"] == "query"),
        *(trigger["metadata"]["query"] for trigger in scaler["spec"]["triggers"]),
    ]


def faults(expression: str) -> list[str]:
    """The series, labels and label values of an expression that do not exist."""
    wrong, labels = [], set(ADDED_LABELS)
    for name, selector in SERIES_USE.findall(expression):
        if name in RECORDED:
            known: dict[str, list[str] | None] = {"model": None}
        elif name in SERIES:
            known = METRICS[SERIES[name]]["labels"]
        else:
            wrong.append(name)
            continue
        labels |= known.keys()
        for label, operator, value in LABEL_MATCH.findall(selector):
            if label not in known.keys() | ADDED_LABELS:
                wrong.append(f"{name}{{{label}}}")
            elif (values := known.get(label)) and operator in {"=", "!="} and value not in values:
                wrong.append(f"{label}={value}")
            elif values and operator in {"=~", "!~"} and not set(value.split("|")) <= set(values):
                wrong.append(f"{label}{operator}{value}")
    grouped = {label.strip() for group in re.findall(r"\bby \(([^)]*)\)", expression) for label in group.split(",")}
    return wrong + sorted(grouped - labels)


def promtool(*arguments: str, folder: Path = MONITORING) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_everything_is_made_of_metrics_that_tuili_has() -> None:
    assert [fault for expression in expressions() for fault in faults(expression)] == []


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("rate(tuili_request_total[5m])", "tuili_request_total"),
        ("tuili_attempts", "tuili_attempts"),  # a histogram has no series of its own name
        ('tuili_ready{node="a"}', "tuili_ready{node}"),
        ('tuili_steps_total{verdict="wrong"}', "verdict=wrong"),
        ('tuili_tokens_total{kind=~"prompt|thought"}', "kind=~prompt|thought"),
        ("sum by (model, route) (tuili_ready)", "route"),
    ],
)
def test_a_name_that_does_not_exist_is_found(expression: str, fault: str) -> None:
    assert faults(expression) == [fault]


def test_every_metric_is_used() -> None:
    used = {SERIES[name] for text in expressions() for name, _ in SERIES_USE.findall(text) if name in SERIES}
    assert used == set(METRICS)


def test_recorded_figures_have_names_of_their_own() -> None:
    assert not RECORDED & (SERIES.keys() | METRICS.keys())
    assert all(re.fullmatch(r"tuili_[a-z0-9_]+", name) for name in RECORDED)


@pytest.mark.parametrize(
    "name",
    [
        "tuili_requests_per_second",
        "tuili_request_seconds_p99",
        "tuili_error_ratio",
        "tuili_reasoning_steps_mean",
        "tuili_attention_head_activation_mean",
        "tuili_task_completion_ratio",
        "tuili_user_satisfaction_ratio",
        "tuili_tokens_per_second",
    ],
)
def test_the_figures_of_all_three_levels_are_recorded_and_shown(name: str) -> None:
    shown = list(panels())[:9]
    assert name in RECORDED
    assert sum(name in target["expr"] for panel in shown for target in panel["targets"]) == 1


def test_alerts_say_how_bad_it_is_and_what_to_do() -> None:
    alerts = [rule for rule in RULES if "alert" in rule]
    assert len(alerts) >= 10
    for alert in alerts:
        assert alert["labels"]["severity"] in {"warning", "critical"}
        assert alert["annotations"].keys() == {"summary", "description"}


def test_every_alert_has_a_case_in_which_it_is_raised_and_one_in_which_it_is_not() -> None:
    cases = [case for test in TESTS for case in test.get("alert_rule_test", [])]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == ALERTS
    assert {case["alertname"] for case in cases if case["exp_alerts"] == []} == ALERTS


def test_the_page_tells_every_alert_with_how_long_it_waits() -> None:
    waits = dict(
        re.findall(r"^\| `(Tuili\w+)` \|.*\| ([^|]*) \|$", (ROOT / "docs" / "deploy.md").read_text(), re.MULTILINE)
    )
    minutes = {
        name: wait.replace(" min", "m").replace(" h", "h").replace("at once", "") for name, wait in waits.items()
    }
    assert minutes == {rule["alert"]: rule.get("for", "") for rule in RULES if "alert" in rule}


def test_every_figure_has_a_case() -> None:
    cases = [case["expr"] for test in TESTS for case in test.get("promql_expr_test", []) if case["exp_samples"]]
    assert {name for expression in cases for name, _ in SERIES_USE.findall(expression)} == RECORDED


@needs_promtool
def test_promtool_takes_the_rules_and_the_configuration() -> None:
    for arguments in (("rules", "--lint=all", "--lint-fatal", "rules.yaml"), ("config", "prometheus.yml")):
        done = promtool("check", *arguments)
        assert done.returncode == 0, done.stderr


@needs_promtool
def test_the_rules_do_what_their_own_tests_say() -> None:
    done = promtool("test", "rules", "rules_test.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize(
    ("case", "right", "wrong"),
    [
        ("TuiliErrorsHigh", "tuili_error_ratio > 0.05", "tuili_error_ratio > 0.5"),
        ("TuiliSaturated", "tuili_overloaded_ratio > 0.05", "tuili_overloaded_ratio > 0.01"),
        ("TuiliSaturated", '{reason="overloaded"}', ""),
        ("TuiliBudgetOverrun", "tuili_budget_overruns_total) > 0", "tuili_budget_overruns_total) > 1"),
        ("TuiliNotReady", "max by (model) (tuili_ready)", "min by (model) (tuili_ready)"),
        ("TuiliUnsatisfying", " >= 20", ""),
        ("figures", 'outcome="answered"', 'outcome=~"answered|abstained"'),
        ("figures", '{model!=""}', ""),
        ("shares are 0", "or 0 * tuili_requests_per_second", ""),
    ],
)
def test_the_rules_tests_find_a_wrong_rule(case: str, right: str, wrong: str, tmp_path: Path) -> None:
    rules = (MONITORING / "rules.yaml").read_text()
    assert right in rules
    (tmp_path / "rules.yaml").write_text(rules.replace(right, wrong))
    chosen = [test for test in TESTS if test["name"].startswith(case)]
    tests = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": chosen}
    (tmp_path / "rules_test.yaml").write_text(yaml.safe_dump(tests))
    done = promtool("test", "rules", "rules_test.yaml", folder=tmp_path)
    assert done.returncode == 1
    assert "exp" in done.stdout + done.stderr, "failed for another reason"


@pytest.mark.parametrize("module", [dashboard, prometheus_rule])
def test_what_is_written_by_a_program_is_what_it_would_write_now(module: Any) -> None:
    assert module.FILE.read_text() == module.build()


def test_panels_say_what_they_show_and_do_not_overlap() -> None:
    places = set()
    for panel in panels():
        assert panel["title"] and panel["description"]
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & places
        assert place["x"] + place["w"] <= dashboard.COLUMNS
        places |= cells


def test_grafana_asks_prometheus_where_it_is_composed() -> None:
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    (source,) = yaml.safe_load((MONITORING / "grafana" / "datasource.yaml").read_text())["datasources"]
    (scraped,) = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"]
    assert source["url"] == "http://prometheus:9090"
    assert scraped["static_configs"] == [{"targets": ["tuili:8000"]}]
    assert {"prometheus", "tuili"} <= composed.keys()
    (provider,) = yaml.safe_load((MONITORING / "grafana" / "dashboards.yaml").read_text())["providers"]
    assert any(f":{provider['options']['path']}/" in mount for mount in composed["grafana"]["volumes"])
