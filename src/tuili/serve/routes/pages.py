"""The page at `/`: a fixed list of files, read once. No path that a client sends ever reaches the file system."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

FOLDER = Path(__file__).parents[1] / "page"
TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-cache",  # kept, but asked for each time: a new version is seen at once
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
INDEX = "index.html"
NAMES = (
    INDEX,
    "budget.js",
    "depth.js",
    "dom.js",
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

routes = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class File:
    """One file of the page as it goes over the wire."""

    content: bytes
    media_type: str
    etag: str


def _read(name: str) -> File:
    content = (FOLDER / name).read_bytes()
    return File(content, TYPES[Path(name).suffix], f'"{hashlib.sha256(content).hexdigest()[:32]}"')


FILES: Mapping[str, File] = {name: _read(name) for name in NAMES}


@routes.api_route("/", methods=["GET", "HEAD"])
async def index(http: Request) -> Response:
    """The page itself."""
    return _answer(FILES[INDEX], http)


@routes.api_route("/page/{name}", methods=["GET", "HEAD"])
async def part(name: str, http: Request) -> Response:
    """A part of it, by name."""
    file = FILES.get(name)
    if file is None:
        raise HTTPException(404)  # the application words it
    return _answer(file, http)


def _answer(file: File, http: Request) -> Response:
    known = {tag.strip().removeprefix("W/") for tag in http.headers.get("If-None-Match", "").split(",")}
    headers = {**HEADERS, "ETag": file.etag}
    if file.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
