"""All measured results, as `docs/benchmarks.md` has them, by the section that holds them."""

from __future__ import annotations

from benchmarks.table.answer_rows import ANSWERS
from benchmarks.table.data_rows import DOCUMENTS, DUPLICATES, HOSTILE, MULTIPLIED, QUALITY, ROUTED
from benchmarks.table.distilled_rows import STUDENTS
from benchmarks.table.distributed_rows import (
    BACKENDS,
    CLAIM,
    CODEC,
    EQUAL,
    LOSS_SECONDS,
    LOSSES,
    OVERLAP,
    SENT,
    WEIGHTS,
)
from benchmarks.table.engine_rows import ENGINE, OTHER_ENGINES, SERVING
from benchmarks.table.example_rows import COMPARED
from benchmarks.table.factorised_rows import FACTORS
from benchmarks.table.familiarity_rows import FAMILIARITY
from benchmarks.table.handbook_rows import GAINED
from benchmarks.table.imported_rows import IMPORTED
from benchmarks.table.model_rows import CHECKER, MODEL, SHIPPED_MODEL, TRAINING
from benchmarks.table.promised_rows import PROMISED
from benchmarks.table.pruned_rows import KEPT
from benchmarks.table.quantised_rows import WHOLE_NUMBERS
from benchmarks.table.recovery_rows import HANGING, RECOVERED, SAVED
from benchmarks.table.stacked_rows import STACKS_KEPT
from benchmarks.table.taught_rows import ADAPTED, FURTHER, TAUGHT

COLUMNS = ("measured", "result", "goal", "record")
GROUPS = {
    "model": MODEL,
    "engine": ENGINE,
    "other engines": OTHER_ENGINES,
    "imported models": (*IMPORTED, *TAUGHT, *FURTHER, *COMPARED, *PROMISED, *ADAPTED),
    "smaller models": (*KEPT, *FACTORS, *STUDENTS, *WHOLE_NUMBERS, *STACKS_KEPT),
    "serving": SERVING,
    "training": TRAINING,
    "several processes": (
        *BACKENDS,
        *CODEC,
        *SENT,
        *LOSSES,
        CLAIM,
        *WEIGHTS,
        LOSS_SECONDS,
        *EQUAL,
        *OVERLAP,
        *SAVED,
        *RECOVERED,
        *HANGING,
    ),
    "checker and verifier": CHECKER,
    "data engine": (*MULTIPLIED, *ROUTED, *QUALITY, *DUPLICATES, *DOCUMENTS, *HOSTILE),
    "shipped model": (*SHIPPED_MODEL, *ANSWERS, *FAMILIARITY, *GAINED),
}
