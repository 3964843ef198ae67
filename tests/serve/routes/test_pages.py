"""The page's files as they are served, and what they may contain."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tuili.serve.routes import pages
from tuili.steps import Status

WORD = re.compile(r"^    (\w+): \"((?:[^\"\\]|\\.)*)\",$", re.MULTILINE)
VALUE = re.compile(r"\{(\w+)\}")
NAMESPACES = ("http://www.w3.org/2000/svg",)
"""Names that look like addresses, but are never requested."""


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(Starlette(routes=pages.ROUTES))


def source(name: str) -> str:
    return (pages.PAGE_FOLDER / name).read_text()


def words() -> dict[str, dict[str, str]]:
    """The texts of the page by language and name."""
    block = re.compile(r"^  (\w+): \{\n(.*?)^  \},$", re.MULTILINE | re.DOTALL)
    pairs_by_language = {language: WORD.findall(body) for language, body in block.findall(source("words.js"))}
    assert all(len(pairs) == len(dict(pairs)) for pairs in pairs_by_language.values()), "a name is given twice"
    return {language: dict(pairs) for language, pairs in pairs_by_language.items()}


def test_every_file_is_served_and_no_served_file_is_missing() -> None:
    assert set(pages.FILE_NAMES) == {path.name for path in pages.PAGE_FOLDER.iterdir()}


@pytest.mark.parametrize("name", pages.FILE_NAMES)
def test_a_part_comes_with_its_type_and_safe_headers(client: TestClient, name: str) -> None:
    answer = client.get(f"/page/{name}")
    assert answer.status_code == 200
    assert answer.content == (pages.PAGE_FOLDER / name).read_bytes()
    kind = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert answer.headers["content-type"].partition(";")[0] == kind[name.rpartition(".")[2]]
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-cache"


def test_the_page_has_the_marks_of_the_checker(client: TestClient) -> None:
    answer = client.get("/page/marks.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert json.loads(answer.text.removeprefix("export const marks = ").removesuffix(";\n")) == {
        status: status.mark for status in Status
    }
    assert not re.search("[✓✗]", "".join(source(name) for name in pages.FILE_NAMES)), "marks have one source"


def test_the_page_is_at_the_root(client: TestClient) -> None:
    assert client.get("/").content == client.get("/page/index.html").content
    assert client.head("/").status_code == 200
    assert client.post("/").status_code == 405


@pytest.mark.parametrize(
    "name",
    [
        "",
        "none.js",
        "%2e%2e",
        "%2e%2e/pages.py",
        "..%2fpages.py",
        "page.js/..",
        "/etc/passwd",
        "PAGE.JS",
        "page.js%00",
        "\\",
    ],
)
def test_any_other_name_is_not_found(client: TestClient, name: str) -> None:
    assert client.get(f"/page/{name}").status_code == 404


def test_what_has_not_changed_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/").headers["etag"]
    again = client.get("/", headers={"If-None-Match": f'"old", W/{tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert "content-security-policy" in again.headers
    assert client.get("/", headers={"If-None-Match": '"old"'}).status_code == 200
    assert client.get("/page/page.js").headers["etag"] != tag


def test_files_are_read_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.read_bytes", lambda path: pytest.fail(f"{path} is read for a request"))
    assert client.get("/").status_code == 200


def test_both_languages_have_every_text_with_the_same_values() -> None:
    spoken = words()
    assert set(spoken) == {"en", "zh"}
    assert len(spoken["en"]) > 50
    assert set(spoken["en"]) == set(spoken["zh"])
    for name, text in spoken["en"].items():
        assert text, name
        assert spoken["zh"][name], name
        assert set(VALUE.findall(text)) == set(VALUE.findall(spoken["zh"][name])), name
    same = {
        name
        for name, text in spoken["en"].items()
        if spoken["zh"][name] == text and re.search(r"\w{3}", VALUE.sub("", text))
    }
    assert same == set(), "these are not translated"


def test_every_text_that_is_named_exists_and_is_used() -> None:
    known = set(words()["en"])
    code = "".join(source(name) for name in pages.FILE_NAMES if name.endswith((".js", ".html")) and name != "words.js")
    named = set(re.findall(r"data-(?:word|label|placeholder)=\"(\w+)\"", code))
    named |= set(re.findall(r"\bsay\([^\"\n]*(?:\([^()]*\))?[^\"\n]*, \"(\w+)\"", code))
    named |= set(re.findall(r"\btext\(\"(\w+)\"", code))
    assert named
    assert named <= known
    assert {name for name in known if not re.search(rf"\b{name}\b", code)} <= of_the_server()


def of_the_server() -> set[str]:
    """Names of the server that have texts on the page: outcomes and verdicts on steps and proofs."""
    from tuili.engine import Outcome, ProofVerdict

    names = {str(name) for names in (Outcome, Status, ProofVerdict) for name in names}
    assert names <= set(words()["en"])
    return names


@pytest.mark.parametrize("name", pages.FILE_NAMES)
def test_nothing_comes_from_elsewhere(name: str) -> None:
    text = source(name)
    for namespace in NAMESPACES:
        text = text.replace(namespace, "")
    assert re.findall(r"(?:\w+:)?//[\w.-]+\.\w+|url\([^)]*\)|@import|\bdata:[a-z]", text) == []
    assert not re.search(r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write", text)


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    class Inline(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.wrong: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            names = dict(attrs)
            if tag == "style" or (tag == "script" and not names.get("src")):
                self.wrong.append(tag)
            self.wrong += [name for name in names if name == "style" or name.startswith("on")]

    parser = Inline()
    parser.feed(source(pages.INDEX))
    assert parser.wrong == []


def test_modules_import_only_what_is_served() -> None:
    for name in pages.FILE_NAMES:
        if name.endswith(".js"):
            assert set(re.findall(r"from \"\./([^\"]+)\"", source(name))) <= set(pages.FILES)


def test_files_of_the_page_are_short() -> None:
    lengths = {name: len(source(name).splitlines()) for name in pages.FILE_NAMES}
    assert {name: length for name, length in lengths.items() if length > 200} == {}
