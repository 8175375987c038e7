"""One run from a setting to its record: each part of the setting has its effect."""

import os

import numpy as np
import pytest
import torch
from study_toys import QUICK, phantom

from hqnn_utils.evaluation.metrics import scores
from hqnn_utils.models import build_model
from hqnn_utils.runtime import provenance
from hqnn_utils.studies import (
    as_setting,
    prediction_record,
    run,
    run_setting,
)
from hqnn_utils.training import predict_proba


def probabilities(record, split="test"):
    return np.array(record.predictions[split]["probabilities"])


@pytest.fixture(scope="module")
def plainly():
    return run_setting(QUICK)


def test_the_record_of_a_run(plainly):
    data = phantom()
    assert plainly.name == "small_cnn-16px-linear-epochs-1-max_train-32-s0"
    assert plainly.settings == as_setting(QUICK).stored()
    assert plainly.data == data.describe()
    assert plainly.data["phantom"] is True
    assert plainly.provenance.keys() == provenance().keys()
    assert plainly.timing.keys() == {"fit_seconds", "cpu_seconds", "seconds", "threads"}
    assert plainly.timing["threads"] == torch.get_num_threads()
    assert plainly.timing["cpu_seconds"] > 0
    assert 0 < plainly.timing["fit_seconds"] <= plainly.timing["seconds"]
    assert len(plainly.history) == 1
    for split in ("val", "test"):
        kept = plainly.predictions[split]
        assert kept["ids"] == data.part(split).ids.tolist()
        assert kept["labels"] == data.part(split).labels.tolist()
        again = scores(kept["labels"], kept["probabilities"])
        assert again == pytest.approx(plainly.scores[split], nan_ok=True)
    history = plainly.history[0]
    moved = plainly.scores["fit"].pop("moved")
    assert moved.keys() == {"backbone", "head"}
    assert all(0 < part["rms"] < part["share"] < 1 for part in moved.values())
    assert plainly.scores["fit"] == dict(
        best_epoch=1,
        best_val_auc=history["val_auc"],
        epochs=1,
        n_train=32,
        parameters=sum(p.numel() for p in build_model().parameters()),
    )
    assert history["val_auc"] == pytest.approx(plainly.scores["val"]["auc"])


@pytest.mark.parametrize(
    "change",
    [
        dict(seed=1),
        dict(head="mlp"),
        dict(head="dressed"),
        dict(backbone="small_cnn_6"),
        dict(labels="shuffled"),
        dict(max_train=48),
        dict(lr=0.02),
        dict(batch_size=8),
        dict(balance="loss"),
        dict(augment=None),
        dict(fine_tune="last_block"),
        dict(fine_tune="last_blocks"),
        dict(protocol=dict(kind="random", seed=1)),
        dict(test_flips=True),
        dict(resize=24),
    ],
    ids=str,
)
def test_each_part_of_a_setting_has_its_effect(plainly, change, tmp_path, monkeypatch):
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path))
    other = run_setting({**QUICK, **change})
    same = probabilities(other).shape == probabilities(plainly).shape
    assert not same or not np.allclose(probabilities(other), probabilities(plainly))
    assert other.settings != plainly.settings


def test_the_circuit_of_the_setting_is_built():
    few, many = (
        run_setting({**QUICK, "head": "dressed", "spec": dict(n_qubits=n)}) for n in (2, 3)
    )
    # 2 qubits: 64 x 2 + 2 to the angles, 4 angles of the circuit, 2 x 2 + 2 to the classes
    grown = many.scores["fit"]["parameters"] - few.scores["fit"]["parameters"]
    assert grown == (64 + 1) + 2 + 2


def test_engines_agree():
    head = dict(QUICK, head="dressed", spec=dict(n_qubits=2))
    fused, slow = (run_setting({**head, "engine": e}) for e in ("fused", "pennylane"))
    np.testing.assert_allclose(probabilities(fused), probabilities(slow), atol=1e-3)


def test_shuffled_labels_keep_the_true_test():
    shuffled = run_setting({**QUICK, "labels": "shuffled"})
    data = phantom()
    assert shuffled.predictions["test"]["labels"] == data.part("test").labels.tolist()
    assert shuffled.predictions["val"]["labels"] != data.part("val").labels.tolist()


def test_flips_average_the_two_views(plainly):
    both = run_setting({**QUICK, "test_flips": True})
    assert plainly.history == both.history
    model = build_model(seed=0)
    data = phantom()
    prepared = run._prepare(as_setting({**QUICK, "test_flips": True}), data)
    model.load_state_dict(prepared.model.state_dict())
    x, _ = data.tensors("test")
    views = [predict_proba(model, v) for v in (x, x.flip(-1))]
    np.testing.assert_allclose(prepared.probabilities("test"), np.mean(views, axis=0), atol=1e-7)


def frozen(**more):
    return dict(QUICK, fine_tune="frozen", augment=None, epochs=3, **more)


def test_a_frozen_backbone_trains_a_head_on_cached_features(tmp_path, monkeypatch):
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path / "cache"))
    linear, dressed = (run_setting(frozen(head=h)) for h in ("linear", "dressed"))
    assert len(list((tmp_path / "cache").iterdir())) == 1, "run once for both heads"
    assert linear.scores["fit"]["parameters"] == 2 * 64 + 2
    assert dressed.scores["fit"]["n_train"] == 32


def test_a_frozen_run_equals_a_whole_network_that_stands_still(tmp_path, monkeypatch):
    """The same start weights, the same order: only the head learns, from the same features."""
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path))
    found = run_setting(frozen())
    data = phantom()
    model = build_model(seed=0, fine_tune="frozen")
    config = as_setting(frozen()).train_config
    limited = run.limited_rows(data, as_setting(frozen()))
    x, y = data.tensors()
    val = data.tensors("val")
    from hqnn_utils.training import fit

    fit(model, (x[limited], y[limited]), val, config, progress=False)
    wanted = predict_proba(model, data.tensors("test")[0])
    np.testing.assert_allclose(probabilities(found), wanted, atol=1e-4)


def test_a_pretrained_frozen_network_is_built_once(tmp_path, monkeypatch):
    """The head starts from its own seed; another file of weights is another network."""
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path))
    run._pretrained.cache_clear()
    built, build = [], run.build_backbone
    monkeypatch.setattr(run, "build_backbone", lambda *a: (built.append(a), build(*a))[1])
    weights = tmp_path / "mine.pt"
    torch.save(build_model(seed=3).backbone.state_dict(), weights)
    first = run_setting(frozen(weights=str(weights)))
    again = run_setting(frozen(weights=str(weights)))
    other = run_setting(frozen(weights=str(weights), seed=1))
    assert len(built) == 1
    assert first.predictions == again.predictions
    assert first.predictions != other.predictions
    prepared = run._prepare(as_setting(frozen(weights=str(weights), seed=1)), phantom())
    torch.manual_seed(1)
    wanted = torch.nn.Linear(64, 2)
    assert torch.equal(prepared.model.weight, wanted.weight)
    torch.save(build_model(seed=4).backbone.state_dict(), weights)
    os.utime(weights, (1, 1))
    changed = run_setting(frozen(weights=str(weights)))
    assert len(built) == 2
    assert changed.predictions != first.predictions
    run._pretrained.cache_clear()


def test_frozen_features_are_mirrored_as_images(tmp_path, monkeypatch):
    """A feature vector has no left and right: the mirrored view starts from mirrored images."""
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path))
    data = phantom()
    prepared = run._prepare(as_setting(frozen(test_flips=True)), data)
    model = build_model(seed=0, fine_tune="frozen").eval()
    x, _ = data.tensors("val")
    with torch.no_grad():
        seen, mirrored = model.backbone(x), model.backbone(x.flip(-1))
    rows = prepared.rows("val")
    np.testing.assert_allclose(prepared.x[rows], seen, atol=1e-5)
    np.testing.assert_allclose(prepared.mirrored[rows], mirrored, atol=1e-5)
    assert not np.allclose(prepared.mirrored[rows], prepared.x[rows].flip(-1), atol=1e-3)
    both, one = run_setting(frozen(test_flips=True)), run_setting(frozen())
    assert both.history == one.history
    assert not np.allclose(probabilities(both), probabilities(one))


@pytest.mark.parametrize("augment", [None, "flip"])
@pytest.mark.parametrize(("resize", "how"), [(None, "last_block"), (24, "last_blocks")])
def test_stored_activations_change_nothing(tmp_path, monkeypatch, augment, resize, how):
    """The last blocks learn on what is stored as they learn behind the whole network."""
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path))
    row = dict(QUICK, fine_tune=how, head="mlp", epochs=3, test_flips=True)
    row |= dict(augment=augment, resize=resize)
    fast = run_setting(row)
    assert len(list(tmp_path.iterdir())) == 2, "the images and their mirror images"
    monkeypatch.setattr(run, "STORED_AT_MOST", 0)
    slow = run_setting(row)
    assert fast.scores["fit"]["parameters"] == slow.scores["fit"]["parameters"]
    assert [h["loss"] for h in fast.history] == pytest.approx([h["loss"] for h in slow.history])
    np.testing.assert_allclose(probabilities(fast), probabilities(slow), atol=1e-5)


def test_what_cannot_be_stored_is_not(tmp_path, monkeypatch):
    """Too many bytes (two views of 780 images), or an augmentation that changes the images."""
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path))
    last = dict(QUICK, fine_tune="last_block", epochs=1)
    monkeypatch.setattr(run, "STORED_AT_MOST", 2 * len(phantom()) * 32 * 4 * 4 * 4 - 1)
    run_setting(last)
    run_setting({**QUICK, "fine_tune": "full"})
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(run, "STORED_AT_MOST", run.STORED_AT_MOST + 1)
    run_setting(last)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_frozen_backbone_with_flips(tmp_path, monkeypatch):
    """The head meets the features of mirrored images; otherwise nothing changes."""
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path))
    flipped, without = run_setting({**frozen(), "augment": "flip"}), run_setting(frozen())
    assert flipped.scores["fit"]["parameters"] == without.scores["fit"]["parameters"]
    assert flipped.history[0]["loss"] != pytest.approx(without.history[0]["loss"])
    prepared = run._prepare(as_setting({**frozen(), "augment": "flip"}), phantom())
    still = run._prepare(as_setting(frozen()), phantom())
    assert torch.equal(prepared.x[:, 0], still.x)


def test_resized_images_enter_the_network(tmp_path, monkeypatch):
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path))
    x = phantom().tensors()[0]
    wanted = torch.nn.functional.interpolate(x, size=(24, 24), mode="bilinear", antialias=True)
    whole = run._prepare(as_setting({**QUICK, "resize": 24, "test_flips": True}), phantom())
    assert torch.equal(whole.x, wanted)
    assert torch.equal(whole.mirrored, wanted.flip(-1))
    still = run._prepare(as_setting(frozen(resize=24, test_flips=True)), phantom())
    backbone = build_model(seed=0).backbone.eval()
    with torch.no_grad():
        seen, mirrored = backbone(wanted), backbone(wanted.flip(-1))
    np.testing.assert_allclose(still.x, seen, atol=1e-5)
    np.testing.assert_allclose(still.mirrored, mirrored, atol=1e-5)


WISCONSIN = dict(dataset="wisconsin", backbone="none", augment=None, epochs=2)


def test_a_setting_can_name_a_table_of_features():
    linear = run_setting(WISCONSIN)
    assert linear.name == "none-28px-linear-epochs-2-augment-None-dataset-wisconsin-s0"
    assert linear.scores["fit"]["parameters"] == 2 * 30 + 2
    assert linear.scores["test"]["auc"] > 0.9, "measured nuclei tell the classes apart"
    other_split = run_setting({**WISCONSIN, "data_options": {"seed": 3}})
    assert other_split.predictions["test"]["ids"] != linear.predictions["test"]["ids"]
    hybrid = run_setting({**WISCONSIN, "head": "dressed"})
    assert hybrid.scores["fit"]["parameters"] == (30 * 4 + 4) + 8 + (4 * 2 + 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(backbone="small_cnn"), "set backbone='none', got 'small_cnn'$"),
        (dict(augment="flip"), "nothing to mirror: set augment=None and test_flips=False$"),
        (dict(test_flips=True), "nothing to mirror"),
        (dict(resize=28), "nothing to resize: set resize=None$"),
    ],
)
def test_a_table_is_no_image(change, message):
    with pytest.raises(ValueError, match=f"^dataset 'wisconsin' is a table of features.*{message}"):
        run_setting({**WISCONSIN, **change})


def test_a_setting_can_name_histology():
    """BreakHis's phantom, split by patient within the setting."""
    row = dict(QUICK, dataset="breakhis", source="phantom", size=16, max_train=None)
    kinds = [dict(kind="by_patient", fold=0), dict(kind="by_patient", fold=1)]
    first, second = (run_setting({**row, "protocol": kind}) for kind in kinds)
    assert first.data["name"].startswith("histology-phantom")
    assert not set(first.predictions["test"]["ids"]) & set(second.predictions["test"]["ids"])


def test_data_that_are_handed_over_are_used(plainly):
    other = run_setting({**QUICK, "source": "medmnist"}, phantom(1))
    assert other.data["digest"] == phantom(1).digest
    assert not np.allclose(probabilities(other), probabilities(plainly))
    assert run.with_data(as_setting({}), None) == as_setting({})
    adopted = run.with_data(as_setting({}), phantom())
    assert (adopted.source, adopted.size) == ("phantom", 16)
    assert adopted.name == as_setting({}).name


def test_files_are_looked_for_in_the_data_folder(tmp_path, monkeypatch, medmnist_file):
    monkeypatch.setenv("HQNN_DATA", str(medmnist_file.parent))
    monkeypatch.chdir(tmp_path.parent)
    assert run.load_data(as_setting(dict(source="mine.npz"))).name == "mine"
    assert run._locate("medmnist") == "medmnist"
    assert run._locate("nowhere.npz") == "nowhere.npz"
    assert run._locate(str(medmnist_file)) == str(medmnist_file)


def test_the_same_data_are_loaded_once():
    setting = as_setting(QUICK)
    assert run.load_data(setting) is run.load_data(as_setting({**QUICK, "seed": 4}))
    assert run.load_data(setting) is not run.load_data(as_setting({**QUICK, "size": 8}))


def test_progress_is_shown_where_wanted(capsys):
    run_setting(QUICK)
    assert capsys.readouterr().out == ""
    run_setting(QUICK, progress="my bar")
    assert "my bar" in capsys.readouterr().out


def test_a_checkpoint_is_kept(tmp_path):
    run_setting(QUICK, checkpoint=tmp_path / "run.pt")
    assert (tmp_path / "run.pt").exists()


# ---------------------------------------------------------------- other classifiers


@pytest.mark.parametrize(("says_no", "starts"), [(0, 1), (2, 3), (9, 4)])
def test_a_run_begins_again_while_it_has_not_learned(says_no, starts, tmp_path, monkeypatch):
    """The kept start is a run of another seed on the same images; the last one stays."""
    asked = []

    def has_learned(history, y, balance):
        asked.append((len(history), len(y), balance))
        return len(asked) > says_no

    monkeypatch.setattr(run, "has_learned", has_learned)
    place = tmp_path / "run.pt"
    found = run_setting({**QUICK, "balance": "loss", "restarts": 3}, checkpoint=place)
    assert asked == [(1, 32, "loss")] * starts
    assert found.scores["fit"]["starts"] == starts
    assert found.settings["seed"] == 0
    assert found.name.endswith("-restarts-3-s0")
    assert len(list(tmp_path.glob("*.pt"))) == starts
    kept = phantom()
    rows = run.limited_rows(kept, as_setting(QUICK))
    data = kept.with_split(np.where(rows | (kept.split != "train"), kept.split, "unused"), "same")
    monkeypatch.undo()
    seed = run.OTHER_START * (starts - 1)
    alone = run_setting({**QUICK, "balance": "loss", "max_train": None, "seed": seed}, data=data)
    assert np.array_equal(probabilities(found), probabilities(alone))
    assert "starts" not in alone.scores["fit"]


def test_records_of_other_classifiers():
    data = phantom()
    p = {"test": np.linspace(0, 1, 156)}
    record = prediction_record("mine", data, p, dict(head="trees", seed=0), timing={"s": 1})
    assert record.name == "mine"
    assert record.settings == dict(head="trees", seed=0)
    assert record.data == data.describe()
    assert record.timing == {"s": 1}
    labels = data.part("test").labels
    assert record.scores["test"] == pytest.approx(scores(labels, p["test"]))
    assert record.predictions["test"]["probabilities"] == p["test"].tolist()


def test_features_are_kept_for_the_very_same_network_and_images(tmp_path, monkeypatch):
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path))
    run._RECENT.clear()
    asked, extract = [], run.extract_features
    monkeypatch.setattr(
        run, "extract_features", lambda *a, **o: (asked.append(o), extract(*a, **o))[1]
    )
    backbone = build_model(seed=0, fine_tune="frozen").backbone
    data = phantom()
    first = run._kept_features(backbone, data, None, "none")
    np.testing.assert_array_equal(first, extract(backbone, data))
    moved = data.with_split(np.roll(data.split, 5), "moved")
    assert run._kept_features(backbone, moved, None, "none") is first, "a new split, same images"
    assert len(asked) == 1
    mirrored = run._kept_features(backbone, data, None, "mirror")
    np.testing.assert_array_equal(mirrored, extract(backbone, data, transform="mirror"))
    part = run._kept_features(backbone, data.part("val"), None, "none")
    assert len(part) == (data.split == "val").sum()
    other = run._kept_features(build_model(seed=1, fine_tune="frozen").backbone, data, None, "none")
    assert not np.array_equal(other, first)
    assert len(asked) == 4
    learning = build_model(seed=0).backbone
    run._kept_features(learning, data, None, "none")
    run._kept_features(learning, data, None, "none")
    assert len(asked) == 6, "a network that learns changes"
    run._RECENT.clear()


def test_labels_are_shuffled_by_the_seed_of_the_run(monkeypatch):
    asked, shuffle = [], run.shuffle_labels

    def watched(split, seed=0):
        asked.append(seed)
        return shuffle(split, seed)

    monkeypatch.setattr(run, "shuffle_labels", watched)
    for seed in (0, 3):
        run_setting({**QUICK, "labels": "shuffled", "seed": seed})
    assert asked == [0, 3]
