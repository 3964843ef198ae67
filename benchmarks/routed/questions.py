"""Questions of GSM8K, MAWPS and ASDiv-A through the block `route`: chains wholly valid, refuted, unsupported.

GSM8K is read by the words of its answers, too: what the answer is then taken to be is compared with the line behind
`####`, which is not read. What takes calculations out of words was made with examples of this very file.

Beside them the problems of Tuili's own domains, in every form: how many are routed to their own domain by their words.
The words were chosen for such problems; this says nothing of documents.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

from benchmarks.harness.command import Measured, run
from benchmarks.harness.record import ROOT, Figure
from tuili.data import pipeline, read_questions
from tuili.tasks import BUILT_IN_DOMAINS, in_every_form

DATA = ROOT.parent / "shared" / "data"
FILES = {
    "gsm8k": "gsm8k/train.jsonl",
    "mawps": "mwp/mawps-train.jsonl",
    "mawps_dev": "mwp/mawps-dev.jsonl",
    "asdiv_a": "mwp/asdiv-a.jsonl",
}
FALSE = {"mawps": (18, 213, 735, 977, 1053, 1438, 1465), "mawps_dev": (83, 287)}
"""Lines of records whose equation does not give their answer, judged by reading: 34 * 4 is not 134; the mean of two
speeds is not half their sum; an equation leaves out what a movie cost, divides cents by dollars, or sheets by boxes;
0.3333 / 2 is not 0.165; 1222 - 513 is not 208; 2.99 / 12 is not quite 0.25; 40 markers give 5 packages, but not 5
each."""
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+|/[1-9][0-9]*)?")
GOAL = "the 9 false records of MAWPS found; of the answers taken from words 99% those that are told behind ####"
SEED = 1
"""Of the own problems: the words were tried on those of seed 0."""


def measure(data: str = str(DATA), level: int = 2) -> Measured:
    """Counts of chains by what becomes of them, for each file; shares of own problems by where they are routed.

    data: the folder of the files. level: that of the own problems.
    """
    figures, dropped = dict[str, Figure](), dict[str, list[dict[str, Any]]]()
    for name, file in FILES.items():
        counts, listed = _routed(Path(data) / file)
        figures |= {f"{name}_{key}": Figure("chains", [count]) for key, count in counts.items()}
        dropped[name] = listed
        if name in FALSE:
            places = {one["place"]: one["reason"] for one in listed}
            false = {f"{Path(file).name}:{line}" for line in FALSE[name]}
            others = [place for place, reason in places.items() if reason == "refuted" and place not in false]
            figures[f"{name}_false_found"] = Figure("chains", [len(false & places.keys())])
            figures[f"{name}_others_refuted"] = Figure("chains", [len(others)])
    in_words, dropped["gsm8k_words"] = _in_words(Path(data) / FILES["gsm8k"])
    figures |= {f"gsm8k_words_{key}": Figure("answers", [count]) for key, count in in_words.items()}
    figures["gsm8k_words_agreement"] = Figure("share", [in_words["agree"] / max(1, in_words["extracted"])])
    for language in ("en", "zh"):
        figures |= _own(language, level)
    return {"level": level, "dropped": dropped, "goal": GOAL}, figures


def _routed(file: Path) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Counts of the questions of a file, and those that were refuted or rounded, with what is right."""
    settings = {
        "inputs": [{"path": file, "text": "question", "kind": "problem"}],
        "blocks": [{"block": "route"}],
    }
    counts = Counter[str]()
    listed = list[dict[str, Any]]()
    for settled in pipeline.survey(pipeline.BuildSettings.model_validate(settings)):
        assert not isinstance(settled, pipeline.Refused), settled.refusal
        counts["questions"] += 1
        decided = settled.trace.measures.get("decided_steps")
        kind = "without_steps" if decided is None else "valid" if decided == 1 else "unsupported"
        if isinstance(settled, pipeline.Kept):
            counts["kept"] += 1
        else:
            counts[settled.drop.reason] += 1
            if settled.drop.reason != "not_derived":
                listed.append({"place": settled.trace.place, "reason": settled.drop.reason} | settled.drop.measured)
                continue
        counts[kind] += 1
    names = ("questions", "kept", "valid", "unsupported", "without_steps", "refuted", "rounded", "malformed")
    return {name: counts[name] for name in names} | {"unreached": counts["not_derived"]}, listed


def _in_words(file: Path) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """The same answers by the calculations in their words alone, without those that are marked for a calculator: how
    many have such, and how many are refuted or rounded. Then without the line `####`, too: how many become records, and
    how many of these have the answer of that line."""
    chain = pipeline.BuildSettings.model_validate({"blocks": [{"block": "route", "not_derived": "keep"}]}).pipeline()
    counts, listed = Counter[str](), list[dict[str, Any]]()
    for read in read_questions(file):
        place = f"{file.name}:{read.line}"
        rows: list[dict[str, Any]] = [{"answer": read.prose}, {"solution": read.prose.partition("\n#### ")[0]}]
        documents = (pipeline.Document(read.record.input, place, place, "problem", row) for row in rows)
        whole, without_line = chain.run(documents)
        assert not isinstance(whole, pipeline.Refused)
        counts["with_calculations"] += "decided_steps" in whole.trace.measures
        if isinstance(whole, pipeline.Dropped):
            counts[whole.drop.reason] += 1
            listed.append({"place": place, "reason": whole.drop.reason} | whole.drop.measured)
        if isinstance(without_line, pipeline.Kept) and (record := json.loads(without_line.line).get("record")):
            counts["extracted"] += 1
            told = NUMBER.search(record["output"].replace(",", ""))
            if told and Fraction(told[0]) == Fraction(read.record.output):
                counts["agree"] += 1
            else:
                listed.append({"place": place, "reason": "another answer", "answer": record["output"]})
    return {name: counts[name] for name in ("with_calculations", "refuted", "rounded", "extracted", "agree")}, listed


def _own(language: str, level: int) -> dict[str, Figure]:
    """Shares of own problems, each form once, that are routed to their own domain, to another, or to none. Those of
    `composed` are of two domains, and not among them."""
    counts = Counter[str]()
    settings = pipeline.BuildSettings.model_validate({"blocks": [{"block": "route", "extract": False}]})
    chain = settings.pipeline()
    for domain in set(BUILT_IN_DOMAINS) - {"composed"}:
        problems = in_every_form(domain, SEED, level, language=language)
        documents = (pipeline.Document(one.prompt, one.id, one.id, "problem") for one in problems)
        for settled in chain.run(documents):
            assert isinstance(settled, pipeline.Kept)
            routed = json.loads(settled.line)["metadata"]["routed_domain"]
            counts["own" if routed == domain else "none" if routed == "none" else "other"] += 1
    return {
        f"problems_{language}_to_{kind}": Figure("share", [counts[kind] / counts.total()])
        for kind in ("own", "other", "none")
    }


if __name__ == "__main__":
    run("routed", measure)
