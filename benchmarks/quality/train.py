"""`python -m benchmarks.quality.train`: the classifier that Tuili ships, from the training documents of the benchmark.

What is chosen by measuring, such as thresholds, is chosen by what it then tells about the documents of validation.
`tuili data teach-quality` does the same with documents of one's own.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from benchmarks.harness.record import ROOT
from benchmarks.quality.labelled import Sample, samples
from tuili.data import pipeline

OUT = ROOT / "src" / "tuili" / "data" / "pipeline" / "quality" / "quality.safetensors"
THRESHOLDS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def main() -> None:
    """Teach, write the file, and tell about the documents of validation."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="the file to write")
    options = parser.parse_args()
    found = (pipeline.Labelled(one.text, one.good, one.origin) for one in samples("training"))
    classifier = pipeline.teach(found, tell=print)
    pipeline.write_classifier(classifier, options.out)
    print(f"{options.out.name}: {options.out.stat().st_size:,} bytes")
    tell_about(classifier, samples("validation"))


def tell_about(classifier: pipeline.QualityClassifier, found: list[Sample]) -> None:
    """Print how well documents are told at several thresholds, and how many of each source are kept."""
    documents = [pipeline.Labelled(one.text, one.good) for one in found]
    for language in ("en", "zh"):
        of = [document for document, one in zip(documents, found, strict=True) if one.language == language]
        for least in THRESHOLDS:
            told = pipeline.judge(classifier, of, least)
            shares = f"good lost {told.good_lost:.3f}, junk left {told.junk_left:.3f}"
            print(f"{language} at {least}: F1 {told.f1_good:.3f} of good, {told.f1_junk:.3f} of junk; {shares}")
    by_source = defaultdict[tuple[bool, str], list[pipeline.Labelled]](list)
    for document, one in zip(documents, found, strict=True):
        by_source[one.good, one.source].append(document)
    for (good, source), of in sorted(by_source.items()):
        told = pipeline.judge(classifier, of)
        print(f"{'good' if good else 'junk'} {source}: {told.good_kept + told.junk_kept} of {len(of)} kept")


if __name__ == "__main__":
    main()
