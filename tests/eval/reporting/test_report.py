import base64
import json
import re
from pathlib import Path

import pytest

from tests.eval.scripted import TOKENIZER, Oracle, response
from tuili.eval.depth import depth_point, depth_trends
from tuili.eval.experts import AccuracyLoss, ExpertReport
from tuili.eval.reporting.page import write_html
from tuili.eval.reporting.report import (
    accuracy_section,
    cells_by_domain,
    depth_section,
    expert_section,
    provenance,
    samples,
    write_json,
)
from tuili.eval.runner import ScoredResponse, answer_problems
from tuili.tasks import unseen_problems

EXITS = (3, 6, 9, 12)
DOMAINS = ["arithmetic", "knights"]


@pytest.fixture(scope="module")
def responses() -> list[ScoredResponse]:
    problems = unseen_problems(DOMAINS, [1, 2], 3, seed=0)
    return answer_problems(Oracle(problems, wrong={problems[0].prompt, problems[4].prompt}), problems)


@pytest.fixture(scope="module")
def report(responses: list[ScoredResponse]) -> dict[str, object]:
    depth = depth_section([], depth_trends(responses))
    return {
        **accuracy_section(responses, 1.5),
        **provenance(),
        "samples": samples(responses, TOKENIZER),
        "depth": depth,
    }


@pytest.fixture(scope="module")
def full(report: dict[str, object], responses: list[ScoredResponse]) -> dict[str, object]:
    problems = [one.problem for one in responses]
    layers = {3: 3, 12: 12, "auto": 3}
    points = [
        depth_point(depth, answer_problems(Oracle(problems, depth=used), problems), 1.5)
        for depth, used in layers.items()
    ]
    experts = ExpertReport(
        domains=DOMAINS,
        expert_names=["a", "b", "c"],
        first_share=[[1, 0, 0], [0, 0.5, 0.5]],
        both_share=[[0.5, 0.5, 0], [0, 0.5, 0.5]],
        purity={"arithmetic": 1.0, "knights": None},
        mean_purity=1.0,
        max_violation=[0.25, 0.0],
        max_violation_tokens=[0.5, 0.125],
        n=3,
        accuracy={"arithmetic": 1.0, "knights": 0.5},
        kept={"arithmetic": [0, 1], "knights": [1, 2]},
        retention={"arithmetic": 0.9, "knights": 0.5},
        retention_loss={"arithmetic": AccuracyLoss(0.1, (-0.1, 0.3)), "knights": AccuracyLoss(0.0, (-0.2, 0.2))},
        knock_out_n=2,
        knock_out=[[-1, 0, 0], [0, -0.5, 0.1]],
    )
    return {
        **report,
        "depth": depth_section(points, depth_trends(responses)),
        "experts": expert_section(experts),
    }


def pictures(page: str) -> list[str]:
    matches = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    return [base64.b64decode(picture).decode() for picture in matches]


def test_the_fixed_fields_are_there(report: dict[str, object]) -> None:
    assert set(report["mean"]) == {"1", "2"}
    for cell in report["cells"]:
        assert {"domain", "level", "n", "accuracy", "ci95", "mean_depth"} <= set(cell)
    assert report["problems"] == 12
    assert report["accuracy"] == pytest.approx(10 / 12)
    assert report["tokens"] > 100


def test_every_field_of_the_report_is_documented(full: dict[str, object]) -> None:
    documented = set(re.findall(r"`(\w+)`", (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text()))
    for part in (
        full,
        full["cells"][0],
        full["depth"],
        full["depth"]["points"][0],
        full["depth"]["trends"][0],
    ):
        assert set(part) <= documented
    assert set(full["experts"]) <= documented


def test_samples_show_the_hardest_right_answer_of_each_domain_and_the_wrong_ones(
    responses: list[ScoredResponse],
) -> None:
    shown = samples(responses, TOKENIZER, wrong=2)
    assert [(sample["domain"], sample["level"], sample["correct"]) for sample in shown] == [
        ("arithmetic", 2, True),
        ("knights", 2, True),
        ("arithmetic", 1, False),
        ("knights", 1, False),
    ]
    for step in shown[0]["steps"]:
        assert step["verdict"] == "valid"
        assert "".join(piece for piece, _ in step["pieces"]) == step["text"]
    assert shown[2]["answer"] == "no idea"


def test_wrong_answers_are_of_different_domains_the_hardest_first() -> None:
    wrong = {"arithmetic": [1, 2], "knights": [1, 3], "calendar": [2, 2, 2], "counting": [1]}
    responses = [response(domain, level, correct=False) for domain, levels in wrong.items() for level in levels]
    shown = [(sample["domain"], sample["level"]) for sample in samples(responses, TOKENIZER)]
    assert shown == [("knights", 3), ("calendar", 2), ("arithmetic", 2)]


def test_cells_become_rows_of_domains(report: dict[str, object]) -> None:
    rows = cells_by_domain(report["cells"])
    assert list(rows) == DOMAINS
    assert [rows["knights"][level]["level"] for level in ("1", "2")] == [1, 2]


def test_json_reads_back_and_leaves_nothing_beside_it(report: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.json"
    write_json(path, report)
    assert json.loads(path.read_text())["mean"] == report["mean"]
    assert list(path.parent.iterdir()) == [path]


def test_the_page_stands_alone(full: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    log = [{"step": step, "loss": 1 / step, "accuracy": 1 - 1 / step} for step in range(1, 5)]
    write_html(path, full, "A <title>", EXITS, log, [(0, 1), (2, 2)])
    page = path.read_text()
    assert "A &lt;title&gt;" in page
    assert not re.search(r"https?:|<script|<link|@import|url\(", page)
    assert len(pictures(page)) == 7
    for shown in ("<th>level 2</th>", "0.25 in the worst layer", "0.50 over the tokens", "at most 0.3"):
        assert shown in page
    assert all(picture.rstrip().endswith("</svg>") for picture in pictures(page))


def test_parts_that_were_not_measured_are_left_out(report: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_html(path, report, "short", EXITS)
    page = path.read_text()
    assert "Experts" not in page
    assert "Learning curve" not in page
    assert len(pictures(page)) == 2


def test_a_single_level_needs_no_depth_lines(tmp_path: Path) -> None:
    report = {**accuracy_section([response()], 1.0), **provenance(), "samples": [], "depth": depth_section([], [])}
    write_html(tmp_path / "report.html", report, "one", EXITS)
    assert len(pictures((tmp_path / "report.html").read_text())) == 1


def test_text_of_a_prompt_cannot_become_markup(report: dict[str, object], tmp_path: Path) -> None:
    sample = {**report["samples"][0], "prompt": "<script>alert(1)</script>", "answer": "<img src=x>"}
    write_html(tmp_path / "report.html", {**report, "samples": [sample]}, "page", EXITS)
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "<img src=x>" not in page


def test_the_same_figures_give_the_same_page(full: dict[str, object], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_html(tmp_path / name, full, "page", EXITS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
