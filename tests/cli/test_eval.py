import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.harness.tiny import save_tiny
from tests.eval.scripted import Oracle
from tuili.cli.app import main
from tuili.eval import evaluation, read_figures
from tuili.store import read_lineage, write_lineage
from tuili.tasks import unseen_problems

DOMAINS = ["arithmetic", "knights"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("eval") / "model")


@pytest.fixture
def by_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    problems = unseen_problems(DOMAINS, [1, 2], 4, seed=5)
    wrong = {problems[0].prompt}
    monkeypatch.setattr(evaluation, "load_decoder", lambda *_, **__: Oracle(problems, wrong))


@pytest.mark.usefixtures("by_heart")
def test_the_fixed_interface(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    options = ["--domains", "arithmetic,knights", "--levels", "1,2", "--per-cell", "4", "--seed", "5"]
    assert main(["eval", str(model), *options, "--json", str(path)]) == 0
    report = json.loads(path.read_text())
    assert report["mean"] == {"1": 0.875, "2": 1.0}
    assert [(cell["domain"], cell["level"]) for cell in report["cells"]] == [
        ("arithmetic", 1),
        ("knights", 1),
        ("arithmetic", 2),
        ("knights", 2),
    ]
    cell = report["cells"][0]
    assert (cell["n"], cell["accuracy"], cell["mean_depth"], cell["valid_steps"]) == (4, 0.75, 3.0, 1.0)
    assert cell["ci95"][0] < 0.75 < cell["ci95"][1]
    assert report["settings"]["seed"] == 5
    assert report["settings"]["split"] == "test"
    assert (report["settings"]["wording"], report["settings"]["languages"]) == ("seen", ["en"])
    assert "0.875" in capsys.readouterr().out


def test_a_model_is_measured_in_the_languages_that_it_learnt_or_in_those_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, path = save_tiny(tmp_path / "model"), tmp_path / "report.json"
    (trained,) = read_lineage(model)
    write_lineage(model, (replace(trained, recipe={"data": {"languages": {"zh": 0.4, "en": 0.6}}}),))
    options = ["--domains", "arithmetic", "--levels", "1", "--per-cell", "4", "--seed", "5", "--json", str(path)]
    for asked, languages in ((), ("en", "zh")), (("--language", "zh"), ("zh",)):
        problems = unseen_problems(["arithmetic"], [1], 4, seed=5, language=languages)
        monkeypatch.setattr(evaluation, "load_decoder", lambda *_, known=problems, **__: Oracle(known))
        assert main(["eval", str(model), *options, *asked, "--card"]) == 0
        settings = json.loads(path.read_text())["settings"]
        assert (settings["wording"], tuple(settings["languages"])) == ("seen", languages)
        assert f"\nlanguage: [{', '.join(languages)}]\n" in (model / "README.md").read_text()


@pytest.mark.usefixtures("by_heart")
def test_page_and_card_are_written_where_asked(model: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    options = ["--domains", "arithmetic,knights", "--per-cell", "4", "--seed", "5"]
    assert main(["eval", str(model), *options, "--html", str(page), "--card"]) == 0
    assert "87.5%" in page.read_text()
    assert read_figures(model)["mean"] == {"1": 0.875, "2": 1.0}
    assert (model / "README.md").is_file()


def test_a_full_evaluation_of_a_real_model_compares_depths_and_measures_experts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "ROUTING_PROBLEMS_PER_DOMAIN", 2)
    path, page = tmp_path / "report.json", tmp_path / "page.html"
    model = save_tiny(tmp_path / "model", max_position_embeddings=128)
    options = ["--domains", "arithmetic,equations", "--levels", "1,2", "--per-cell", "1", "--full"]
    assert main(["eval", str(model), *options, "--json", str(path), "--html", str(page)]) == 0
    report = json.loads(path.read_text())
    assert [point["depth"] for point in report["depth"]["points"]] == ["1", "2", "3", "4", "auto"]
    assert [point["mean_depth"] for point in report["depth"]["points"][:4]] == [1, 2, 3, 4]
    experts = report["experts"]
    assert experts["expert_names"] == ["propositional", "knights", "arithmetic", "calendar"]
    for row in experts["first_share"] + experts["both_share"]:
        assert sum(row) == pytest.approx(1)
    assert experts["max_violation"] is None, "two of four experts have no domain here"
    assert (experts["n"], experts["knock_out_n"]) == (1, 1)
    assert [len(row) for row in experts["knock_out"]] == [4, 4]


def test_conversations_of_a_real_model_stand_beside_single_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, model = tmp_path / "report.json", save_tiny(tmp_path / "model", max_position_embeddings=512)
    options = ["--domains", "arithmetic", "--levels", "1", "--per-cell", "2", "--conversations", "--json", str(path)]
    assert main(["eval", str(model), *options]) == 0
    section = json.loads(path.read_text())["conversations"]
    assert [row["ingredient"] for row in section["ingredients"]][:3] == ["courtesy", "system", "turns"]
    printed = capsys.readouterr().out
    assert "in a conversation" in printed
    assert "the model learnt single questions" in printed


@pytest.mark.parametrize(
    ("options", "runtime"),
    [((), "torch, fp32"), (("--numbers", "bf16"), "torch, bf16"), (("--numbers", "int8"), "torch, int8")],
)
def test_torch_is_measured_in_the_numbers_that_are_asked_for(
    tmp_path: Path, options: tuple[str, ...], runtime: str
) -> None:
    path, model = tmp_path / "report.json", save_tiny(tmp_path / "model", max_position_embeddings=128)
    sample = ("--domains", "arithmetic", "--levels", "1", "--per-cell", "1", "--json", str(path))
    assert main(["eval", str(model), *sample, "--runner", "torch", *options]) == 0
    assert json.loads(path.read_text())["runtime"] == runtime


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--language", "en,fr"], "--language 'fr': use one of en, zh"),
        (["--language", "en,en"], "--language 'en,en': give names separated by commas, each once"),
        (["--wording", "first"], "--wording 'first': use one of seen, unseen, all"),
        (["--levels", "1,x"], "--levels"),
        (["--levels", "1,1"], "--levels"),
        (["--levels", "9"], "level 9"),
        (["--domains", "astrology"], "astrology"),
        (["--domains", "knights,,"], "--domains"),
        (["--per-cell", "0"], "per-cell"),
        (["--seed", "-1"], "seed -1"),
        (["--depth", "5"], "depth 5"),
        (["--json", "report", "--html", "./report"], "report would be written twice: give --json"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    options: list[str], named: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", str(model), "--per-cell", "1", *options]) == 2
    captured = capsys.readouterr()
    assert named in captured.err
    assert captured.err.count("\n") == 1


@pytest.mark.usefixtures("by_heart")
def test_a_fixed_depth_has_no_trend_and_no_threshold(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, page = tmp_path / "report.json", tmp_path / "report.html"
    options = ["--domains", "arithmetic,knights", "--per-cell", "4", "--seed", "5", "--depth", "2"]
    assert main(["eval", str(model), *options, "--json", str(path), "--html", str(page), "--card"]) == 0
    report = json.loads(path.read_text())
    assert (report["settings"]["threshold"], report["depth"]["trends"]) == (None, [])
    assert "as the model is sure of it" not in page.read_text()
    card = (model / "README.md").read_text()
    assert "Depth rises" not in card
    assert f"# {model}\n" in card
    assert f"--model {model}\n" in card
    assert main(["eval", str(model), *options, "--threshold", "0.5"]) == 2
    assert "depth is 2: a threshold counts only where depth is auto" in capsys.readouterr().err
