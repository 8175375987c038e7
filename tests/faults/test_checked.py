"""What can be known before the work is said before the work, and names the setting."""

import re

import numpy as np
import pytest
import torch
from coursekit import files, running
from coursekit.files import HERE, Tree
from coursekit.student import student
from torch import nn

from hqnn_utils.data import load_breakhis, load_breastmnist, load_wisconsin, make_table
from hqnn_utils.models import build_backbone, extract_features, features
from hqnn_utils.quantum import CircuitSpec, QuantumLayer
from hqnn_utils.runtime.words import truth
from hqnn_utils.studies import StudyError, as_setting, grid, run_study, study
from hqnn_utils.studies.workers import need_cluster
from hqnn_utils.training import TrainConfig, TrainingError, fit

QUICK = dict(epochs=1, max_train=32, source="phantom", size=16)
BAD_SETTINGS = {
    "lr of zero": (dict(lr=0), "lr must be a finite number above 0"),
    "negative lr": (dict(lr=-1e-3), "lr must be a finite number above 0"),
    "lr as text": (dict(lr="1e-3"), "lr must be a finite number"),
    "every part stands still": (dict(lr={"head": 0.0, "backbone": 0.0}), "lr must be above 0"),
    "warm-up as long as the training": (dict(epochs=3, warmup=3), "warmup=3 leaves none of 3"),
    "no for a truth": (dict(test_flips="no"), "test_flips must be True or False, got 'no'"),
    "one for a truth": (dict(test_flips=1), "test_flips must be True or False, got 1"),
    "truth for a number": (dict(epochs=True), "epochs must be a whole number"),
    "half an epoch": (dict(epochs=2.5), "epochs must be a whole number"),
    "seed below zero": (dict(seed=-1), "seed must be a whole number from 0"),
    "seed beyond the generators": (dict(seed=2**40), "seed must be a whole number from 0"),
    "name with a folder": (dict(name="../a"), "record name '../a' may hold letters"),
    "name with a space": (dict(name="a b"), "may hold letters"),
    "name that is hidden": (dict(name=".a"), "must not begin with '.'"),
    "name too long for a file": (dict(name="a" * 300), "have 240 bytes at most, it has 300"),
    "list for a word": (dict(head=["linear"]), "unknown head ['linear']"),
    "truth for a word": (dict(balance=True), "unknown balance True"),
    "number for a file": (dict(weights=3), "weights must be a text, got 3"),
    "text for a dict": (dict(spec="n_qubits=4"), "spec must be a dict"),
    "circuit, no for a truth": (dict(head="dressed", spec=dict(reupload="no")), "reupload must be"),
    "circuit, scaling as text": (dict(spec=dict(scaling="1")), "scaling must be finite"),
    "protocol, fold beyond the folds": (
        dict(protocol=dict(kind="cross_validation", folds=5, fold=5)),
        "a fold from 0 to folds - 1, got folds=5, fold=5",
    ),
    "protocol, threshold as text": (
        dict(protocol=dict(kind="grouped", threshold="0.9")),
        "threshold is a correlation above 0 and at most 1, got '0.9'",
    ),
    "protocol, no for a truth": (
        dict(protocol=dict(kind="augmented", by_original="no")),
        "by_original must be True or False",
    ),
    "data, size as text": (dict(size="28"), "size must be a whole number"),
    "unknown key": (dict(learning_rate=1), "unknown key in a setting 'learning_rate'"),
}


@pytest.mark.parametrize(("bad", "said"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_setting_is_refused_before_any_run(tmp_path, monkeypatch, bad, said):
    monkeypatch.setattr(study, "carry_out", lambda *a: pytest.fail("a run was started"))
    with pytest.raises(StudyError, match=re.escape(said)):
        run_study([dict(QUICK), {**QUICK, "name": "b", **bad}], tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []


BAD_STUDIES = {
    "no for a truth": (dict(checkpoints="no"), "checkpoints must be True or False"),
    "test_only as a number": (dict(test_only=1), "test_only must be True or False"),
    "no workers": (dict(workers=0), "workers must be a whole number"),
    "half a worker": (dict(workers=1.5), "workers must be a whole number"),
    "no threads": (dict(threads=0), "threads must be a whole number"),
    "family with a folder": (dict(family="../heads"), "may hold letters"),
    "family of no letters": (dict(family=""), "may hold letters"),
    "unknown backend": (dict(backend="ray"), "unknown backend 'ray'"),
}


@pytest.mark.parametrize(("bad", "said"), BAD_STUDIES.values(), ids=BAD_STUDIES)
def test_study_is_refused_before_any_run(tmp_path, monkeypatch, bad, said):
    monkeypatch.setattr(study, "carry_out", lambda *a: pytest.fail("a run was started"))
    with pytest.raises(ValueError, match=re.escape(said)):
        run_study([dict(QUICK)], tmp_path, progress=False, **bad)
    assert list(tmp_path.iterdir()) == []


PROC = pytest.param("/proc/results", marks=pytest.mark.unix)


@pytest.mark.parametrize("folder", [PROC, "a_file/results", "full"])
def test_folder_that_cannot_take_the_records(tmp_path, monkeypatch, request, folder):
    monkeypatch.setattr(study, "carry_out", lambda *a: pytest.fail("a run was started"))
    (tmp_path / "a_file").touch()
    place = tmp_path / folder
    if folder == "full":
        place = request.getfixturevalue("small_disk")
        (place / "x").write_bytes(bytes(64 * 1024))
        place = place / "new" / "folder"
    with pytest.raises(
        OSError, match="(cannot be written|too little).*set HQNN_RESULTS to one of yours"
    ):
        run_study([dict(QUICK)], place, progress=False)


BAD_LOADS = {
    "seed as text": (lambda: load_breastmnist(source="phantom", seed="0"), "seed must be a whole"),
    "size as a float": (lambda: load_breastmnist(28.0, "phantom"), "size must be a whole number"),
    "fold without a place": (lambda: load_breakhis("phantom", fold=7), "a fold from 0 to folds"),
    "workers of none": (lambda: load_breakhis("phantom", workers=0), "workers must be a whole"),
    "table, seed below zero": (lambda: load_wisconsin(-1), "seed must be a whole number"),
    "table, labels between": (
        lambda: make_table(np.eye(4), np.array([0, 1, 0.5, 0])),
        "expected 0",
    ),
    "circuit of no qubits": (lambda: CircuitSpec(n_qubits=0), "n_qubits must be a whole number"),
    "config, batch as text": (lambda: TrainConfig(batch_size="8"), "batch_size must be a whole"),
    "a text is no truth": (lambda: truth("x", "False"), "x must be True or False"),
}


@pytest.mark.parametrize(("load", "said"), BAD_LOADS.values(), ids=BAD_LOADS)
def test_argument_is_refused_by_name(load, said):
    with pytest.raises(ValueError, match=said):
        load()


def toys():
    x = torch.randn(8, 3)
    return x, torch.tensor([0, 1] * 4)


BAD_FITS = {
    "labels as floats": (lambda x, y: (x, y.float()), {}, "training: labels must be int64"),
    "labels as columns": (lambda x, y: (x, y[:, None]), {}, "training: labels must be int64"),
    "images as bytes": (lambda x, y: (x.byte(), y), {}, "training: images must be floating point"),
    "a device that is not there": (None, dict(device="cuda:77"), "device 'cuda:77' cannot be used"),
    "a device of no kind": (None, dict(device="gpu"), "device 'gpu' cannot be used"),
    "a checkpoint nobody can write": (
        None,
        dict(checkpoint=f"{__file__}/x/run.pt"),
        "checkpoint: .* cannot be written",
    ),
}


@pytest.mark.parametrize(("change", "options", "said"), BAD_FITS.values(), ids=BAD_FITS)
def test_training_is_refused_before_its_first_step(change, options, said):
    model, (x, y) = nn.Linear(3, 2), toys()
    before = model.weight.detach().clone()
    train = (x, y) if change is None else change(x, y)
    config = TrainConfig(epochs=1, augment=None)
    with pytest.raises(TrainingError, match=said):
        fit(model, train, (x, y), config, progress=False, **options)
    assert torch.equal(model.weight, before)


def test_a_checkpoint_that_will_not_fit_the_disk(small_disk):
    model = nn.Linear(100, 100)  # 40 kB, and five times that with the optimiser
    x, y = torch.randn(8, 100), torch.tensor([0, 1] * 4)
    with pytest.raises(TrainingError, match="too little room: 202.0 kB are needed, .* are free"):
        fit(model, (x, y), (x, y), checkpoint=small_disk / "run.pt", progress=False)


@pytest.mark.parametrize("encoding", ["angle", "iqp"])
def test_a_circuit_beyond_the_memory_is_refused_with_the_bytes(encoding):
    spec = CircuitSpec(n_qubits=36, n_layers=1, encoding=encoding, rotation="RY", entangler="none")
    with pytest.raises(MemoryError, match=r"36 qubits, .* bytes .* are needed and .* are free"):
        QuantumLayer(spec)(torch.zeros(2, 36))


def test_a_cluster_without_workers_is_named_at_once(tmp_path):
    distributed = pytest.importorskip("dask.distributed")
    empty = distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=None)
    with (
        empty,
        distributed.Client(empty),
        pytest.raises(StudyError, match="the cluster at .* has no workers: start some"),
    ):
        run_study([dict(QUICK)], tmp_path, backend="dask", progress=False)


@pytest.mark.parametrize("how", ["lost", "refused", "silent"])
def test_a_scheduler_that_is_gone_is_named_at_once(monkeypatch, how):
    distributed = pytest.importorskip("dask.distributed")

    class Client:
        status = "connecting" if how == "lost" else "running"
        scheduler = type("S", (), {"ncores": None})()

        def sync(self, *args, callback_timeout):
            raise ConnectionRefusedError if how == "refused" else TimeoutError

    monkeypatch.setattr(distributed, "get_client", Client)
    with pytest.raises(StudyError, match="the scheduler does not answer .*Records made so far"):
        need_cluster()


def test_settings_of_all_stored_records_are_still_settings():
    """The checks are stricter than before; nothing that was measured falls through."""
    from hqnn_utils.studies import load_plan
    from hqnn_utils.studies.plans import known_plans

    for plan in known_plans():
        for row in load_plan(plan)[:40]:
            as_setting(row)


BEYOND = {
    "lr beyond all floats": (lambda: TrainConfig(lr=10**400), "lr must be a finite number"),
    "lr as an array": (lambda: TrainConfig(lr=np.array(1e-3)), "lr must be a finite number"),
    "lr that is complex": (lambda: TrainConfig(lr=1e-3j), "lr must be a finite number"),
    "NaN for a rate": (lambda: TrainConfig(lr={"head": float("nan")}), "lr of 'head' must be"),
    "NumPy's truth for a number": (lambda: TrainConfig(epochs=np.True_), "epochs must be a whole"),
    "a tensor for a number": (lambda: TrainConfig(seed=torch.tensor(1)), "seed must be a whole"),
    "a table of nothing": (lambda: grid(head=["linear"], seed=[]), "seed holds no value"),
}


@pytest.mark.parametrize(("make", "said"), BEYOND.values(), ids=BEYOND)
def test_number_of_another_kind_is_refused_by_name(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_a_cache_without_room_is_said_before_the_features_are_computed(small_disk, monkeypatch):
    data, backbone = load_breastmnist(16, "phantom"), build_backbone("small_cnn", 1)
    (small_disk / "x").write_bytes(bytes(60 * 1024))
    compute = features._compute

    def after(*arguments):
        assert len(said) == 1, "the warning comes before the work"
        return compute(*arguments)

    monkeypatch.setattr(features, "_compute", after)
    with pytest.warns(UserWarning, match="features are not kept: .* too little room") as said:
        found = extract_features(backbone, data, cache=small_disk)
    assert len(found) == len(data)
    assert [p.name for p in small_disk.iterdir()] == ["x"]


@pytest.mark.parametrize("command", ["run", "student", "execute"])
@pytest.mark.parametrize("fault", ["too little room", "cannot be written"])
def test_the_course_s_tool_knows_of_its_folders_before_it_works(
    tmp_path, monkeypatch, small_disk, command, fault
):
    tree = Tree(small_disk / "course")
    tree.notebooks.mkdir(parents=True)
    tree.course_file.write_bytes(HERE.course_file.read_bytes())
    (tree.notebooks / "00_start_here.ipynb").touch()
    if fault == "cannot be written":
        monkeypatch.setattr(files, "ROOM", 0)
        (tree.root / "build").touch()
    monkeypatch.setattr(running, "run_notebook", lambda *a, **k: pytest.fail("it ran"))
    out = tree.root / "build" / "out"
    work = {
        "run": lambda: running.run(tree, "00_start_here", "smoke", out),
        "student": lambda: student(tree, out),
        "execute": lambda: running.execute(tree, ["00"]),
    }
    with pytest.raises(SystemExit, match=fault):
        work[command]()


def outputs(n):
    return lambda: nn.Linear(3, n)


BAD_MODELS = {
    "three outputs for two classes": (outputs(3), r"two logits an image, \(8, 2\), got \(8, 3\)"),
    "one output": (outputs(1), r"two logits an image, \(8, 2\), got \(8, 1\)"),
    "no axis of classes": (
        lambda: nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)),
        r"two logits an image, \(8, 2\), got \(8,\)",
    ),
    "nothing that learns": (
        lambda: nn.Linear(3, 2).requires_grad_(False),
        "no parameter that learns",
    ),
}


@pytest.mark.parametrize(("make", "said"), BAD_MODELS.values(), ids=BAD_MODELS)
def test_model_that_cannot_be_trained(make, said):
    """Three outputs trained without a word, and the share of the third class was lost."""
    config = TrainConfig(epochs=1, augment=None)
    with pytest.raises(TrainingError, match=said):
        fit(make(), toys(), toys(), config, progress=False)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_training_where_no_gradients_are(around):
    config = TrainConfig(epochs=1, augment=None)
    with around(), pytest.raises(TrainingError, match="training needs gradients"):
        fit(nn.Linear(3, 2), toys(), toys(), config, progress=False)


@pytest.mark.parametrize("size", [dict(n_qubits=2000), dict(n_qubits=10**30), dict(n_layers=10**9)])
def test_circuit_of_a_slip_of_the_pen(size):
    """A thousand million layers were built for minutes; 2,000 qubits overflowed in the message."""
    (name,) = size
    with pytest.raises(ValueError, match=f"{name} must be a whole number from 1 to"):
        CircuitSpec(**size)
