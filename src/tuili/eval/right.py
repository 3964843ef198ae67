"""Determines for each problem whether a model answers it correctly, to compare two models on the same problems.

`evaluation` and `file_evaluation` report on a model by domain and level.
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
"""The number of questions from a file answered at once."""


def right_answers(
    model: Path, problems: Sequence[Problem], progress: JobProgress = lambda *_: None, numbers: Numbers = "auto"
) -> list[bool]:
    """Whether a model's answer to each problem is right, as counted by `tuili eval`: one attempt, at depth `auto`.

    Either all problems are generated, for one of Tuili's own models, or all come from a file. `progress` is first
    called with 0, once the model is loaded; an exception from it ends the measuring.
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
