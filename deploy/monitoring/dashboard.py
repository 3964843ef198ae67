"""The Grafana dashboard. `python -m deploy.monitoring.dashboard` writes it to `dashboard.json`.

`rules.yaml` defines the figures that it shows by the name of a recording rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

from grafana_foundation_sdk.builders import heatmap, timeseries
from grafana_foundation_sdk.builders.common import VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable, Row
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DataSourceRef, VariableRefresh
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

FILE = Path(__file__).with_name("dashboard.json")
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
MODEL_FILTER = 'model=~"$model"'
COLUMNS, PANEL_HEIGHT = 24, 7
"""Of Grafana's grid: the columns of a row, and the rows of cells that a panel takes."""


@dataclass(frozen=True)
class Graph:
    """One panel. queries: its expressions by legend. unit: one of Grafana's; a share reaches from 0 to 1. heat: a heat
    map in place of lines.
    """

    title: str
    description: str
    queries: dict[str, str]
    unit: str = units.Short
    heat: bool = False


def recorded(name: str) -> dict[str, str]:
    """The query for a figure that `rules.yaml` records, with a line for each model."""
    return {"{{model}}": f"{name}{{{MODEL_FILTER}}}"}


def rates(counter: str, label: str, range_: str = "$__rate_interval") -> dict[str, str]:
    """The query for the rise of a counter a second, with a line for each value of one of its labels."""
    return {f"{{{{{label}}}}}": f"sum by ({label}) (rate({counter}{{{MODEL_FILTER}}}[{range_}]))"}


def by_caller(gauge: str) -> dict[str, str]:
    """The query for a gauge of alarms, with a line for each alarm and caller."""
    return {"{{alarm}} {{caller}}": f"max by (alarm, caller) ({gauge}{{{MODEL_FILTER}}})"}


def quantiles(histogram: str) -> dict[str, str]:
    """The queries for the median of a histogram and its 99th percentile."""
    buckets = f"sum by (le) (rate({histogram}_bucket{{{MODEL_FILTER}}}[$__rate_interval]))"
    return {legend: f"histogram_quantile({share}, {buckets})" for legend, share in (("p50", 0.5), ("p99", 0.99))}


ROWS: dict[str, list[Graph]] = {
    "Service": [
        Graph("Requests", "Answered over HTTP.", recorded("tuili_requests_per_second"), units.RequestsPerSecond),
        Graph(
            "P99 latency",
            "What one request in a hundred exceeds.",
            recorded("tuili_request_seconds_p99"),
            units.Seconds,
        ),
        Graph("Error rate", "Share that ended in a server error.", recorded("tuili_error_ratio"), units.PercentUnit),
    ],
    "Reasoning": [
        Graph("Reasoning steps", "Mean of an answer.", recorded("tuili_reasoning_steps_mean")),
        Graph(
            "Attention heads active",
            "Mean share over layers.",
            recorded("tuili_attention_head_activation_mean"),
            units.PercentUnit,
        ),
        Graph("Layers a token", "Mean depth.", recorded("tuili_token_depth_layers_mean")),
    ],
    "Outcome": [
        Graph(
            "Tasks completed",
            "Share of ended requests that were answered, over half an hour.",
            recorded("tuili_task_completion_ratio"),
            units.PercentUnit,
        ),
        Graph(
            "User satisfaction",
            "Share of the day's thumbs that point upwards.",
            recorded("tuili_user_satisfaction_ratio"),
            units.PercentUnit,
        ),
        Graph("Tokens written", "A second.", recorded("tuili_tokens_per_second")),
    ],
    "Speed": [
        Graph("First token", "From the request on.", quantiles("tuili_time_to_first_token_seconds"), units.Seconds),
        Graph("Next token", "From one token to the next.", quantiles("tuili_inter_token_seconds"), units.Seconds),
        Graph("Waiting", "For a slot.", quantiles("tuili_queue_seconds"), units.Seconds),
    ],
    "Load": [
        Graph(
            "Requests and attempts",
            "Requests that have not ended, and their attempts: those that wait, and those that are being written.",
            {
                "requests": f"sum(tuili_requests_in_flight{{{MODEL_FILTER}}})",
                "waiting": f"sum(tuili_queue_waiting{{{MODEL_FILTER}}})",
                "running": f"sum(tuili_rows_running{{{MODEL_FILTER}}})",
            },
        ),
        Graph(
            "Slots in use",
            "Mean share over replicas.",
            {"{{model}}": f"avg by (model) (tuili_cache_used_ratio{{{MODEL_FILTER}}})"},
            units.PercentUnit,
        ),
        Graph("Refused", "By reason.", rates("tuili_refused_total", "reason"), units.RequestsPerSecond),
        Graph(
            "Requests by route",
            "Probes are `other`.",
            rates("tuili_requests_total", "endpoint"),
            units.RequestsPerSecond,
        ),
        Graph("Requests by status", "Of HTTP.", rates("tuili_requests_total", "status"), units.RequestsPerSecond),
        Graph("Tokens by kind", "`reused` were read for an earlier request.", rates("tuili_tokens_total", "kind")),
    ],
    "Answers": [
        Graph("How requests end", "A second.", rates("tuili_outcomes_total", "outcome")),
        Graph("Why the writing ends", "A second.", rates("tuili_outcomes_total", "stop")),
        Graph(
            "Deadlines missed", "Share of ended requests.", recorded("tuili_missed_deadline_ratio"), units.PercentUnit
        ),
        Graph("Steps by verdict", "Of the checker.", rates("tuili_steps_total", "verdict")),
        Graph("Steps from nowhere", "Valid, with a number from nowhere.", rates("tuili_untraced_steps_total", "model")),
        Graph("Steps calculated", "The checker wrote their values.", rates("tuili_calculated_steps_total", "model")),
        Graph("Unfamiliar questions", "A second.", rates("tuili_unfamiliar_prompts_total", "model")),
        Graph("Wrong steps", "Of those that can be decided.", recorded("tuili_wrong_steps_ratio"), units.PercentUnit),
        Graph("Attempts an answer", "Middle, and one in a hundred.", quantiles("tuili_attempts")),
    ],
    "Model": [
        Graph(
            "Depth of tokens",
            "Tokens a second that leave the network at each depth.",
            {"{{le}}": f"sum by (le) (rate(tuili_token_depth_layers_bucket{{{MODEL_FILTER}}}[$__rate_interval]))"},
            heat=True,
        ),
        Graph("Tokens by expert", "A second, over all layers.", rates("tuili_expert_tokens_total", "expert")),
        Graph(
            "Attention heads by layer",
            "Share that is active.",
            {"{{layer}}": f"avg by (layer) (tuili_attention_head_activation_ratio{{{MODEL_FILTER}}})"},
            units.PercentUnit,
        ),
        Graph(
            "Promises",
            "1 while a model answers, and 1 when its promises were revoked.",
            {
                "{{model}} ready": f"max by (model) (tuili_ready{{{MODEL_FILTER}}})",
                "{{model}} revoked {{caller}}": f"max by (model, caller) (tuili_promise_revoked{{{MODEL_FILTER}}})",
            },
        ),
        Graph(
            "Evidence against promises",
            "As a share of what revokes them; the common alarms have no caller.",
            by_caller("tuili_promise_evidence_ratio"),
            units.PercentUnit,
        ),
        Graph(
            "Who gave evidence",
            "To the common alarms, as a share of what revokes promises to everybody.",
            by_caller("tuili_promise_given_evidence_ratio"),
            units.PercentUnit,
        ),
        Graph("Budgets overrun", "There should be none.", rates("tuili_budget_overruns_total", "budget", "1h")),
        Graph("Feedback", "A second.", rates("tuili_feedback_total", "verdict", "1h")),
    ],
}
"""The rows of the dashboard. A panel is a third of a row wide."""


def lines() -> timeseries.Panel:
    """A panel of lines, with a legend and an axis that begins at 0."""
    legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM).show_legend(True)
    return timeseries.Panel().min(0).legend(legend).tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI))


def panel(graph: Graph) -> timeseries.Panel | heatmap.Panel:
    """The panel of a graph, a third of a row wide."""
    built = heatmap.Panel().show_tooltip() if graph.heat else lines()
    built.title(graph.title).description(graph.description).unit(graph.unit).datasource(SOURCE)
    built.span(COLUMNS // 3).height(PANEL_HEIGHT)
    if graph.unit == units.PercentUnit:
        built.max(1)
    for letter, (legend, expression) in zip(ascii_uppercase, graph.queries.items(), strict=False):
        query = Dataquery().expr(expression).legend_format(legend).ref_id(letter).range()
        built.with_target(query.format(PromQueryFormat.HEATMAP) if graph.heat else query)
    return built


def build() -> str:
    """The dashboard as JSON."""
    models = QueryVariable("model").label("Model").datasource(SOURCE).query("label_values(tuili_ready, model)")
    dashboard = (
        Dashboard("Tuili")
        .uid("tuili")
        .tags(["tuili"])
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(
            models.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).multi(True).include_all(True).all_value(".*")
        )
    )
    number = 0
    for title, graphs in ROWS.items():
        dashboard.with_row(Row(title).id(number := number + 1))
        for graph in graphs:
            dashboard.with_panel(panel(graph).id(number := number + 1))
    return JSONEncoder(indent=2, sort_keys=True).encode(dashboard.build()) + "\n"


if __name__ == "__main__":
    FILE.write_text(build())
