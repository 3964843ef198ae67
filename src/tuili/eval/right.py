"""Which problems a model answers rightly, one by one: for comparing two models on the same ones.

What is told of a model by domain and level is left to `evaluation` and `file_evaluation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from tuili.engine import Budget, Numbers, Request, load_decoder, load_engine
from tuili.eval.asking import ask_problems
from tuili.eval.comparing import Comparison
from tuili.eval.own import OwnProblem
from tuili.eval.progress import JobProgress
from tuili.eval.runner import answer_problems
from tuili.store import open_model
from tuili.tasks import Problem

SLOTS = 16
"""Questions of a file that are answered together."""


def right_answers(
    model: Path, problems: Sequence[Problem], progress: JobProgress = lambda *_: None, numbers: Numbers = "auto"
) -> list[bool]:
    """Whether a model's answer to each problem is right, as `tuili eval` counts it: one attempt, at depth `auto`.

    The problems are all generated ones, for a model of Tuili's own, or all of a file. `progress` is first called with
    0, when the model is loaded; what it raises ends the measuring.
    """
    asked = [problem for problem in problems if isinstance(problem, OwnProblem)]
    if not asked:
        decoder = load_decoder(model, "auto", threads=torch.get_num_threads(), numbers=numbers)
        progress(0, len(problems))
        return [response.correct for response in answer_problems(decoder, problems, progress)]
    assert len(asked) == len(problems)
    stored = open_model(model)
    comparison, budget = Comparison.of_model(stored.path, stored.tokenizer), Budget()
    engine = load_engine(stored, slots=SLOTS, waiting=len(asked) + 1, numbers=numbers)
    progress(0, len(problems))

    def request(problem: OwnProblem) -> Request:
        return Request(problem.prompt, budget, earlier=problem.earlier)

    return [response.correct for response in ask_problems(engine, asked, request, comparison, progress=progress)]
