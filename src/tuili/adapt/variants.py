"""What the model and the verifier learn from: the taught questions with variants, and further variants.

`tuili.data` makes the variants of a question.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tuili.adapt.questions import QuestionFiles
from tuili.data import MultiplyReport, masked_question, multiply_all, write_records
from tuili.files import whole_file

SPARE = 2
"""Variants of each question that are not taught. A model memorises taught ones, and a verifier must see errors."""
LEARNT, JUDGED, WHOLE = "taught", "judged", "responses"
"""The files: what the model learns, what the verifier learns from, and the former with whole responses, for exits."""


def vary(files: QuestionFiles, times: int, seed: int, tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Write the files. Returns how many questions yield how many variants, and why others yield none."""
    originals = files.records("teach")
    held_back = {masked_question(one.input) for part in ("calibrate", "test") for one in files.records(part)}
    report = MultiplyReport()
    made = list(
        multiply_all(originals, times + SPARE, seed, report, held_back, lambda read: tell(read, len(originals)))
    )
    taught = [one for one in made if int(one.id.rpartition("/x")[2]) <= times]
    spare = [one for one in made if int(one.id.rpartition("/x")[2]) > times]
    learnt = [*originals, *taught]
    write_records(files.file(LEARNT), learnt)
    write_records(files.file(JUDGED), [*originals, *spare])
    with whole_file(files.file(WHOLE)) as part:
        whole = (one.model_copy(update={"output": one.response, "steps": ()}) for one in learnt)
        part.write_text("".join(one.model_dump_json(exclude_defaults=True) + "\n" for one in whole), encoding="utf-8")
    return {
        "originals": len(originals),
        "multiplied": report.multiplied,
        "variants": len(taught),
        "spare": len(spare),
        "refused": {str(why): count for why, count in report.refused.most_common()},
    }
