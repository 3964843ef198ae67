from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from tests.eval.trials import Oracle
from tuili.eval.experts import expert_report, max_violation
from tuili.eval.runner import unseen_problems
from tuili.model.experts import Routing, RoutingRecord
from tuili.tasks import Problem

DOMAINS = ["arithmetic", "calendar"]
EXPERTS = 3
PROBLEMS = unseen_problems(DOMAINS, [1], 4, seed=0)


class Model:
    """Two routed layers; domain 0 goes to expert 0 (and 2), domain 1 mostly to expert 1 (and 2)."""

    device = torch.device("cpu")
    config = SimpleNamespace(num_experts=EXPERTS, domains=DOMAINS)

    def __init__(self) -> None:
        self.allowed: list[bool] = [True] * EXPERTS
        self.seen: list[str] = []

    def restrict_experts(self, allowed_E: Tensor | None) -> None:
        self.allowed = [True] * EXPERTS if allowed_E is None else allowed_E.tolist()

    @contextmanager
    def record_routing(self) -> Iterator[RoutingRecord]:
        record, self.seen = RoutingRecord(), []
        yield record
        first = torch.tensor([8, 0, 0] if self.seen[0] == "arithmetic" else [1, 3, 0])
        second = torch.tensor([0, 0, int(first.sum())])
        record.layers += [Routing(first, first + second), Routing(first, first + second)]


class NeedsItsExpert(Oracle):
    """Answers a problem rightly only while the expert of its domain may be used."""

    def __init__(self, model: Model) -> None:
        super().__init__(PROBLEMS)
        self.model = model

    def fails(self, problem: Problem) -> bool:
        self.model.seen.append(problem.domain)
        return not self.model.allowed[DOMAINS.index(problem.domain)]


def test_the_tables_say_who_serves_whom_and_what_is_lost_without_them() -> None:
    model = Model()
    told: list[tuple[int, int]] = []
    report = expert_report(model, NeedsItsExpert(model), PROBLEMS, lambda done, total: told.append((done, total)))
    assert report.domains == DOMAINS
    assert report.first_share == [[1, 0, 0], [0.25, 0.75, 0]]
    assert report.both_share == [[0.5, 0, 0.5], [0.125, 0.375, 0.5]]
    assert report.purity == {"arithmetic": 1, "calendar": 0.75}
    assert report.mean_purity == 0.875
    assert report.n == 4
    assert report.accuracy == {"arithmetic": 1, "calendar": 1}
    assert report.knock_out == [[-1, 0, 0], [0, -1, 0]]
    assert {name: sorted(kept) for name, kept in report.kept.items()} == {
        "arithmetic": [0, 2],
        "calendar": [1, 2],
    }
    assert report.retention == {"arithmetic": 1, "calendar": 1}
    assert model.allowed == [True] * EXPERTS
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]


def test_a_failure_on_the_way_gives_all_experts_back() -> None:
    model = Model()

    class Breaks(NeedsItsExpert):
        def fails(self, problem: Problem) -> bool:
            if not all(self.model.allowed):
                raise RuntimeError("broken")
            return super().fails(problem)

    with pytest.raises(RuntimeError, match="broken"):
        expert_report(model, Breaks(model), PROBLEMS)
    assert model.allowed == [True] * EXPERTS


def test_a_domain_without_an_expert_has_no_purity() -> None:
    model = Model()
    model.config = SimpleNamespace(num_experts=EXPERTS, domains=["arithmetic"])
    report = expert_report(model, NeedsItsExpert(model), PROBLEMS)
    assert report.purity == {"arithmetic": 1, "calendar": None}
    assert report.mean_purity == 1


def test_balance_weighs_domains_equally_however_many_tokens_they_have() -> None:
    even = torch.tensor([[[1000.0, 0.0]], [[0.0, 1.0]]])
    assert max_violation(even) == [0.0]
    uneven = torch.tensor([[[3.0, 1.0], [1.0, 1.0]], [[3.0, 1.0], [5.0, 5.0]]])
    assert max_violation(uneven) == [0.5, 0.0]
