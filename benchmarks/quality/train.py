"""`python -m benchmarks.quality.train`: the classifier that Tuili ships, from the training documents of the benchmark.

`--left-out SOURCE...` teaches without some sources and tells how well these are told: what is chosen by measuring is
chosen so. `tuili data teach-quality` does the same with documents of one's own.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

from benchmarks.harness.record import ROOT
from benchmarks.quality.labelled import Sample, samples
from tuili.data import pipeline

OUT = ROOT / "src" / "tuili" / "data" / "pipeline" / "quality" / "quality.safetensors"


def main() -> None:
    """Teach, and write the file or tell about what was left out."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.train", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="the file to write")
    parser.add_argument("--left-out", nargs="+", metavar="SOURCE", help="packages and generators to leave out")
    options = parser.parse_args()
    found = samples("training")
    left_out = set(options.left_out or ())
    classifier = pipeline.teach(
        (pipeline.Labelled(one.text, one.good, one.source) for one in found if one.source not in left_out), tell=print
    )
    if left_out:
        tell_about(classifier, [one for one in found if one.source in left_out])
    else:
        classifier.write(options.out)
        print(f"{options.out.name}: {options.out.stat().st_size:,} bytes")


def tell_about(classifier: pipeline.QualityClassifier, found: list[Sample]) -> None:
    """Print how many documents of each source are kept."""
    by_source = defaultdict[tuple[str, bool], list[pipeline.Labelled]](list)
    for one in found:
        by_source[one.source, one.good].append(pipeline.Labelled(one.text, one.good))
    for (source, good), documents in sorted(by_source.items()):
        judged = pipeline.judge(classifier, documents)
        print(f"{source}: {judged.good_kept + judged.junk_kept} of {len(documents)} {'good' if good else 'junk'} kept")


if __name__ == "__main__":
    main()
