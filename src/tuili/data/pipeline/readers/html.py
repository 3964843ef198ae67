"""HTML: the main text of a page, found by resiliparse, or by trafilatura where the input says so."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from tuili.data.pipeline.document import Document, ReadFault, Refusal
from tuili.data.pipeline.readers.reader import Input, Item, Reader, SourceFile, read_whole
from tuili.errors import InputError, one_line

MAX_DEPTH = 2000
"""Elements within one another. Browsers stop at 512; a parser's memory and a walk's stack grow with them."""
_VOID = frozenset({b"br", b"img", b"hr", b"input", b"meta", b"link", b"source", b"area", b"base", b"col", b"wbr", b"p", b"li"})
