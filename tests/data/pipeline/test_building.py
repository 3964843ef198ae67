from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.data.pipeline.conftest import ROOT, Interrupt, contents, interrupted, lines, prose, settings
from tests.data.pipeline.readers.test_pages import page, pdf
from tuili.data.pipeline import build
from tuili.data.pipeline.building import Progress
from tuili.errors import InputError


def test_every_document_is_kept_or_listed_with_block_and_reason(corpus: Path, tmp_path: Path) -> None:
    built = build(settings(corpus), tmp_path / "out")
    kept = lines(tmp_path / "out" / "part-00000.jsonl.zst")
    dropped = lines(tmp_path / "out" / "dropped" / "part-00000.jsonl.zst")
    assert len(kept) == 199
    assert {(line["place"], line["block"], line["reason"]) for line in dropped} == {
        ("pages/a.jsonl:8", "jsonl", "not_json"),
        ("pages/a.jsonl:12", "basic", "few_words"),
        ("pages/d.txt", "text", "wrong_encoding"),
        ("pages/picture.png", "files", "unknown_format"),
    }
    assert built.manifest["documents"] | {"kept_characters": 0} == {
        "kept": 199, "dropped": 1, "refused": 3, "kept_characters": 0, "dropped_characters": 5,
    }  # fmt: skip
    assert built.manifest["dropped"] == {"basic": {"few_words": 1}}
    (masked,) = (line for line in kept if line["place"] == "pages/a.jsonl:14")
    assert str(masked["text"]).endswith("Write to [mail].")
    assert masked["measures"] == {"masked_mail": 1.0}
    assert masked["metadata"] == {"detected_language": "en"}
    assert not (tmp_path / "out.building").exists()
    assert not (tmp_path / "out" / ".build").exists()


def test_the_report_shows_reasons_examples_and_pictures_without_running_the_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("<script>alert(1)</script>")
    (tmp_path / "b.txt").write_text(prose(1))
    build(settings(tmp_path / "a.txt", tmp_path / "b.txt"), tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "basic/few words" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert "<rect" in page
    assert "http" not in page


@pytest.mark.usefixtures("small_steps")
def test_workers_write_the_same_bytes_as_one_process(corpus: Path, tmp_path: Path) -> None:
    build(settings(corpus, output={"shard_documents": 40}), tmp_path / "one")
    build(settings(corpus, output={"shard_documents": 40}), tmp_path / "two", workers=2)
    one = contents(tmp_path / "one")
    assert one == contents(tmp_path / "two")
    assert len([name for name in one if name.startswith("part-")]) == 5


@pytest.mark.usefixtures("small_steps")
def test_all_formats_together_are_the_same_by_any_number_of_workers(corpus: Path, tmp_path: Path) -> None:
    """What foreign code reads is read by a worker in any case, and the order of the corpus stays."""
    for package in ("pyarrow", "resiliparse", "pypdfium2"):
        pytest.importorskip(package)
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": [prose(number) for number in range(2000, 2040)]}), corpus / "e.parquet", 7)
    (corpus / "f.html").write_text(page("".join(f"<p>{prose(number)}</p>" for number in range(3000, 3003))))
    (corpus / "g.html").write_bytes(b"<div>" * 5000)
    (corpus / "h.pdf").write_bytes(pdf(*[prose(number, 10) for number in range(4000, 4020)]))
    (corpus / "i.pdf").write_bytes(b"%PDF-1.4")
    built = build(settings(corpus), tmp_path / "one")
    assert built.manifest["kept"] == {"prose": 199 + 40, "web": 1, "paper": 1}
    assert built.manifest["refused"]["html"] == built.manifest["refused"]["pdf"] == {"damaged": 1}
    build(settings(corpus), tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    places = [
        str(line["place"]).partition(":")[0].partition("#")[0]
        for line in lines(tmp_path / "one" / "part-00000.jsonl.zst")
    ]
    assert places == sorted(places)


def test_without_inputs_nothing_is_built(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"build\.inputs is empty"):
        build(settings(), tmp_path / "out")
    with pytest.raises(InputError, match="no such file or folder"):
        build(settings(tmp_path / "nowhere"), tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no file"):
        build(settings(tmp_path / "empty"), tmp_path / "out")
    with pytest.raises(InputError, match=r"build\.limits are kept by workers: take one at least"):
        build(settings(ROOT / "README.md", limits={"seconds": 1}), tmp_path / "out")


@pytest.mark.usefixtures("small_steps")
def test_what_was_built_can_be_read_again_as_it_was(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A built corpus is its documents, wherever it stands; what is being written is no input."""
    build(settings(corpus), tmp_path / "first")
    (corpus / "later").mkdir()
    (tmp_path / "first").rename(corpus / "later" / "built")
    monkeypatch.setattr("tuili.data.pipeline.building.STEP_ITEMS", 1)
    interrupted(settings(corpus / "later"), corpus / "later" / "second")
    assert build(settings(corpus / "later"), corpus / "later" / "second").manifest["documents"]["refused"] == 0
    assert lines(corpus / "later" / "built" / "part-00000.jsonl.zst") == lines(
        corpus / "later" / "second" / "part-00000.jsonl.zst"
    )


def test_a_corpus_of_which_nothing_was_kept_is_read_and_has_no_empty_shards(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("too short")
    build(settings(tmp_path / "a.txt"), tmp_path / "nothing")
    assert set(contents(tmp_path / "nothing")) == {"manifest.json", "report.html", "dropped/part-00000.jsonl.zst"}
    again = build(settings(tmp_path / "nothing"), tmp_path / "again")
    assert again.manifest["documents"]["kept"] == again.manifest["documents"]["refused"] == 0
    assert again.manifest["inputs"] == [{"name": "nothing", "files": 0, "bytes": 0}]


def read_again(path: Path, tmp_path: Path) -> list[str]:
    build(settings(path, blocks=[], output={"format": "jsonl"}), tmp_path / "again")
    return (tmp_path / "again" / "part-00000.jsonl").read_text().splitlines()


def test_lines_without_compression_and_parquet_hold_the_same_documents(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    build(settings(corpus), tmp_path / "zst")
    expected = lines(tmp_path / "zst" / "part-00000.jsonl.zst")
    build(settings(corpus, output={"format": "jsonl"}), tmp_path / "plain")
    plain = (tmp_path / "plain" / "part-00000.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in plain] == expected
    monkeypatch.setattr("tuili.data.pipeline.writers.parquet.GROUP_BYTES", 40_000)
    built = build(settings(corpus, output={"format": "parquet"}), tmp_path / "parquet")
    rows = pq.read_table(tmp_path / "parquet" / "part-00000.parquet").to_pylist()
    assert [row["text"] for row in rows] == [line["text"] for line in expected]
    assert json.loads(rows[0]["metadata"]) == expected[0]["metadata"]
    assert [json.loads(line) for line in read_again(tmp_path / "parquet" / "part-00000.parquet", tmp_path)] == expected
    groups = pq.ParquetFile(tmp_path / "parquet" / "part-00000.parquet").metadata
    assert groups.num_row_groups > 2
    assert all(groups.row_group(place).total_byte_size < 40_000 for place in range(groups.num_row_groups))
    names = {entry["name"] for entry in built.manifest["files"]}
    assert names == {"part-00000.parquet", "dropped/part-00000.jsonl.zst"}
    assert set(contents(tmp_path / "parquet")) == names | {"manifest.json", "report.html"}


def test_a_line_that_is_nested_too_deep_to_be_written_is_refused(tmp_path: Path) -> None:
    deep = [f'{{"text": "{prose(1)}", "n": {"[" * depth}{"]" * depth}}}' for depth in range(900, 1000)]
    (tmp_path / "a.jsonl").write_text("\n".join(deep))
    built = build(settings(tmp_path / "a.jsonl"), tmp_path / "out")
    counts = built.manifest["documents"]
    assert counts["kept"] + counts["refused"] == 100
    assert counts["refused"]


@pytest.mark.usefixtures("small_steps")
def test_of_many_refusals_of_a_file_the_first_are_listed_and_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuili.data.pipeline.listing.MAX_LISTED", 3)
    folder = tmp_path / "pages"
    folder.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).write_text("{}\n" * 30 + "[\n" * 2 + '{"text": "A word."}\n' + "{}\n" * 7)
    whole = build(settings(folder), tmp_path / "whole").manifest
    assert whole["refused"] == {"jsonl": {"no_text": 74, "not_json": 4}}
    assert whole["documents"]["refused"] == 78
    listed = lines(tmp_path / "whole" / "dropped" / "part-00000.jsonl.zst")
    of_file = [
        line for line in listed if str(line["place"]).startswith("pages/a.jsonl") and line["reason"] == "no_text"
    ]
    assert [line["place"] for line in of_file] == [f"pages/a.jsonl:{line}" for line in (1, 2, 3, 40)]
    assert of_file[-1]["count"] == 34 and str(of_file[-1]["message"]).startswith("the last of 34 more in this file: ")
    assert sum(int(str(line.get("count", 1))) for line in listed if line["block"] == "jsonl") == 78
    told = list[Progress]()

    def stop(progress: Progress) -> None:
        told.append(progress)
        if len(told) == 5:  # of the first file, behind two steps
            raise Interrupt

    with pytest.raises(Interrupt):
        build(settings(folder), tmp_path / "out", tell=stop)
    build(settings(folder), tmp_path / "out")
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_level_of_compression_is_refused_where_nothing_is_compressed_by_it(tmp_path: Path, form: str) -> None:
    assert settings(tmp_path, output={"format": form, "level": 3}).output.level == 3  # the default
    with pytest.raises(ValidationError, match=f"level is one of zstd, and {form} has none"):
        settings(tmp_path, output={"format": form, "level": 9})
