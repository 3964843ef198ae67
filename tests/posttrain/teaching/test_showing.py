"""What is shown of a file is what a teaching learns: by the chat template, behind the prefix, with masked results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.posttrain.teaching.running import config, run
from tuili.data import IGNORE_INDEX, Block, Record, showing, write_records
from tuili.errors import InputError
from tuili.posttrain.teaching.data import row_length
from tuili.posttrain.teaching.network import TaughtNetwork
from tuili.posttrain.teaching.showing import TeachingFeed, taught_data_with
from tuili.steps import Status
from tuili.store import ImportedModel, open_model
from tuili.tasks import Split, generate


def feed_of(folder: Path, data: Path, **changes: object) -> TeachingFeed:
    stored = open_model(folder)
    assert isinstance(stored, ImportedModel)
    return TeachingFeed(config(folder, data, **changes), stored, data, lambda line: None)


@pytest.mark.parametrize("results", ["masked", "learnt"])
def test_shown_rows_are_those_that_a_teaching_really_learns_from(
    folder: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, results: str
) -> None:
    learnt = list[Block]()
    original = TaughtNetwork.loss

    def noted(self: TaughtNetwork, block: Block, extra: int, generator: torch.Generator) -> object:
        learnt.append(block)
        return original(self, block, extra, generator)

    monkeypatch.setattr(TaughtNetwork, "loss", noted)
    run(folder, data, tmp_path / "run", steps=2, results=results, lower_case=0.5)
    rows = [*showing.show_rows(feed_of(folder, data, results=results, lower_case=0.5), 4)]
    tokens_BT, targets_BT = (torch.cat([getattr(one, name) for one in learnt]) for name in ("tokens_BT", "targets_BT"))
    masked = 0
    for row, tokens_T, targets_T in zip(rows, tokens_BT.tolist(), targets_BT.tolist(), strict=True):
        shown = [token for document in row.documents for token in document.tokens]
        used = row.capacity - row.padding
        assert [token.id for token in shown] == tokens_T[:used]
        assert [token.learnt for token in shown[1:]] == [target != IGNORE_INDEX for target in targets_T[: used - 1]]
        masked += sum(document.masked for document in row.documents)
    assert (masked > 0) is (results == "masked")


def test_a_masked_result_is_what_the_checker_writes(folder: Path, data: Path) -> None:
    (document,) = showing.show_records(feed_of(folder, data), 3, 1)
    hidden = "".join(token.text for token in document.tokens[document.prompt_length :] if not token.learnt)
    assert document.record.steps == ("2 + 5 = 7",)
    assert hidden.strip() == "7"
    assert document.masked == sum(not token.learnt for token in document.tokens[document.prompt_length :]) > 0


def test_the_prefix_stands_before_every_row(folder: Path, data: Path) -> None:
    feed = feed_of(folder, data)
    (document,) = showing.show_records(feed, 1, 1)
    text = "".join(token.text for token in (*showing.show_prefix(feed), *document.tokens))
    assert text.startswith("<|im_start|>user\nAdd 0 and 3.<|im_end|>\n<|im_start|>assistant\n<think>\n0 + 3 = 3\n")
    assert feed.capacity == 128 - len(feed.prefix)


def test_questions_that_are_not_taught_are_shown_with_the_reason(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "mixed.jsonl"
    answers = ["So <<48/2=24>>24.\n#### 24", "So <<48/2=25>>25.\n#### 25", "Some.\n#### 4"]
    file.write_text("".join(json.dumps({"question": "How?", "answer": text}) + "\n" for text in answers))
    right, wrong, bare = showing.show_records(feed_of(folder, file), 1, 9)
    assert right.left_out == ""
    assert right.learnt > 0
    assert wrong.left_out == "a result is wrong"
    assert wrong.learnt == bare.learnt == 0
    assert [step.verdict.status for step in wrong.steps] == [Status.INVALID]
    assert bare.left_out == "no calculation is written out"
    (prose, *others) = showing.show_records(feed_of(folder, file, response="prose"), 1, 9)
    assert not any(document.statuses for document in others)  # of steps that are not shown
    learnt = "".join(token.text for token in prose.tokens if token.learnt)
    assert learnt.startswith("So 24.\n#### 24")
    assert prose.masked == 0


def test_the_notes_tell_what_is_not_in_the_file(folder: Path, data: Path) -> None:
    assert len(feed_of(folder, data, lower_case=0.25).notes) == 2
    assert feed_of(folder, data, lower_case=0.25).notes[0].startswith("25% of the questions")
    assert feed_of(folder, data, lower_case=0, results="learnt").notes == ()


def test_what_a_teaching_refuses_is_refused(folder: Path, data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"teach\.length = 100000: the model's context is"):
        feed_of(folder, data, length=100_000)
    with pytest.raises(InputError, match=r"teach\.length = 100000: the model's context is"):
        run(folder, data, tmp_path / "run", length=100_000)
    with pytest.raises(InputError, match=r"teach\.length = 128: the template alone takes 65: use 130 or more"):
        row_length(config(folder, data), 65, 512)
    assert row_length(config(folder, data), 64, 128) == 64
    held_out = tmp_path / "held_out.jsonl"
    write_records(held_out, [Record.of(generate("arithmetic", Split.TEST.seed(1), 0, 1))])
    with pytest.raises(InputError, match="is one that is never trained on"):
        list(showing.show_records(feed_of(folder, held_out), 1, 1))


def test_a_file_joins_the_data_of_a_recipe_or_stands_alone(folder: Path, data: Path, tmp_path: Path) -> None:
    of_recipe = config(folder, data, domains=["arithmetic"]).data
    other = tmp_path / "other.jsonl"
    assert taught_data_with(of_recipe, data) is of_recipe
    assert set(taught_data_with(of_recipe, other).files) == {data, other}
    alone = taught_data_with(of_recipe, other, alone=True)
    assert (set(alone.files), alone.domains) == ({other}, ())
