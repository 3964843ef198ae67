from .gsm8k import ImportOutcome, count_outcomes, import_gsm8k
from .packing import IGNORE_INDEX, Block
from .records import Record, check_records, read_records, record_schema, write_records
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

__all__ = [
    "IGNORE_INDEX",
    "TOKENIZER_SAMPLE_RECORDS",
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
    "prefetch",
    "read_records",
    "record_schema",
    "sample_texts",
    "write_records",
]
