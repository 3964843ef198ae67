from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.data.pipeline.conftest import contents
from tests.data.pipeline.filters.test_basic import CHINESE, GERMAN, GSM8K, PROOF, SPAM
from tests.data.pipeline.quality.examples import document, documents
from tuili.data.pipeline import BuildSettings, Document, Drop, build, teach, write_classifier
from tuili.data.pipeline.filters import basic
from tuili.data.pipeline.filters.quality import QualitySettings, shipped_thresholds
from tuili.errors import InputError


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("taught") / "mine.safetensors"
    write_classifier(teach(documents(60)), path)
    return path


def outcome(text: str, kind: str = "web", **settings: object) -> Document | Drop:
    made = (
        QualitySettings.model_validate({"block": "quality", **settings}).build().apply(Document(text, "a", "a", kind))
    )
    if isinstance(made, list):
        ((document, made),) = made
        assert document.measures["quality"] == made.measured["measured"]
    return made


def test_junk_is_dropped_with_what_was_measured_and_good_text_is_measured(weights: Path) -> None:
    kept, dropped = (outcome(document(good, 500), weights=weights) for good in (True, False))
    assert isinstance(kept, Document) and kept.measures["quality"] > 0.9
    assert isinstance(dropped, Drop) and dropped.reason == "low_quality"
    assert dropped.measured["least"] == shipped_thresholds()["web"] and dropped.measured["measured"] < 0.1


def test_each_kind_of_text_has_its_threshold(weights: Path) -> None:
    junk = document(False, 500)
    quality = outcome(junk, "poem", weights=weights, thresholds={"poem": 0.0})
    assert isinstance(quality, Document)
    least = quality.measures["quality"]
    assert isinstance(outcome(junk, "poem", weights=weights, thresholds={"poem": least}), Document)
    assert isinstance(outcome(junk, "poem", weights=weights, thresholds={"poem": least + 0.001}), Drop)
    unjudged = outcome(junk, "web", weights=weights, thresholds={"web": None})
    assert isinstance(unjudged, Document) and unjudged.measures["quality"] == least
    unknown = outcome(junk, "poem", weights=weights)
    assert isinstance(unknown, Drop) and unknown.reason == "unknown_kind"
    assert shipped_thresholds().keys() == basic.shipped_thresholds().keys()


def test_a_language_that_was_not_taught_passes_without_a_measure(weights: Path) -> None:
    for text in (GERMAN, CHINESE):
        kept = outcome(text, weights=weights)
        assert isinstance(kept, Document) and not kept.measures


def test_wrong_settings_are_refused(tmp_path: Path) -> None:
    for wrong in ({"thresholds": {"web": 1.5}}, {"weight": "mine"}, {"thresholds": {"web": "high"}}):
        with pytest.raises(ValidationError):
            QualitySettings.model_validate({"block": "quality", **wrong})
    with pytest.raises(InputError, match="cannot be read: No such file or directory; name a quality classifier"):
        QualitySettings(block="quality", weights=tmp_path / "none").build()
    settings = {"inputs": [{"path": tmp_path, "kind": "poem"}], "blocks": [{"block": "quality"}]}
    with pytest.raises(InputError, match="kind 'poem' has no thresholds: those known are web, prose"):
        BuildSettings.model_validate(settings).pipeline()


def test_a_build_tells_which_classifier_it_used(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"text": one.text}) for one in documents(5)))
    blocks = [{"block": "quality", "weights": weights, "thresholds": {"prose": 0.5}}]
    settings = BuildSettings.model_validate({"inputs": [{"path": tmp_path / "a.jsonl"}], "blocks": blocks})
    built = build(settings, tmp_path / "out")
    assert built.manifest["dropped"] == {"quality": {"low_quality": 5}}
    (told,) = built.manifest["recipe"]["blocks"]
    assert told["weights"]["name"] == "mine.safetensors" and len(told["weights"]["sha256"]) == 64
    assert "quality" in contents(tmp_path / "out")["report.html"].decode()


@pytest.mark.parametrize("text", [PROOF, GSM8K, CHINESE])
def test_the_shipped_classifier_keeps_good_texts(text: str) -> None:
    for kind in shipped_thresholds() if text != GSM8K else ("problem", "reference"):
        assert isinstance(outcome(text, kind), Document), kind


def test_the_shipped_classifier_drops_junk() -> None:
    assert isinstance(outcome(SPAM), Drop)
    assert isinstance(outcome("本店新款连衣裙特价包邮，点击购买立即下单，优惠多多，加客服微信领取优惠券。" * 3), Drop)
