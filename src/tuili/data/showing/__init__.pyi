from .documents import JudgedStep, ShownDocument, ShownToken
from .facts import facts, row_facts, summary, title
from .feed import FedRecord, Feed, ShownRow, show_prefix, show_records, show_rows
from .lines import Piece, ShownLine, prefix_lines, shown_lines
from .page import token_style, write_page

__all__ = [
    "FedRecord",
    "Feed",
    "JudgedStep",
    "Piece",
    "ShownDocument",
    "ShownLine",
    "ShownRow",
    "ShownToken",
    "facts",
    "prefix_lines",
    "row_facts",
    "show_prefix",
    "show_records",
    "show_rows",
    "shown_lines",
    "summary",
    "title",
    "token_style",
    "write_page",
]
