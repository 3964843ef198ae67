"""The block `route`: it assigns a domain to every document, and extracts records of problems with no refuted step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

import msgspec
from pydantic import Field

from tuili.data.pipeline.block import Block, BlockSettings
from tuili.data.pipeline.document import ROUTED_DOMAIN, Document, Drop
from tuili.data.pipeline.routing.domains import domain_of
from tuili.data.pipeline.routing.extraction import WORD, Question, Reason, can_be_checked, extract_record
from tuili.data.pipeline.routing.problems import FoundProblem, find_problems
from tuili.data.pipeline.routing.rows import question_of_row, source_of
from tuili.data.records import record_fields
from tuili.errors import RecordError
from tuili.tasks import BUILT_IN_DOMAINS

NONE = "none"
"""The domain of documents that belong to no domain."""
FEW_WORDS = 20
"""The text left after problems are removed is a document if it has at least this number of words."""
Part = Document | tuple[Document, Drop]


class RoutingSettings(BlockSettings):
    """Routing in a recipe."""

    makes_records: ClassVar[bool] = True

    block: Literal["route"]
    extract: bool = Field(True, description="Whether problems are looked for inside texts, too.")
    no_domain: Literal["keep", "drop"] = Field("keep", description="What becomes of documents of no domain.")
    not_derived: Literal["keep", "drop"] = Field(
        "drop", description="What becomes of problems whose steps all hold, while none gives the answer."
    )
    least_read: float = Field(
        0.0, ge=0, le=1, description="The least share of a problem's calculations in words that must be read as steps."
    )

    def build(self) -> Routing:
        """Build the block."""
        return Routing(self)


class Routing(Block):
    """Records the domain of each document as `routed_domain`, and extracts records from the document."""

    name, routes = "route", True
    Reason = Reason

    def __init__(self, settings: RoutingSettings) -> None:
        self._settings = settings

    def apply(self, document: Document) -> Sequence[Part]:
        """Return the document with its domain; or the problems in it, and the rest of its text."""
        try:
            question = question_of_row(document)
        except RecordError as error:
            return [(document, self.drop(Reason.MALFORMED, message=str(error)))]
        if question is not None:
            return [self._settled(document, question)]
        found = find_problems(document.text) if self._settings.extract else ()
        problems = [one for one in found if can_be_checked(one.question, one.answer, one.steps)]
        return [*self._parts(document, problems)] if problems else [self._routed(document)]

    def _parts(self, document: Document, found: Sequence[FoundProblem]) -> Iterator[Part]:
        rest, reached = list[str](), 0
        for number, problem in enumerate(found, start=1):
            rest.append(document.text[reached : problem.start])
            reached = problem.end
            name = f"{document.id}/{number}"
            text = document.text[problem.start : problem.end].strip()
            fields = {"input": problem.question, "output": problem.answer, "source": source_of(document), "id": name}
            part = msgspec.structs.replace(document, text=text, id=name, kind="problem")
            yield self._settled(part, Question(fields, problem.steps, equalities=problem.equalities))
        left = "\n\n".join(filter(None, map(str.strip, [*rest, document.text[reached:]])))
        if left:
            part = msgspec.structs.replace(document, text=left, id=f"{document.id}/rest")
            words = len(WORD.findall(left))
            few = self.drop(Reason.LITTLE_LEFT, words=words, least=FEW_WORDS)
            yield (part, few) if words < FEW_WORDS else self._routed(part)

    def _settled(self, document: Document, question: Question) -> Part:
        extracted = extract_record(question, self._settings.not_derived == "keep")
        if extracted.reason is not Reason.MALFORMED:
            document = document.with_measures(steps=extracted.steps)
        if extracted.steps:
            document = document.with_measures(decided_steps=extracted.decided / extracted.steps)
        read = min(1, len(question.steps) / question.equalities) if question.equalities else 1.0
        if question.equalities:
            document = document.with_measures(read_steps=read)
        if extracted.record is None:
            assert extracted.reason is not None
            return document, self.drop(extracted.reason, **extracted.measured)
        if read < self._settings.least_read:
            return document, self.drop(Reason.UNREAD, measured=read, least=self._settings.least_read)
        domain = extracted.record.domain if extracted.record.domain in BUILT_IN_DOMAINS else None
        return self._noted(msgspec.structs.replace(document, record=record_fields(extracted.record)), domain)

    def _routed(self, document: Document) -> Part:
        return self._noted(document, domain_of(document.text))

    def _noted(self, document: Document, domain: str | None) -> Part:
        if domain is None and self._settings.no_domain == "drop":
            return document, self.drop(Reason.NO_DOMAIN)
        return document.with_metadata(**{ROUTED_DOMAIN: domain or NONE})
