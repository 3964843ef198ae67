"""The benchmark of routing counts what becomes of each question."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.routed.questions import FILES, measure


def test_every_question_is_counted_once(tmp_path: Path) -> None:
    answers = ["So 1 + 1 = <<1+1=2>>2.\n#### 2", "<<1+1=3>>3\n#### 3", "<<1+1=2>>2\n#### 5", "Some.\n#### 4"]
    rows = {"gsm8k": [{"question": "How many apples are there?", "answer": text} for text in answers]}
    other = [{"question": "How many are left?", "equation": "- 8 2", "answer": answer} for answer in ("6", "7")]
    eighteen = [other[0]] * 17 + [other[1]]  # line 18 of MAWPS is one of the false ones
    for name, file in FILES.items():
        path = tmp_path / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            "".join(json.dumps(row) + "\n" for row in rows.get(name, eighteen if name == "mawps" else other))
        )
    config, figures = measure(str(tmp_path), level=1)
    counts = {key: figure.median for key, figure in figures.items() if key.startswith("gsm8k_") and "words" not in key}
    assert counts == {
        "gsm8k_questions": 4, "gsm8k_kept": 2, "gsm8k_valid": 2, "gsm8k_unsupported": 0, "gsm8k_without_steps": 1,
        "gsm8k_unreached": 1, "gsm8k_refuted": 1, "gsm8k_rounded": 0, "gsm8k_malformed": 0,
    }  # fmt: skip
    assert (figures["gsm8k_words_with_calculations"].median, figures["gsm8k_words_refuted"].median) == (1, 0)
    assert (figures["gsm8k_words_extracted"].median, figures["gsm8k_words_agree"].median) == (1, 1)
    assert figures["gsm8k_words_agreement"].median == 1
    assert (figures["mawps_false_found"].median, figures["mawps_others_refuted"].median) == (1, 0)
    assert (figures["mawps_dev_false_found"].median, figures["mawps_dev_others_refuted"].median) == (0, 1)
    (found,) = config["dropped"]["mawps"]
    assert found == {"place": "mawps-train.jsonl:18", "reason": "refuted", "step": "- 8 2 = 7", "right": "6"}
    for language in ("en", "zh"):
        shares = [figures[f"problems_{language}_to_{kind}"].median for kind in ("own", "other", "none")]
        assert abs(sum(shares) - 1) < 1e-9
        assert shares[0] > shares[1]
