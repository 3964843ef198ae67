"""Where a student's chains are cut, how they are drawn, and what is learnt from them."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.compress.distilling.test_distil import config_of
from tuili.compress import Distilling, forward_kl, open_parent
from tuili.compress.distilling.writing import Round, questions, write_chains
from tuili.compress.healing import reverse_kl
from tuili.compress.watch import Watch
from tuili.data import StreamState
from tuili.engine import Sequence, StopReason
from tuili.errors import InputError
from tuili.model import TuiliForCausalLM, load_model
from tuili.train import CurriculumConfig, DataConfig, StreamConfig, build_sources

RIGHT, WRONG, BEHIND = "1 + 1 = 2\n", "1 + 1 = 3\n", "2 + 2 = 4\n"


class Scripted:
    """A scheduler whose responses are one after the other of given texts."""

    def __init__(self, tokenizer: Any, texts: list[str]) -> None:
        self._tokenizer, self._texts = tokenizer, texts
        self.sequences = list[Sequence]()

    def submit(self, sequence: Sequence) -> None:
        self.sequences.append(sequence)

    @property
    def busy(self) -> bool:
        return any(sequence.stop is None for sequence in self.sequences)

    def step(self) -> None:
        for number, sequence in enumerate(self.sequences):
            text = self._texts[number % len(self._texts)]
            sequence.tokens, sequence.stop = self._tokenizer.encode_text(text), StopReason.END


@pytest.mark.parametrize("masks", [True, False])
def test_what_stands_behind_a_refuted_step_is_learnt_only_without_the_mask(
    masks: bool, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = open_parent(own, config_of().healing)
    stream, model, tokenizer = parent.data(None, print).stream, parent.load(), load_model(own).tokenizer
    assert stream is not None
    assert isinstance(model, TuiliForCausalLM)
    scripted = Scripted(tokenizer, [RIGHT + WRONG + BEHIND, RIGHT + BEHIND])
    monkeypatch.setattr("tuili.compress.distilling.writing.load_scheduler", lambda *_, **__: scripted)
    written = write_chains(model, (own, tokenizer), stream, Round(0, 2, 0, 0.7, masks), lambda: False, Watch(print))
    assert written is not None
    assert [sequence.sampling.temperature for sequence in scripted.sequences] == [0.7, 0.7]
    learnt = [one.document.tokens[one.document.prompt_length :] for one in written]
    first = RIGHT + WRONG if masks else RIGHT + WRONG + BEHIND
    assert [tokenizer.decode(list(tokens)) for tokens in learnt] == [first, RIGHT + BEHIND]
    assert [one.refuted for one in written] == [True, False]


def test_texts_are_learnt_by_the_forward_divergence_and_own_chains_by_the_reverse_one(own: Path) -> None:
    config = config_of(on_policy=0.5)
    compression = Distilling(open_parent(own, config.healing), config)
    parent = compression.parent
    teacher, student = compression.teacher(), parent.network(compression.blank(0), learns=True)
    with parent.data(None, print).open_blocks(StreamState()) as blocks:
        block, _ = next(blocks)
    with torch.no_grad():
        aim, states = teacher.read(block, 3), student.read(block, 3)
        wanted = [kl(aim, states)[0].item() for kl in (forward_kl, reverse_kl)]
    assert wanted[0] != pytest.approx(wanted[1], rel=1e-3)
    found = [compression.learner(stage, student, teacher).learn(block, 3)["loss"] for stage in (0, 1)]
    assert found == pytest.approx(wanted, rel=1e-5)


def test_a_round_is_written_until_its_chains_fill_its_rows(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parent = open_parent(own, config_of().healing)
    stream, model, tokenizer = parent.data(None, print).stream, parent.load(), load_model(own).tokenizer
    assert stream is not None
    assert isinstance(model, TuiliForCausalLM)
    monkeypatch.setattr("tuili.compress.distilling.writing.BATCH", 4)
    scripted = Scripted(tokenizer, [RIGHT])
    monkeypatch.setattr("tuili.compress.distilling.writing.load_scheduler", lambda *_, **__: scripted)
    written = write_chains(model, (own, tokenizer), stream, Round(1, None, 400, 1.0, True), lambda: False, Watch(print))
    assert written is not None
    assert len(written) % 4 == 0
    tokens = [len(one.document) for one in written]
    assert sum(tokens[:-4]) < 400 <= sum(tokens)
    assert len({sequence.sampling.seed for sequence in scripted.sequences}) == len(written)
    asked = [sequence.prompt for sequence in scripted.sequences]
    assert len({*map(tuple, asked)}) > 0.9 * len(asked)


def test_rows_that_no_question_fits_into_are_refused(own: Path) -> None:
    parent = open_parent(own, config_of().healing)
    stream, model, tokenizer = parent.data(None, print).stream, parent.load(), load_model(own).tokenizer
    assert stream is not None
    assert isinstance(model, TuiliForCausalLM)
    short = stream.model_copy(update={"length": 32})
    with pytest.raises(InputError, match=r"distil\.healing\.length = 32: no question leaves 32 tokens"):
        write_chains(model, (own, tokenizer), short, Round(0, 1, 0, 1.0, True), lambda: False, Watch(print))


def test_the_questions_of_a_file_are_shuffled_once_an_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, shuffled = tmp_path / "records.jsonl", list[int]()
    (source,) = build_sources(DataConfig(domains=("calendar",)), 5)
    file.write_text("".join(source.record(number).model_dump_json() + "\n" for number in range(30)))

    class Counting(random.Random):
        def shuffle(self, x: Any) -> None:
            shuffled.append(len(x))
            super().shuffle(x)

    monkeypatch.setattr("tuili.data.sources.random.Random", Counting)
    data = DataConfig(domains=(), files={file: 1.0})
    stream = StreamConfig(
        data=data, curriculum=CurriculumConfig(kind="uniform"), seed=1, steps=1, accumulation=1, rows=1, length=320
    )
    asked = [record.id for record in islice(questions(stream, 1), 60)]
    assert len(shuffled) <= 3
    assert len({*asked}) == 30
