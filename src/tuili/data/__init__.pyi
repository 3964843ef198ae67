from . import pipeline, showing
from .multiplying.multiply import multiply, multiply_all
from .multiplying.outcome import MultiplyReport, Refusal
from .packing import IGNORE_INDEX, Block, Document, fill_row, pack
from .readers.kinds import kinds_of
from .readers.masking import masked_question
from .readers.questions import QuestionForm, question_form, read_questions
from .readers.read_question import ImportOutcome, ReadQuestion, count_outcomes
from .records import (
    MULTIPLIED_SOURCE,
    Record,
    check_records,
    numbered_records,
    original_id,
    read_records,
    read_training_records,
    record_schema,
    write_records,
)
from .sources import (
    TOKENIZER_SAMPLE_RECORDS,
    FileSource,
    RecordSource,
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
    "MULTIPLIED_SOURCE",
    "TOKENIZER_SAMPLE_RECORDS",
    "VOCABULARY_SIZE",
    "Block",
    "BlockStream",
    "Document",
    "FileSource",
    "ImportOutcome",
    "MultiplyReport",
    "QuestionForm",
    "ReadQuestion",
    "Record",
    "RecordSource",
    "Refusal",
    "Source",
    "StreamState",
    "TaskSource",
    "check_records",
    "check_sample",
    "count_outcomes",
    "encode_record",
    "fill_row",
    "kinds_of",
    "masked_question",
    "multiply",
    "multiply_all",
    "numbered_records",
    "original_id",
    "pack",
    "pipeline",
    "prefetch",
    "question_form",
    "read_questions",
    "read_records",
    "read_training_records",
    "record_schema",
    "sample_texts",
    "showing",
    "train_tokenizer",
    "write_records",
]
