from .documents import JudgedStep, ShownDocument, ShownToken
from .facts import Summary, facts, row_facts, title
from .feed import FedRecord, Feed, ShownRow, show_prefix, show_records, show_rows
from .lines import Piece, ShownLine, prefix_lines, shown_lines
from .page import token_style, write_page
from .visible import BORDER, MASKED, visible

__all__ = [
    "BORDER",
    "MASKED",
    "FedRecord",
    "Feed",
    "JudgedStep",
    "Piece",
    "ShownDocument",
    "ShownLine",
    "ShownRow",
    "ShownToken",
    "Summary",
    "facts",
    "prefix_lines",
    "row_facts",
    "show_prefix",
    "show_records",
    "show_rows",
    "shown_lines",
    "title",
    "token_style",
    "visible",
    "write_page",
]
