from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from tests.eval.scripted import Oracle
from tuili.eval.experts import max_violation, measure_experts
from tuili.model import Routing, RoutingRecord
from tuili.tasks import Problem, Split, unseen_problems

DOMAINS = ["arithmetic", "calendar", "knights"]
EXPERTS = 3
PROBLEMS = unseen_problems(DOMAINS, [1], 4, seed=0)
ROUTING_PROBLEMS = unseen_problems(DOMAINS, [1], 2, seed=0, split=Split.VALIDATION)


class Model:
    """Two routed layers; domain 0 goes to expert 0 (and 1), the others mostly to expert 1 (and 2).

    On problems of the validation split, domain 0 has expert 2 as its second one.
    """

    device = torch.device("cpu")
    config = SimpleNamespace(num_experts=EXPERTS, domains=DOMAINS)

    def __init__(self) -> None:
        self.allowed: list[bool] = [True] * EXPERTS
        self.seen: list[tuple[str, Split]] = []

    def restrict_experts(self, allowed_E: Tensor | None) -> None:
        self.allowed = [True] * EXPERTS if allowed_E is None else allowed_E.tolist()

    @contextmanager
    def record_routing(self) -> Iterator[RoutingRecord]:
        record, self.seen = RoutingRecord(), []
        yield record
        domain, split = self.seen[0]
        first = torch.tensor([8, 0, 0] if domain == "arithmetic" else [1, 3, 0])
        second = torch.tensor([0, 0, int(first.sum())])
        if split is Split.TEST and domain == "arithmetic":
            second = torch.tensor([0, 8, 0])
        record.layers += [Routing(first, first + second), Routing(first, first + second)]


class NeedsItsExpert(Oracle):
    """Answers a problem rightly only while the expert of its domain may be used."""

    def __init__(self, model: Model) -> None:
        super().__init__([*PROBLEMS, *ROUTING_PROBLEMS])
        self.model = model

    def fails(self, problem: Problem) -> bool:
        self.model.seen.append((problem.domain, Split.of_seed(problem.seed)))
        return not self.model.allowed[DOMAINS.index(problem.domain)]


def test_the_tables_say_who_serves_whom_and_what_is_lost_without_them() -> None:
    model = Model()
    reported: list[tuple[int, int]] = []
    decoder = NeedsItsExpert(model)
    report = measure_experts(
        model, decoder, PROBLEMS, ROUTING_PROBLEMS, 2, lambda done, total: reported.append((done, total))
    )
    assert report.domains == DOMAINS
    assert report.first_share == [[1, 0, 0], [0.25, 0.75, 0], [0.25, 0.75, 0]]
    assert report.both_share == [[0.5, 0.5, 0], [0.125, 0.375, 0.5], [0.125, 0.375, 0.5]]
    assert report.purity == {"arithmetic": 1, "calendar": 0.75, "knights": 0}
    assert report.mean_purity == pytest.approx(1.75 / 3)
    assert report.max_violation == pytest.approx([0.25, 0.25])
    assert report.max_violation_tokens == pytest.approx([14 / (32 / 3) - 1] * 2)
    assert (report.n, report.knock_out_n) == (4, 2)
    assert report.accuracy == dict.fromkeys(DOMAINS, 1)
    assert report.knock_out == [[-1, 0, 0], [0, -1, 0], [0, 0, -1]]
    assert {name: sorted(kept) for name, kept in report.kept.items()} == {
        "arithmetic": [0, 2],
        "calendar": [1, 2],
        "knights": [1, 2],
    }
    assert report.retention == dict.fromkeys(DOMAINS, 1)
    assert {loss.points for loss in report.retention_loss.values()} == {0}
    assert model.allowed == [True] * EXPERTS
    assert reported == [(part, 6) for part in range(1, 7)]


def test_a_failure_on_the_way_gives_all_experts_back() -> None:
    model = Model()

    class Breaks(NeedsItsExpert):
        def fails(self, problem: Problem) -> bool:
            if not all(self.model.allowed):
                raise RuntimeError("broken")
            return super().fails(problem)

    with pytest.raises(RuntimeError, match="broken"):
        measure_experts(model, Breaks(model), PROBLEMS, ROUTING_PROBLEMS)
    assert model.allowed == [True] * EXPERTS


def test_a_domain_without_an_expert_has_no_purity() -> None:
    model = Model()
    model.config = SimpleNamespace(num_experts=EXPERTS, domains=["arithmetic"])
    report = measure_experts(model, NeedsItsExpert(model), PROBLEMS, ROUTING_PROBLEMS)
    assert report.purity == {"arithmetic": 1, "calendar": None, "knights": None}
    assert report.mean_purity == 1
    assert report.max_violation is None
    assert report.max_violation_tokens is None


def test_a_domain_that_took_others_in_has_their_experts_too() -> None:
    model = Model()
    model.config = SimpleNamespace(num_experts=EXPERTS, domains=["fractions", "arithmetic", "knights"])
    report = measure_experts(model, NeedsItsExpert(model), PROBLEMS, ROUTING_PROBLEMS)
    assert report.purity == {"arithmetic": 1, "calendar": None, "knights": 0}
    assert report.expert_names == ["fractions", "arithmetic", "knights"]
    assert report.max_violation is not None


def test_balance_is_the_largest_load_over_the_mean() -> None:
    assert max_violation(torch.tensor([[3.0, 1.0], [5.0, 5.0]])) == [0.5, 0.0]
