"""The verifier: causal, the same for any company, and kept in a file that fits its model or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.harness.tiny import save_tiny
from tuili.errors import InputError, ModelFolderError
from tuili.model import probabilities
from tuili.model.verifier import LoadedVerifier, Verifier, read_verifier, response_features, write_verifier
from tuili.store import SCALAR_FEATURES, VERIFIER_FILE, VerifierCalibration, VerifierConfig, model_hash

CONFIG = VerifierConfig(state_size=16, channels=16, layers=2, heads=2)
LINE = ((-8.0, 0.0), (8.0, 1.0))


def verifier() -> Verifier:
    torch.manual_seed(0)
    network = Verifier(CONFIG).eval()
    for weight in network.parameters():  # as in a trained one, all layers have something to say
        torch.nn.init.normal_(weight, std=0.3)
    return network


@torch.inference_mode()
def test_a_token_is_judged_by_itself_and_what_stands_before_it() -> None:
    network, feature_ATF = verifier(), torch.randn(3, 9, CONFIG.features)
    whole_AT = network(feature_ATF)
    assert whole_AT.shape == (3, 9)
    for length in (1, 4, 8):
        assert torch.allclose(network(feature_ATF[1:2, :length]), whole_AT[1:2, :length], atol=1e-6)
    changed_ATF = feature_ATF.clone()
    changed_ATF[:, 5] += 1
    changed_AT = network(changed_ATF)
    assert torch.allclose(changed_AT[:, :5], whole_AT[:, :5], atol=1e-6)
    assert not torch.isclose(changed_AT[:, 5:], whole_AT[:, 5:], atol=1e-4).any()


def test_the_order_of_tokens_counts() -> None:
    feature_ATF = torch.randn(1, 6, CONFIG.features)
    order = torch.tensor([2, 0, 1, 3, 4, 5])
    assert not torch.allclose(verifier()(feature_ATF)[:, -1], verifier()(feature_ATF[:, order])[:, -1], atol=1e-4)


def test_features_are_states_embeddings_and_what_was_expected() -> None:
    state_ATM, embedding_VM = torch.randn(2, 3, 16), torch.randn(7, 16)
    logit_ATV, trunk_ATV, id_AT = torch.randn(2, 3, 7), torch.randn(2, 3, 7), torch.randint(7, (2, 3))
    logit_ATV[0, 0, id_AT[0, 0]] = -1e4
    feature_ATF = response_features(state_ATM, logit_ATV, trunk_ATV, id_AT, embedding_VM)
    assert feature_ATF.shape == (2, 3, CONFIG.features)
    assert torch.equal(feature_ATF[..., :16], state_ATM)
    assert torch.equal(feature_ATF[..., 16:32], embedding_VM[id_AT] * 4)
    full = torch.distributions.Categorical(logits=logit_ATV)
    assert torch.allclose(feature_ATF[1, :, -SCALAR_FEATURES], full.log_prob(id_AT)[1] / 3, atol=1e-5)
    assert feature_ATF[0, 0, -SCALAR_FEATURES] == -5, "no surprise is larger than this"
    assert torch.allclose(feature_ATF[..., -1], -full.entropy(), atol=1e-5)


def test_probabilities_are_fitted_for_steps_and_for_answers() -> None:
    calibration = VerifierCalibration(step=((0.0, 0.2), (4.0, 0.6), (5.0, 0.9)), answer=((-2.0, 0.1), (4.0, 0.7)))
    logit_E = torch.tensor([3.0, 3.0, 4.5, -9.0, 9.0, -9.0, 4.0])
    is_answer_E = torch.tensor([False, True, False, False, False, True, True])
    wanted_E = torch.tensor([0.5, 0.6, 0.75, 0.2, 0.9, 0.1, 0.7])
    assert torch.allclose(probabilities(calibration, logit_E, is_answer_E), wanted_E)
    for curve in ((), ((0.0, 0.5),), ((1.0, 0.2), (1.0, 0.3))):
        with pytest.raises(InputError, match="two points at least"):
            VerifierCalibration(curve, calibration.answer)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_tiny(tmp_path / "model")


def test_a_verifier_is_read_as_it_was_written(folder: Path) -> None:
    assert read_verifier(folder) is None
    before = model_hash(folder)
    rounded = verifier().half().float()  # the file keeps float16
    written = LoadedVerifier(rounded, VerifierCalibration(LINE, LINE, (0.3, 0.4)), {"f1": 0.9})
    write_verifier(folder, written)
    read = read_verifier(folder)
    assert read is not None
    assert (read.calibration, read.figures, read.network.config) == (written.calibration, written.figures, CONFIG)
    feature_ATF = torch.randn(1, 5, CONFIG.features)
    assert torch.equal(read.network(feature_ATF), written.network(feature_ATF))
    assert not read.network.training
    assert (folder / VERIFIER_FILE).stat().st_mode == (folder / "config.json").stat().st_mode
    assert model_hash(folder) == before, "the language model is the same with it"


def tampered(folder: Path, **changes: object) -> None:
    """Write the verifier's file anew with other metadata."""
    write_verifier(folder, LoadedVerifier(verifier(), VerifierCalibration(LINE, LINE), {}))
    tensors = load_file(folder / VERIFIER_FILE)
    parts: dict[str, object] = {
        "config": {"state_size": 16, "channels": 16, "layers": 2, "heads": 2},
        "calibration": {"step": LINE, "answer": LINE, "thresholds": [0.5, 0.5]},
        "figures": {},
        "model": model_hash(folder),
    }
    save_file(tensors, folder / VERIFIER_FILE, {"verifier": json.dumps(parts | changes)})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model": "0" * 64}, "was trained on another model"),
        ({"config": "no JSON"}, "is no verifier"),
        ({"config": {"state_size": 16, "channels": 15}}, "is no verifier"),
        ({"config": {"state_size": 16, "channels": 32, "layers": 2, "heads": 2}}, "is no verifier"),
        ({"config": {"state_size": 16, "layers": 10**9}}, "is no verifier"),
        ({"config": {"state_size": 16, "channels": 16, "layers": 2, "heads": 2, "x": 1}}, "is no verifier"),
        ({"calibration": {"step": [[1.0, 0.5]], "answer": LINE}}, "is no verifier"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_in_one_line(folder: Path, changes: dict[str, object], reason: str) -> None:
    tampered(folder)
    assert read_verifier(folder) is not None
    tampered(folder, **changes)
    with pytest.raises(ModelFolderError, match=reason) as refusal:
        read_verifier(folder)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("damage", [lambda data: data[:-7], lambda data: b"PK\x03\x04" + data, lambda data: b""])
def test_a_damaged_file_is_refused(folder: Path, damage) -> None:
    tampered(folder)
    file = folder / VERIFIER_FILE
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ModelFolderError):
        read_verifier(folder)


def test_a_file_without_its_metadata_is_refused(folder: Path) -> None:
    (folder / VERIFIER_FILE).parent.mkdir(exist_ok=True)
    save_file(verifier().state_dict(), folder / VERIFIER_FILE)
    with pytest.raises(ModelFolderError, match="is no verifier"):
        read_verifier(folder)
