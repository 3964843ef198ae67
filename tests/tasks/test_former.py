"""Former names of domains: read where a user wrote them, refused where the same problem cannot be given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tuili.cli.options import parse_domains
from tuili.errors import InputError
from tuili.tasks import (
    BUILT_IN_DOMAINS,
    current_domain,
    domain_names,
    former,
    generate,
    own_experts,
    phase,
    read_domain,
    read_domains,
    trained_domains,
)


@pytest.fixture(autouse=True)
def _nothing_told_yet() -> Iterator[None]:
    former._notify.cache_clear()
    yield
    former._notify.cache_clear()


def test_a_former_name_is_read_as_the_domain_that_it_joined_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    names = ["knights", "fractions", "arithmetic", "electricity", "mechanics", "counting"]
    assert read_domains(names) == ("knights", "arithmetic", "physics", "counting")
    assert read_domain("fractions") == "arithmetic"
    assert [record.getMessage() for record in caplog.records] == [
        "domain fractions is a part of arithmetic now, and is read as that",
        "domain electricity is a part of physics now, and is read as that",
        "domain mechanics is a part of physics now, and is read as that",
    ]


def test_a_name_of_no_domain_is_refused() -> None:
    with pytest.raises(InputError, match="unknown domain 'magic': use one of propositional, "):
        read_domains(["knights", "magic"])


def test_every_former_name_leads_to_a_domain_of_today() -> None:
    assert set(former.FORMER_DOMAINS.values()) <= set(BUILT_IN_DOMAINS)
    assert not set(former.FORMER_DOMAINS) & set(BUILT_IN_DOMAINS)


@pytest.mark.parametrize("ask", [lambda name: generate(name, 0, 0, 1), phase])
def test_a_problem_of_a_former_domain_cannot_be_made_again(ask: Callable[[str], object]) -> None:
    with pytest.raises(InputError, match=r"^domain 'fractions' is a part of 'arithmetic' now: use that$"):
        ask("fractions")


def test_the_command_line_takes_former_names() -> None:
    assert parse_domains("fractions, knights,arithmetic") == ("arithmetic", "knights")


def test_a_model_of_before_has_an_expert_for_every_domain_that_it_knows(caplog: pytest.LogCaptureFixture) -> None:
    experts = ("propositional", "knights", "arithmetic", "fractions", "mechanics", "electricity")
    assert own_experts("arithmetic", experts) == [experts.index("arithmetic"), experts.index("fractions")]
    assert own_experts("physics", experts) == [experts.index("mechanics"), experts.index("electricity")]
    assert {current_domain(name) for name in experts} <= set(BUILT_IN_DOMAINS)
    assert own_experts("proofs", experts) == []
    assert not caplog.records


def test_the_expert_of_a_domains_own_name_comes_first() -> None:
    assert own_experts("arithmetic", ("fractions", "knights", "arithmetic")) == [2, 0]
    assert own_experts("arithmetic", ("knights", "arithmetic")) == [1]


def test_only_what_a_user_wrote_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert [current_domain(name) for name in ("fractions", "knights")] == ["arithmetic", "knights"]
    assert not caplog.records


def test_a_model_knows_the_domains_of_its_experts() -> None:
    assert trained_domains(("mechanics", "knights", "fractions", "electricity")) == ("knights", "arithmetic", "physics")
    assert trained_domains(None) == trained_domains(("one", "two")) == domain_names()
