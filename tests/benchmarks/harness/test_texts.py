"""Long rows of real text."""

from __future__ import annotations

import json

from benchmarks.harness.texts import gsm8k_records, long_rows, task_records
from benchmarks.harness.tiny import tiny_model
from tuili.store import PAD
from tuili.tasks import domain_names


def test_rows_are_full_and_differ():
    _, tokenizer = tiny_model()
    rows_NS = long_rows(tokenizer, task_records(), rows=2, length=700)
    assert rows_NS.shape == (2, 700)
    assert not rows_NS[0].equal(rows_NS[1])
    assert (rows_NS != tokenizer.token_id(PAD)).all()


def test_task_records_go_through_all_domains():
    records = task_records(levels=(1,))
    assert [next(records).domain for _ in domain_names()] == list(domain_names())


def test_sources_that_end_give_fewer_rows(tmp_path):
    _, tokenizer = tiny_model()
    file = tmp_path / "items.jsonl"
    item = {"question": "How many are 48 and 24?", "answer": "They are 48+24=<<48+24=72>>72.\n#### 72"}
    file.write_text("".join(json.dumps(item) + "\n" for _ in range(30)))
    assert long_rows(tokenizer, gsm8k_records(file), rows=9, length=600).shape[0] in range(1, 9)
    assert long_rows(tokenizer, gsm8k_records(tmp_path / "absent"), rows=9, length=600).shape == (0, 600)
