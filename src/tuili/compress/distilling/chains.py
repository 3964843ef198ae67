"""The rounds of a distillation in which the student or its teacher writes chains and the student learns them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tuili.compress.compression import StageSetting
from tuili.compress.distilling.recipe import DistilConfig
from tuili.compress.distilling.rounds import Rounds
from tuili.compress.distilling.writing import Round, write_chains, writing_part
from tuili.compress.trial import Part
from tuili.compress.watch import Watch
from tuili.data import Document
from tuili.model import TuiliForCausalLM
from tuili.store import PAD, Tokenizer
from tuili.train import StreamConfig

WRITTEN = "written"
"""A folder in the run folder: what was written in each round."""


def chain_rounds(
    config: DistilConfig, by_student: bool, writer: TuiliForCausalLM, loaded_from: tuple[Path, Tokenizer],
    setting: StageSetting,
) -> Rounds:  # fmt: skip
    """The rounds of a stage. by_student: whether the student is the writer, or its teacher. The student's rounds follow
    the teacher's, with their own questions and seeds.

    With logits, a chain is learnt up to the first step that the checker refutes, always so for a teacher's chain. With
    sequence, chains without an end are left out, as are those with such a step. loaded_from: a folder and the
    tokenizer.
    """
    stream, whole, whose = setting.data.stream, config.by == "sequence", "the student" if by_student else "the teacher"
    assert stream is not None
    steps, rounds = _divided(setting.until - setting.first, config)
    earlier = _divided(setting.first, config)[1] if config.teacher_writes else 0

    def write(number: int) -> Sequence[Document] | None:
        setting.tell(f"round {number - earlier + 1} of {rounds}: {whose} writes {_chains_of(config)}")
        wanted = _round(config, by_student, stream, number, steps)
        written = write_chains(writer, loaded_from, stream, wanted, setting.stopped, Watch(setting.tell))
        if written is None:
            return None
        refuted, ended = (sum(marks) / max(1, len(written)) for marks in (
            [one.refuted for one in written], [one.ended for one in written],
        ))  # fmt: skip
        setting.tell(
            f"of {len(written):,} chains {refuted:.0%} have a step that is refuted, and {ended:.0%} end by themselves"
        )
        if whole:
            written = [one for one in written if one.ended and not (config.mask and one.refuted)]
        return [one.document for one in written]

    pad_id = loaded_from[1].token_id(PAD)
    return Rounds(setting.first, steps, stream.rows, stream.length, pad_id, setting.folder / WRITTEN, write, earlier)


def chains_part(
    config: DistilConfig, by_student: bool, writer: TuiliForCausalLM, loaded_from: tuple[Path, Tokenizer],
    stream: StreamConfig, steps: int,
) -> Part:  # fmt: skip
    """The time trial for the writing of a stage of this many steps."""
    of_round, rounds = _divided(steps, config)
    return writing_part(writer, loaded_from, stream, _round(config, by_student, stream, 0, of_round), rounds)


def _round(config: DistilConfig, by_student: bool, stream: StreamConfig, number: int, steps: int) -> Round:
    """What is written for a round of this many steps."""
    whole, temperature = config.by == "sequence", config.writing.temperature
    if temperature is None:
        temperature = 0.0 if whole else 1.0
    masks = not whole and (config.mask or not by_student)
    return Round(number, config.writing.chains, steps * stream.rows * stream.length, temperature, masks)


def _divided(steps: int, config: DistilConfig) -> tuple[int, int]:
    """The steps per round in a stage of this many steps, and the number of rounds."""
    of_round = max(1, -(-steps // config.writing.rounds))
    return of_round, -(-steps // of_round)


def rounds_of(steps: int, config: DistilConfig) -> str:
    """The rounds of a stage of this many steps, for readers."""
    _, rounds = _divided(steps, config)
    return f"{rounds} round{'s' * (rounds > 1)} of {_chains_of(config)}"


def _chains_of(config: DistilConfig) -> str:
    """How many chains are written in a round."""
    count = config.writing.chains
    if count is None:
        return "as many chains as are learnt once"
    return f"{count:,} chain{'s' * (count > 1)}"
