"""How a training of Tuili's own models reads a file, for inspecting the file before the training begins."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from os.path import realpath
from pathlib import Path

from tuili.data import BlockStream, Document, Record, StreamState, encode_record, read_training_records, showing
from tuili.store import PAD, Tokenizer
from tuili.train.feed.stream import DataConfig, StreamConfig, build_curriculum, build_sources, open_stream


class TrainingFeed:
    """A file as a training reads it. See `tuili.data.showing.Feed`. config: of the training that reads the file."""

    def __init__(self, config: StreamConfig, tokenizer: Tokenizer, file: Path) -> None:
        self.tokenizer, self.capacity, self.pad_id = tokenizer, config.length, tokenizer.token_id(PAD)
        self.prefix: tuple[int, ...] = ()
        self.notes: tuple[str, ...] = ()
        self._config, self._file = config, file
        self._encode = partial(encode_record, tokenizer, experts=config.experts)

    def records(self) -> Iterator[showing.FedRecord]:
        """The records of the file. Raises `RecordError` for a bad line and for a held-out problem."""
        return map(showing.FedRecord, read_training_records(self._file))

    def encode(self, record: Record) -> Document:
        """The document of a record."""
        return self._encode(record)

    def open(self) -> BlockStream:
        """The blocks of the training, from the first one on."""
        sources = build_sources(self._config.data, self._config.seed)
        return open_stream(self._config, build_curriculum(self._config), sources, self.tokenizer, StreamState())


def data_with(data: DataConfig, file: Path, alone: bool = False) -> DataConfig:
    """The data of a training that also reads a file, with weight 1 if it did not before; or, if `alone`, only that."""
    if alone:
        return data.model_copy(update={"domains": (), "weights": {}, "files": {file: 1.0}})
    if realpath(file) in map(realpath, data.files):
        return data
    return data.model_copy(update={"files": {**data.files, file: 1.0}})
