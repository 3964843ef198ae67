from pathlib import Path

import pytest

from benchmarks.harness.tiny import save_tiny
from tests.eval.scripted import TOKENIZER, Oracle
from tuili.errors import ModelFolderError
from tuili.eval.depth import depth_point, depth_trends
from tuili.eval.reporting.card import write_card
from tuili.eval.reporting.kept import EVAL_FILE, figures_line, read_figures
from tuili.eval.reporting.report import accuracy_section, depth_section, provenance, samples
from tuili.eval.runner import answer_problems
from tuili.model import load_model
from tuili.store import model_hash
from tuili.tasks import unseen_problems


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "small")


def report() -> dict[str, object]:
    problems = unseen_problems(["arithmetic", "knights"], [1, 2], 2, seed=3)
    responses = answer_problems(Oracle(problems, wrong={problems[0].prompt}), problems)
    return {
        **accuracy_section(responses, 1.0),
        **provenance(),
        "settings": {"seed": 3, "per_cell": 2, "depth": "auto"},
        "samples": samples(responses, TOKENIZER),
        "depth": depth_section([], []),
    }


def test_the_card_tells_recipe_seeds_tokens_hours_and_results(folder: Path) -> None:
    write_card(folder, report())
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0")
    assert "# small" in card
    assert "| arithmetic | 0.500 (0.09–0.91) | 1.000 (0.34–1.00) |" in card
    assert "| **mean** | **0.750** | **1.000** |" in card
    assert "Lowest at level 1: arithmetic, 0.500.\n" in card
    assert "| train |" in card
    assert "| 100 | 0.50 | train 1 | loss 2.5 |" in card
    assert "train:\n  steps: 5" in card
    assert " tokens, trained on up to 96 |\n" in card
    assert "\n| conversation | single: " in card
    assert "fit, with their answer, into 96 tokens" in card
    assert "\n\n\n" not in card


def test_the_card_compares_depths_and_says_how_that_was_timed(folder: Path) -> None:
    problems = unseen_problems(["arithmetic"], [1, 2], 2, seed=3)
    responses = answer_problems(Oracle(problems), problems)
    depth = depth_section([depth_point(name, responses, 2.5) for name in (3, "auto")], depth_trends(responses))
    for processes in (1, 2, 3):
        write_card(folder, report() | provenance(processes, threads=1) | {"depth": depth})
        card = (folder / "README.md").read_text()
        assert "| auto | 1.000 | 1.000 | 1.000 |" in card
        assert "\nDepth rises with level in " in card
        assert ("beside up to 2 other processes that" in card) == (processes == 3)
        assert ("beside up to 1 other process that" in card) == (processes == 2)
        assert "\n\n\n" not in card


def test_only_what_matters_of_a_step_s_figures_is_told() -> None:
    figures = {"accuracy": 0.99, "accuracy_3": 0.981, "accuracy_12": 0.9954, "domain_loss": 0.003, "loss": 0.02673}
    assert figures_line(figures) == "loss 0.02673, accuracy 0.99, by exit 0.981 / 0.995"
    assert figures_line({}) == ""


def test_the_card_leaves_the_model_as_it_is(folder: Path) -> None:
    before = model_hash(folder)
    write_card(folder, report())
    assert model_hash(folder) == before
    load_model(folder)


def test_figures_read_back(folder: Path) -> None:
    assert read_figures(folder) is None
    write_card(folder, report())
    assert read_figures(folder)["mean"] == {"1": 0.75, "2": 1.0}


def test_damaged_figures_are_refused(folder: Path) -> None:
    (folder / EVAL_FILE).write_text("{")
    with pytest.raises(ModelFolderError, match="is not JSON"):
        read_figures(folder)
    for text in (
        '{"mean": {"1": "half"}, "mean_depth": 3.0, "date": ""}',
        '{"mean": {}, "mean_depth": "", "date": ""}',
    ):
        (folder / EVAL_FILE).write_text(text)
        with pytest.raises(ModelFolderError, match="is not a report"):
            read_figures(folder)
