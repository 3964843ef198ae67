from __future__ import annotations

import pytest

from tests.data.pipeline.conftest import prose
from tuili.data.pipeline.document import Document, Drop
from tuili.data.pipeline.filters.c4 import C4
from tuili.data.pipeline.filters.fineweb import FineWeb
from tuili.data.pipeline.filters.gopher import GopherQuality, GopherRepetition

GSM8K = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many in May. 48 / 2 = 24. 48 + 24 = 72"
)
PARAGRAPHS = [prose(number, 40) for number in range(6)]
TEXT = "\n\n".join(PARAGRAPHS)


def reason(block: GopherQuality | GopherRepetition | C4 | FineWeb, text: str) -> str:
    result = block.apply(Document(text, "a", "a", "web"))
    return result.reason if isinstance(result, Drop) else "kept"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TEXT, "kept"),
        (GSM8K, "gopher_short_doc"),
        ("the of a " * 33_400, "gopher_long_doc"),
        ("a b " * 60, "gopher_below_avg_threshold"),
        ("internationalisation the and " * 20 + "internationalisation " * 60, "gopher_above_avg_threshold"),
        (TEXT + " #hash" * 60, "gopher_too_many_hashes"),
        (TEXT + " and..." * 60, "gopher_too_many_ellipsis"),
        ("\n".join(f"- {line}" for line in PARAGRAPHS), "gopher_too_many_bullets"),
        ("\n".join(f"{line} …" for line in PARAGRAPHS), "gopher_too_many_end_ellipsis"),
        (TEXT + " 1234" * 100, "gopher_below_alpha_threshold"),
        ("stone river light engine paper " * 20, "gopher_enough_stop_words"),
    ],
)
def test_rules_of_quality(text: str, expected: str) -> None:
    assert reason(GopherQuality(), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" ".join(f"word{number}" for number in range(200)), "kept"),
        ("\n\n".join(["one paragraph"] * 4), "dup_para_frac"),
        ("\n\n".join(["same line\nother" + str(n) for n in range(9)]) + "\nsame line" * 9, "dup_line_frac"),
        ("\n\n".join(["x" * 300, "x" * 300, *"abc"]), "dup_para_char_frac"),
        ("\n".join(["x" * 300, "x" * 300, *"abcd"]), "dup_para_char_frac"),
        ("so it " * 30 + " ".join(f"word{number}" for number in range(60)), "top_2_gram"),
        (" ".join(f"w{n} v{n} u{n} t{n} s{n} r{n}" for n in [*range(9), *range(9)]), "duplicated_5_n_grams"),
    ],
)
def test_rules_of_repetition(text: str, expected: str) -> None:
    found = reason(GopherRepetition(), text)
    assert found == expected or (expected == "dup_para_char_frac" and found == "dup_line_char_frac")


def test_c4_keeps_lines_that_are_sentences() -> None:
    sentences = "\n".join(PARAGRAPHS)
    text = f"Home | About\n{sentences}\nPlease enable JavaScript to see it.\nRead our privacy policy, now.\nHello."
    result = C4().apply(Document(text, "a", "a", "web"))
    assert isinstance(result, Document)
    assert result.text == sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GSM8K, "too_few_sentences"),
        (TEXT + "\nLorem ipsum dolor sit amet.", "lorem_ipsum"),
        (TEXT + "\nfunction() { return; }", "curly_bracket"),
        ("no end", "too_few_sentences"),
    ],
)
def test_c4_drops(text: str, expected: str) -> None:
    assert reason(C4(), text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\n".join(PARAGRAPHS), "kept"),
        ("\n \n", "empty"),
        ("\n".join(paragraph[:-1] for paragraph in PARAGRAPHS), "line_punct_ratio"),
        ("Short line.\n" * 3 + PARAGRAPHS[0], "short_line_ratio"),
        ("\n".join([*PARAGRAPHS, PARAGRAPHS[0]]), "char_dup_ratio"),
        ("\n".join(f"Internationalisation number{n} of institutions." for n in range(9)), "kept"),
        ("\n".join(f"Internationalisationandmore{n} institutionalised." for n in range(9)), "list_ratio"),
    ],
)
def test_fineweb(text: str, expected: str) -> None:
    assert reason(FineWeb(), text) == expected
