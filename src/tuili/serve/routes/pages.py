"""The page at `/`: a fixed list of files, each read once at startup, and the checker's marks as a module. Clients name
a file of the list; no path that they send reaches the file system.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tuili.steps import Status

PAGE_FOLDER = Path(__file__).parents[1] / "page"
MEDIA_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PAGE_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-cache",  # browsers keep files, but ask each time whether they have changed
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
INDEX = "index.html"
FILE_NAMES = (
    INDEX,
    "budget.js",
    "depth.js",
    "dom.js",
    "examples.js",
    "feedback.js",
    "language.js",
    "mark.svg",
    "metrics.js",
    "page.css",
    "page.js",
    "receipt.js",
    "server.js",
    "steps.js",
    "theme.js",
    "turn.css",
    "turn.js",
    "words.js",
)

MARKS = "marks.js"
"""A generated module, which is not a file."""


@dataclass(frozen=True)
class PageFile:
    """One file of the page, with the headers that depend on its content."""

    content: bytes
    media_type: str
    etag: str


def _page_file(name: str, content: bytes) -> PageFile:
    return PageFile(content, MEDIA_TYPES[Path(name).suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _marks_module() -> bytes:
    """The checker's mark of each status, as a module for the page."""
    marks = {str(status): status.mark for status in Status}
    return f"export const marks = {json.dumps(marks, ensure_ascii=False)};\n".encode()


FILES: Mapping[str, PageFile] = {
    **{name: _page_file(name, (PAGE_FOLDER / name).read_bytes()) for name in FILE_NAMES},
    MARKS: _page_file(MARKS, _marks_module()),
}


async def index(http: Request) -> Response:
    """The page itself."""
    return _file_reply(FILES[INDEX], http)


async def page_file(http: Request) -> Response:
    """A file of the page, by name."""
    file = FILES.get(http.path_params["name"])
    if file is None:
        raise HTTPException(404)  # `app` writes the error message
    return _file_reply(file, http)


def _file_reply(file: PageFile, http: Request) -> Response:
    known_tags = {tag.strip().removeprefix("W/") for tag in http.headers.get("If-None-Match", "").split(",")}
    headers = {**PAGE_HEADERS, "ETag": file.etag}
    if file.etag in known_tags or "*" in known_tags:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


ROUTES = (Route("/", index), Route("/page/{name}", page_file))
