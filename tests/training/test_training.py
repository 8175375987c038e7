"""Determinism, resume, choice on validation, and every way training can stop."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from hqnn_utils.data.images import load_breastmnist
from hqnn_utils.models import build_model
from hqnn_utils.studies import records
from hqnn_utils.training import loop as training
from hqnn_utils.training.loop import TrainingError, evaluate, fit, predict_proba


def toy(n=60, seed=0):
    """Two noisy clouds, one of them rarer, as (x, y)."""
    rng = torch.Generator().manual_seed(seed)
    y = (torch.arange(n) % 3 == 0).long()
    return torch.randn(n, 5, generator=rng) + 0.8 * y[:, None], y


def net(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
    )


OPTIONS = dict(epochs=6, lr=1e-2, batch_size=16, augment=None, progress=False, patience=None)


def same(a, b):
    return all(
        torch.equal(x, y)
        for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    )


def test_same_seed_same_weights_whatever_ran_before():
    first, second = net(), net()
    one = fit(first, toy(), toy(30, 1), seed=4, **OPTIONS)
    torch.rand(17)
    two = fit(second, toy(), toy(30, 1), seed=4, **OPTIONS)
    assert same(first, second)
    assert one.history == two.history
    third = net()
    fit(third, toy(), toy(30, 1), seed=5, **OPTIONS)
    assert not same(first, third)


def test_same_record_twice():
    """The whole chain on a hybrid model: data, training, scores, record."""
    data = load_breastmnist(28, source="phantom").limit_train(64)
    prints = []
    for _ in range(2):
        model = build_model(head="dressed", seed=1)
        result = fit(
            model, data.tensors("train"), data.tensors("val"), epochs=2, seed=1, progress=False
        )
        scores, predictions = evaluate(model, data)
        record = records.make_record(
            "twice",
            settings={"seed": 1},
            data=data.describe(),
            scores=scores,
            predictions=predictions,
            history=result.history,
            timing={"s": result.seconds},
        )
        prints.append(records.fingerprint(record))
    assert prints[0] == prints[1]


class Interrupting(nn.Module):
    """Passes through, and raises once at the n-th training batch."""

    def __init__(self, at, error):
        super().__init__()
        self.at, self.error, self.seen = at, error, 0

    def forward(self, x):
        if self.training:
            self.seen += 1
            if self.seen == self.at:
                raise self.error
        return x

    def __repr__(self):
        return "Interrupting()"


def interrupted_net(at, error=KeyboardInterrupt):
    model = net()
    return nn.Sequential(Interrupting(at, error() if isinstance(error, type) else error), *model)


@pytest.mark.parametrize(
    "stop_at", [5, 9, 14, 24]
)  # four batches an epoch: in epochs 2, 3, 4 and 6
@pytest.mark.parametrize("balance", [None, "sampler"])
def test_resume_is_bit_for_bit(tmp_path, stop_at, balance, capsys):
    options = {**OPTIONS, "balance": balance, "seed": 2}
    whole = interrupted_net(10**9)
    wanted = fit(whole, toy(), toy(30, 1), **options)
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(interrupted_net(stop_at), toy(), toy(30, 1), checkpoint=path, **options)
    assert "run the same call again to go on" in capsys.readouterr().out
    torch.rand(5)
    resumed = interrupted_net(10**9)
    found = fit(resumed, toy(), toy(30, 1), checkpoint=path, **options)
    assert same(whole, resumed)
    assert found.history == wanted.history
    assert found.best_epoch == wanted.best_epoch
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_checkpoint_is_loaded_not_trained(tmp_path):
    path, first, second = tmp_path / "run.pt", net(), net()
    wanted = fit(first, toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    changed = path.stat().st_mtime_ns
    found = fit(second, toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    assert same(first, second)
    assert found.history == wanted.history
    assert path.stat().st_mtime_ns == changed


def test_interrupt_without_checkpoint_says_so(capsys):
    with pytest.raises(KeyboardInterrupt):
        fit(interrupted_net(3), toy(), toy(30, 1), **OPTIONS)
    assert "nothing is kept" in capsys.readouterr().out


def test_checkpoint_of_other_settings_is_refused(tmp_path):
    path = tmp_path / "run.pt"
    fit(net(), toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    kept = path.read_bytes()
    with pytest.raises(TrainingError, match="other settings .lr: 0.01 there, 0.02 now"):
        fit(net(), toy(), toy(30, 1), checkpoint=path, **{**OPTIONS, "lr": 0.02})
    with pytest.raises(TrainingError, match="other settings .data"):
        fit(net(), toy(seed=8), toy(30, 1), checkpoint=path, **OPTIONS)
    with pytest.raises(TrainingError, match="other settings .model"):
        fit(net(1), toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    assert path.read_bytes() == kept


def test_damaged_checkpoint_is_clear(tmp_path):
    path = tmp_path / "run.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="run.pt cannot be read.*delete it"):
        fit(net(), toy(), toy(30, 1), checkpoint=path, **OPTIONS)


def test_a_checkpoint_never_runs_code(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (print, ("code ran",))

    path = tmp_path / "run.pt"
    torch.save({"settings": Harmful()}, path)
    with pytest.raises(TrainingError, match="cannot be read"):
        fit(net(), toy(), toy(30, 1), checkpoint=path, **OPTIONS)


def test_best_weights_are_the_best_epochs(monkeypatch):
    """Validation AUC is made to peak in epoch 2: the model must end with that epoch's weights, not the last."""
    seen, aucs, model = [], iter([0.6, 0.9, 0.7, 0.9, 0.5, 0.4]), net()

    def validate(m, x, y):
        seen.append(copy.deepcopy(m.state_dict()))
        return next(aucs), 0.5

    monkeypatch.setattr(training, "_validate", validate)
    result = fit(model, toy(), toy(30, 1), **OPTIONS)
    assert result.best_epoch == 2 and result.best_val_auc == 0.9, "the first of two equal ones"
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), seen[1].values()))
    assert not all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), seen[-1].values())
    )


def test_early_stopping(monkeypatch):
    aucs = iter([0.6, 0.8, 0.7, 0.7, 0.7, 0.7])
    monkeypatch.setattr(training, "_validate", lambda m, x, y: (next(aucs), 0.5))
    result = fit(net(), toy(), toy(30, 1), **{**OPTIONS, "patience": 2})
    assert len(result.history) == 4
    assert result.stopped_early


def test_nan_in_images_names_the_image():
    x, y = toy()
    x[7, 2] = float("nan")
    with pytest.raises(
        TrainingError, match="training: 1 of 60 images hold NaN or infinity, the first at index 7"
    ):
        fit(net(), (x, y), toy(30, 1), **OPTIONS)


class TurnsNaN(nn.Module):
    """Gives NaN from the n-th training batch on."""

    def __init__(self, at):
        super().__init__()
        self.at, self.seen = at, 0

    def forward(self, x):
        self.seen += self.training
        return x * float("nan") if self.seen >= self.at else x


def test_nan_loss_says_where_and_keeps_the_last_good_checkpoint(tmp_path):
    path, model = tmp_path / "run.pt", nn.Sequential(TurnsNaN(10), *net())
    with pytest.raises(
        TrainingError,
        match=r"loss became nan in epoch 3, step 2: .*weights of epoch [12] .*checkpoint kept in .*run.pt",
    ):
        fit(model, toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    assert all(torch.isfinite(v).all() for v in model.state_dict().values())
    assert torch.load(path, weights_only=True)["epoch"] == 2


def hybrid(seed=1):
    data = load_breastmnist(28, source="phantom").limit_train(48)
    return build_model(head="dressed", seed=seed), data.tensors("train"), data.tensors("val")


def test_each_part_has_its_learning_rate():
    """A rate of zero holds a part where it is; the others move."""
    model, train, val = hybrid()
    before = copy.deepcopy(model)
    fit(
        model,
        train,
        val,
        lr={"backbone": 0.0, "circuit": 1e-2, "head": 0.0},
        **{k: v for k, v in OPTIONS.items() if k != "lr"} | dict(epochs=1),
    )
    moved = {
        name
        for (name, p), q in zip(model.named_parameters(), before.parameters())
        if not torch.equal(p, q)
    }
    assert moved == {"head.2.weights"}
    with pytest.raises(
        TrainingError,
        match="lr names no learning rate for circuit: give one for each of backbone, circuit, head",
    ):
        fit(model, train, val, **{**OPTIONS, "lr": {"backbone": 1e-3, "head": 1e-3}})
    with pytest.raises(
        ValueError,
        match="unknown part of the model with a learning rate 'qubits'; known: backbone, circuit, head",
    ):
        fit(model, train, val, **{**OPTIONS, "lr": {"qubits": 1e-3}})


def test_warm_up_holds_the_backbone_still(tmp_path):
    model, train, val = hybrid()
    before = copy.deepcopy(model.backbone.state_dict())
    seen, path = [], tmp_path / "run.pt"
    result = fit(model, train, val, warmup=2, **{**OPTIONS, "epochs": 2})
    assert all(
        torch.equal(a, b) for a, b in zip(before.values(), model.backbone.state_dict().values())
    ), "weights and statistics"
    assert np.isnan(result.history[0]["gradient_norm"]["backbone"])
    assert result.history[0]["gradient_norm"]["circuit"] > 0
    assert all(p.requires_grad for p in model.parameters()), "afterwards everything may learn again"
    model.backbone.register_forward_hook(lambda module, x, y: seen.append(module.training))
    result = fit(model, train, val, warmup=1, checkpoint=path, **{**OPTIONS, "epochs": 2})
    assert seen[0] is False and True in seen, (
        "batch norm learns its statistics after the warm-up only"
    )
    assert result.history[1]["gradient_norm"]["backbone"] > 0
    with pytest.raises(TrainingError, match="other settings .warmup: 1 there, 0 now"):
        fit(hybrid()[0], train, val, checkpoint=path, **{**OPTIONS, "epochs": 2})
    with pytest.raises(
        TrainingError, match="warmup=1 needs a backbone that can be fine-tuned and a head"
    ):
        fit(net(), toy(), toy(30, 1), **OPTIONS, warmup=1)


def test_warm_up_resumes_bit_for_bit(tmp_path):
    """Interrupted in the first epoch after the warm-up, resumed from the checkpoint that the warm-up left."""
    options = {**OPTIONS, "epochs": 4, "warmup": 2}
    whole, train, val = hybrid()
    wanted = fit(whole, train, val, **options)
    stopped, calls = hybrid()[0], []

    def stop(module, x, y):
        if torch.is_grad_enabled():
            calls.append(1)
            if len(calls) == 8:  # three batches an epoch
                raise KeyboardInterrupt

    stopped.backbone.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, train, val, checkpoint=tmp_path / "run.pt", **options)
    assert all(p.requires_grad for p in stopped.parameters())
    resumed = hybrid()[0]
    found = fit(resumed, train, val, checkpoint=tmp_path / "run.pt", **options)
    assert same(whole, resumed)
    assert [h["val_auc"] for h in found.history] == [h["val_auc"] for h in wanted.history]


def test_gradient_norms_are_those_of_the_gradients():
    """One step an epoch: the norm in the history is the norm that autograd gives by hand."""
    model, train, val = hybrid()
    twin = copy.deepcopy(model).train()
    result = fit(model, train, val, **{**OPTIONS, "epochs": 1, "batch_size": 64})
    nn.functional.cross_entropy(twin(train[0]), train[1]).backward()
    by_hand = {
        k: torch.cat([p.grad.flatten() for p in g]).norm().item()
        for k, g in training.parameter_groups(twin).items()
    }
    assert result.history[0]["gradient_norm"] == pytest.approx(by_hand, rel=1e-4)


def test_bad_arguments_are_clear():
    x, y = toy()
    for bad, message in (
        (dict(balance="both"), "unknown balance 'both'; known: loss, sampler"),
        (dict(augment="rotate"), "unknown augmentation 'rotate'; known: flip"),
    ):
        with pytest.raises(ValueError, match=message):
            fit(net(), (x, y), (x, y), **{**OPTIONS, **bad})
    with pytest.raises(TrainingError, match="validation: 30 images but 29 labels"):
        fit(net(), (x, y), (x[:30], y[:29]), **OPTIONS)
    with pytest.raises(TrainingError, match=r"both present, got \[0\]"):
        fit(net(), (x, torch.zeros_like(y)), (x, y), **OPTIONS)
    with pytest.raises(TrainingError, match="epochs >= 1"):
        fit(net(), (x, y), (x, y), **{**OPTIONS, "epochs": 0})


def test_balance_changes_the_drawing_or_the_loss_not_both(monkeypatch):
    x, y = toy(300)
    torch.manual_seed(0)
    weights = len(y) / (2 * torch.bincount(y).float())
    drawn = y[training._order(y, "sampler", weights)].float().mean()
    assert abs(drawn - 0.5) < 0.1
    assert y.float().mean() < 0.35
    assert sorted(training._order(y, "loss", weights).tolist()) == list(range(300)), (
        "loss weighting draws each image once"
    )


def test_predict_proba_agrees_with_softmax_and_keeps_the_mode():
    model, (x, _) = net(), toy()
    model.train()
    p = predict_proba(model, x, batch_size=7)
    assert model.training
    model.eval()
    with torch.no_grad():
        np.testing.assert_allclose(p, model(x).softmax(1)[:, 1], atol=1e-6)
    assert p.shape == (60,)
    assert p.dtype == np.float64


def test_it_learns():
    model = net()
    result = fit(model, toy(300), toy(90, 1), **{**OPTIONS, "epochs": 15})
    assert result.best_val_auc > 0.8, "two clouds at this distance allow 0.90 (Bayes)"
