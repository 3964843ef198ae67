"""What the data engine does to real data, to junk, to what is planted and to hostile files."""

from __future__ import annotations

from benchmarks.table.rows import bench

_NAMES = {"mawps": "MAWPS's training set", "gsm8k": "GSM8K's training set"}

MULTIPLIED = tuple(
    row
    for key, name in _NAMES.items()
    for row in (
        bench(f"Questions of {name} that can be multiplied", "multiplied_data", f"{key}_can_be_multiplied", "{:.0%}"),
        bench(f"Records made of {name}, ten of each", "multiplied_data", f"{key}_written", "{:,.0f}"),
        bench(
            "Of 500 of these, recomputed by a program of its own, those that are wrong",
            "multiplied_data",
            f"{key}_wrong",
            "{:.0f}",
            "0",
        ),
        bench(
            "Records among all of these that are a question held back but for numbers",
            "multiplied_data",
            f"{key}_like_one_held_back",
            "{:.0f}",
            "0",
        ),
        bench(
            f"Seconds of one core for {name}, ten of each", "multiplied_data", f"{key}_core_seconds", "{:.0f}", "150"
        ),
    )
)

_WORDS = "by the words of the question alone"
ROUTED = (
    bench("Chains of GSM8K's 7,473 training questions that are wholly valid", "routed", "gsm8k_valid", "{:,.0f}"),
    bench("Chains of these with a step that cannot be decided", "routed", "gsm8k_unsupported", "{:.0f}"),
    bench("Chains of these with a step that is refuted", "routed", "gsm8k_refuted", "{:.0f}"),
    bench("Answers of these in whose words a calculation is refuted", "routed", "gsm8k_words_refuted", "{:.0f}"),
    bench("Answers of these that are taken from their words alone", "routed", "gsm8k_words_extracted", "{:,.0f}"),
    bench(
        "Answers of GSM8K taken from their words that are those told behind ####, which is not read",
        "routed",
        "gsm8k_words_agreement",
        "{:.1%}",
        "99%",
    ),
    bench(
        "Of the 7 false records among MAWPS's 1,537 for training, found", "routed", "mawps_false_found", "{:.0f}", "7"
    ),
    bench(
        "Of the 2 false records among MAWPS's 384 for development, found",
        "routed",
        "mawps_dev_false_found",
        "{:.0f}",
        "2",
    ),
    bench(
        "Other records among MAWPS's 1,537 for training that are refuted",
        "routed",
        "mawps_others_refuted",
        "{:.0f}",
        "0",
    ),
    *(
        bench(f"{language} problems routed to {where}, {_WORDS}", "routed", f"problems_{code}_to_{kind}", "{:.0%}")
        for code, language in (("en", "English"), ("zh", "Chinese"))
        for kind, where in (("own", "their own domain"), ("other", "another"))
    ),
)

_KEPT = {
    "quality_{}_web": "the classifier of quality, each as a page of the web",
    "quality_{}_kinds": "the classifier of quality, each as the kind of text that it is",
    "basic_{}_web": "the basic filter, each as a page of the web",
    "both_{}_web": "the basic filter and then the classifier of quality, each as a page of the web",
    "published_{}_web": "the rules of Gopher, C4 and FineWeb",
    "fasttext_{}_web": "fastText",
    "educational_{}_web": "fastText, taught what is educational",
}
QUALITY = (
    *(
        bench(
            f"{language} documents and junk of sources that training has not met, by {name}: F1 of {what}",
            "quality",
            f"test_{judge.format(code)}_f1_{what}",
            "{:.2f}",
            goal if judge == "quality_{}_web" else "none",
        )
        for code, language, goal in (("en", "English", "0.95"), ("zh", "Chinese", "0.92"))
        for judge, name in _KEPT.items()
        for what in ("good", "junk")
    ),
    *(
        bench(f"{name} that the classifier of quality drops", "quality", f"quality_kinds_{key}_dropped", "{:.1%}", "1%")
        for key, name in (
            ("gsm8k", "Of 1,000 problems of GSM8K with their answers in words, those"),
            ("gsm8k_questions", "Of 1,000 questions of GSM8K alone, those"),
            ("proofs", "Of 1,000 own proofs, those"),
        )
    ),
)

SEARCHES = {"tuili": "Tuili", "datasketch": "datasketch"}
"""What looks for copies."""
_SEARCHED = SEARCHES | {"datasketch": "datasketch without comparing what its bands find"}
_EDITS = {"5": "none", "10": "0.99", "15": "none", "20": "none"}
DUPLICATES = (
    *(
        bench(
            f"Likeness of a copy with {share}% of its words edited and its original, by pairs of words: Jaccard, mean",
            "duplicates",
            f"jaccard_{share}",
            "{:.2f}",
        )
        for share in _EDITS
    ),
    *(
        bench(
            f"Copies among 50,000 documents with {share}% of their words edited that are dropped, by {name}",
            "duplicates",
            f"{search}_recall_{share}",
            "{:.3f}",
            goal if search == "tuili" else "none",
        )
        for share, goal in _EDITS.items()
        for search, name in _SEARCHED.items()
    ),
    *(
        bench(
            f"Share of copies among what is dropped of 50,000 documents by {name}",
            "duplicates",
            f"{search}_precision",
            "{:.3f}",
            "0.99" if search == "tuili" else "none",
        )
        for search, name in _SEARCHED.items()
    ),
    *(
        bench(
            f"Documents a second of one core, near-duplicates dropped by {name}",
            "duplicates",
            f"{search}_rate",
            "{:,.0f}",
        )
        for search, name in _SEARCHED.items()
    ),
    bench(
        "Of 500 documents with a question of an evaluation, its numbers, case and spacing changed, found",
        "duplicates",
        "questions_recall",
        "{:.3f}",
        "0.99",
    ),
    *(
        bench(
            f"Problems of Tuili's own test split, in wordings that training {has}, found by `decontaminate` alone",
            "duplicates",
            f"own_{wording}_recall",
            "{:.2f}",
        )
        for wording, has in (("unseen", "never has"), ("seen", "has, too"))
    ),
    bench(
        "Share of documents with a question among those that are found to have one",
        "duplicates",
        "questions_precision",
        "{:.3f}",
        "0.99",
    ),
)

HOSTILE = (
    bench("Of 10,000 malformed records, refused with place and reason", "hostile", "records_refused", "{:,.0f}", "all"),
    bench("Sound records between them that were lost", "hostile", "records_sound_lost", "{:,.0f}", "0"),
    bench("Of 1,000 hostile files, refused with place and reason", "hostile", "files_refused", "{:,.0f}", "all"),
    bench("Hostile files of which nothing was told", "hostile", "files_silent", "{:,.0f}", "0"),
    bench(
        "Peak of the process that leads, over hostile files: MiB", "hostile", "files_leader_peak", "{:,.0f}", "1,024"
    ),
    bench("Peak of the largest worker, over hostile files: MiB", "hostile", "files_worker_peak", "{:,.0f}"),
)

_RATES = {
    "basic": ("the basic filter", "3,000"),
    "minhash": ("the basic filter and MinHash", "1,500"),
    "pages": ("the basic filter, as HTML", "2,500"),
    "quality": ("the basic filter and the classifier of quality", "none"),
    "rules": ("the rules of Gopher and C4", "none"),
    "datatrove": ("datatrove's blocks by these rules", "none"),
}
DOCUMENTS = (
    *(
        bench(f"Documents of 4 KB a second, two cores, by {what}", "documents", f"{key}_rate", "{:,.0f}", goal)
        for key, (what, goal) in _RATES.items()
    ),
    *(
        bench(f"Of 200,000 documents, kept by {what}", "documents", f"{key}_kept", "{:,.0f}")
        for key, (what, _) in _RATES.items()
        if key in ("basic", "minhash", "pages")
    ),
    *(
        bench(
            f"Memory of the process that leads, of 200,000 documents over a sixteenth of them, by {_RATES[way][0]}",
            "documents",
            f"{way}_growth",
            "{:.2f}x",
            goal,
        )
        for way, goal in (("basic", "1.1x at most"), ("minhash", "none"))
    ),
    *(
        bench(
            f"Peak of {process}, over {part} of 200,000 documents, by {_RATES[way][0]}: MiB",
            "documents",
            f"{way}_{key}_peak_{place}",
            "{:,.0f}",
        )
        for way in ("basic", "minhash")
        for key, process in (("leader", "the process that leads"), ("worker", "the largest worker"))
        for place, part in ((16, "a sixteenth"), (4, "a quarter"), (1, "all"))
    ),
)
