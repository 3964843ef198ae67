"""Shows how the teaching of an imported model reads a file, for users who inspect it before the teaching begins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os.path import realpath
from pathlib import Path

from tuili.data import BlockStream, Document, Record, StreamState, read_questions, showing
from tuili.posttrain.teaching.data import build_sources, open_stream, refuse_held_out, row_length, taught_record
from tuili.posttrain.teaching.examples import ExampleEncoder
from tuili.posttrain.teaching.recipe import TeachingConfig, TeachingDataConfig
from tuili.store import ImportedModel


class TeachingFeed:
    """A file as a teaching reads it. See `tuili.data.showing.Feed`.

    Args:
        config: of the teaching, which reads the file.
        tell: gets the lines that the teaching would report.
    Raises `InputError` if its rows have no room after the template, or are longer than the model's context.
    """

    def __init__(self, config: TeachingConfig, stored: ImportedModel, file: Path, tell: Callable[[str], None]) -> None:
        self._config, self._file, self._tell = config, file, tell
        self._prose = config.response == "prose"
        self._encode = ExampleEncoder(stored.tokenizer, config.results == "masked", self._prose)
        self.tokenizer, self.prefix, self.pad_id = stored.tokenizer, self._encode.prefix, stored.tokenizer.end_id
        self.capacity = row_length(config, len(self.prefix), stored.shape.max_position_embeddings)
        self.notes = tuple(self._told())

    def records(self) -> Iterator[showing.FedRecord]:
        """The questions of the file; those that are left out come with their steps, whatever is wrong with them. Raises
        `RecordError` for a bad line, and for a problem that is held out."""
        for one in read_questions(self._file):
            refuse_held_out(str(self._file), one.record)
            taught = taught_record(one, self._prose)
            if taught:
                yield showing.FedRecord(taught)
            else:
                reason = "it is not answered in words" if self._prose else str(one.outcome)
                steps = () if self._prose else one.steps  # for prose only the answer is encoded
                yield showing.FedRecord(one.record.model_copy(update={"steps": steps}), reason)

    def encode(self, record: Record) -> Document:
        """The document of a record."""
        return self._encode(record)

    def open(self) -> BlockStream:
        """The blocks of the teaching, from the first one on."""
        config = self._config
        sources = build_sources(config.data, config.seed, self._prose, self._tell)
        return open_stream(sources, self._encode, config.rows, self.capacity, self.pad_id, StreamState())

    def _told(self) -> Iterator[str]:
        if share := self._config.data.lower_case:
            yield f"{share:.0%} of the questions, drawn as rows are packed, are read in small letters"
        if self._config.results == "masked" and not self._prose:
            yield "values that a calculator can write behind = are masked: teach.results=learnt learns them, too"


def taught_data_with(data: TeachingDataConfig, file: Path, alone: bool = False) -> TeachingDataConfig:
    """The data of a teaching that also reads a file, with weight 1 if it was not included; or of that file alone."""
    if alone:
        return data.model_copy(update={"domains": (), "validation": (), "files": {file: 1.0}})
    if realpath(file) in map(realpath, data.files):
        return data
    return data.model_copy(update={"files": {**data.files, file: 1.0}})
