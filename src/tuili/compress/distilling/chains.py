"""The rounds of a distillation in which chains are written and learnt: the student's own, or its teacher's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tuili.compress.compression import StageSetting
from tuili.compress.distilling.recipe import DistilConfig
from tuili.compress.distilling.rounds import Rounds
from tuili.compress.distilling.writing import Round, write_chains
from tuili.data import Document
from tuili.model import TuiliForCausalLM
from tuili.store import PAD, Tokenizer

WRITTEN = "written"
"""In the folder of a run: what was written in each round."""


def chain_rounds(
    config: DistilConfig, writer: TuiliForCausalLM, loaded_from: tuple[Path, Tokenizer], setting: StageSetting
) -> Rounds:
    """The rounds of a stage. writer: the student, or its teacher where it is learnt from its chains.

    Of a teacher's chains, those without an end are left out, and those with a step that the checker refutes.
    loaded_from: a folder, and the tokenizer.
    """
    stream, teaches = setting.data.stream, config.by == "sequence"
    assert stream is not None
    steps = max(1, -(-(setting.until - setting.first) // config.writing.rounds))
    rounds = -(-(setting.until - setting.first) // steps)
    temperature = config.writing.temperature
    if temperature is None:
        temperature = 0.0 if teaches else 1.0
    whose, tokens = "the teacher" if teaches else "the student", steps * stream.rows * stream.length

    def write(number: int) -> Sequence[Document] | None:
        setting.tell(f"round {number + 1} of {rounds}: {whose} writes {chains_of(config)}")
        wanted = Round(number, config.writing.chains, tokens, temperature, config.mask and not teaches)
        written = write_chains(writer, loaded_from, stream, wanted, setting.stopped, setting.tell)
        if written is None:
            return None
        refuted, ended = (sum(marks) / max(1, len(written)) for marks in (
            [one.refuted for one in written], [one.ended for one in written],
        ))  # fmt: skip
        setting.tell(
            f"of {len(written):,} chains {refuted:.0%} have a step that is refuted, and {ended:.0%} end by themselves"
        )
        if teaches:
            written = [one for one in written if one.ended and not (config.mask and one.refuted)]
        return [one.document for one in written]

    pad_id = loaded_from[1].token_id(PAD)
    return Rounds(setting.first, steps, stream.rows, stream.length, pad_id, setting.folder / WRITTEN, write)


def chains_of(config: DistilConfig) -> str:
    """How many chains are written in a round, for readers."""
    count = config.writing.chains
    if count is None:
        return "as many chains as are learnt once"
    return f"{count:,} chain{'s' * (count > 1)}"
