"""The recipe of a build: inputs, blocks and output, as `recipes/documents.yaml` shows them."""

from __future__ import annotations

from itertools import chain
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tuili.config import Config
from tuili.data.pipeline.blocks import AnyBlockSettings
from tuili.data.pipeline.filters.basic import BasicSettings, shipped_thresholds
from tuili.data.pipeline.filters.quality import QualitySettings
from tuili.data.pipeline.pipeline import Pipeline
from tuili.data.pipeline.readers.inputs import Input
from tuili.errors import InputError


class Output(Config):
    """What is written of documents that are kept."""

    format: Literal["jsonl.zst", "jsonl", "parquet"] = "jsonl.zst"
    form: Literal["documents", "records"] = Field(
        "documents", description="Documents, or the records extracted from them."
    )
    shard_documents: int = Field(100_000, ge=1, description="A shard ends behind about so many documents ...")
    shard_bytes: int = Field(2**28, ge=2**16, description="... or bytes before compression.")
    level: int = Field(3, ge=1, le=19, description="Level of the compression by zstd.")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.form == "records" and self.format == "parquet":
            raise ValueError("records are written as jsonl, which tuili train reads, or as jsonl.zst")
        if self.format != "jsonl.zst" and self.level != type(self).model_fields["level"].default:
            raise ValueError(f"level is one of zstd, and {self.format} has none: leave it out, or write jsonl.zst")
        return self


class Limits(Config):
    """What reading and filtering an item may take before it is refused."""

    seconds: float = Field(20.0, gt=0, le=3600, description="Seconds of computing.")
    memory: int = Field(2**31, ge=2**28, description="Bytes of a worker's memory.")


class BuildSettings(Config):
    """From documents to a clean corpus."""

    inputs: tuple[Input, ...] = ()
    blocks: tuple[AnyBlockSettings, ...] = ()
    output: Output = Output()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _has_records(self) -> Self:
        if self.output.form == "records" and not any(block.makes_records for block in self.blocks):
            raise ValueError("output.form = records, and no block extracts records from documents: write documents")
        return self

    examples: int = Field(5, ge=0, le=100, description="Examples of each reason that the report shows.")

    def pipeline(self) -> Pipeline:
        """Build the blocks. Raises `InputError` for a kind of text unknown to a filter, or that no text has."""
        self._check_kinds()
        return Pipeline([block.build() for block in self.blocks], records=self.output.form == "records")

    def _check_kinds(self) -> None:
        given = [source.kind for source in self.inputs if source.kind]
        filters = [block for block in self.blocks if isinstance(block, BasicSettings | QualitySettings)]
        for block in filters:
            known = tuple(block.by_kind())
            for kind in given:
                if kind not in known:
                    raise InputError(f"kind {kind!r} has no thresholds: those known are {', '.join(known)}")
        if not filters and any(source.kind_field for source in self.inputs):
            return  # a field may give any kind
        possible = dict.fromkeys((*shipped_thresholds(), *chain(*(block.by_kind() for block in filters)), *given))
        for name, kind in ((block.block, kind) for block in self.blocks for kind in block.excepted_kinds()):
            if kind not in possible:
                raise InputError(
                    f"{name} excepts the kind {kind!r}, and no text is of it: those known are {', '.join(possible)}"
                )


class BuildRecipe(BaseModel):
    """A recipe with the section `build`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    build: BuildSettings
