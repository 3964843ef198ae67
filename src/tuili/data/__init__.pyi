from .gsm8k import ImportOutcome, count_outcomes, import_gsm8k
from .packing import IGNORE_INDEX, Block
from .records import Record, check_records, numbered_records, read_records, record_schema, write_records
from .sources import (
    TOKENIZER_SAMPLE_RECORDS,
    FileSource,
    Source,
    TaskSource,
    check_sample,
    encode_record,
    sample_texts,
)
from .stream import BlockStream, StreamState, prefetch
from .tokenizer import MIN_VOCABULARY_SIZE, VOCABULARY_SIZE, train_tokenizer

__all__ = [
    "IGNORE_INDEX",
    "MIN_VOCABULARY_SIZE",
    "TOKENIZER_SAMPLE_RECORDS",
    "VOCABULARY_SIZE",
    "Block",
    "BlockStream",
    "FileSource",
    "ImportOutcome",
    "Record",
    "Source",
    "StreamState",
    "TaskSource",
    "check_records",
    "check_sample",
    "count_outcomes",
    "encode_record",
    "import_gsm8k",
    "numbered_records",
    "prefetch",
    "read_records",
    "record_schema",
    "sample_texts",
    "train_tokenizer",
    "write_records",
]
