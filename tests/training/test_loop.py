"""Determinism, resume, choice on validation, and every way training can stop."""

import copy
import re

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight
from torch import nn
from training_toys import OPTIONS, fit, hybrid, images, net, same, toy, weights

from hqnn_utils.training import FitResult, TrainConfig, TrainingError, loop


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
    with pytest.raises(TrainingError, match=r"other settings .lr: 0.01 there, 0.02 now"):
        fit(net(), toy(), toy(30, 1), checkpoint=path, **{**OPTIONS, "lr": 0.02})
    with pytest.raises(TrainingError, match=r"other settings .data"):
        fit(net(), toy(seed=8), toy(30, 1), checkpoint=path, **OPTIONS)
    with pytest.raises(TrainingError, match=r"other settings .model"):
        fit(net(1), toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    assert path.read_bytes() == kept


def test_damaged_checkpoint_is_clear(tmp_path):
    path = tmp_path / "run.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match=r"run.pt cannot be read.*delete it"):
        fit(net(), toy(), toy(30, 1), checkpoint=path, **OPTIONS)


def test_a_checkpoint_never_runs_code(tmp_path, capsys):
    class Harmful:
        def __reduce__(self):
            return (print, ("code ran",))

    path = tmp_path / "run.pt"
    torch.save({"settings": Harmful()}, path)
    with pytest.raises(TrainingError, match="cannot be read"):
        fit(net(), toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    assert "code ran" not in capsys.readouterr().out


def test_best_weights_are_the_best_epochs(monkeypatch):
    """Validation AUC is made to peak in epoch 2: the model ends with its weights."""
    seen, aucs, model = [], iter([0.6, 0.9, 0.7, 0.9, 0.5, 0.4]), net()

    def validate(m, x, y):
        seen.append(copy.deepcopy(m.state_dict()))
        return next(aucs), 0.5

    monkeypatch.setattr(loop, "validate", validate)
    result = fit(model, toy(), toy(30, 1), **OPTIONS)
    assert result.best_epoch == 2, "the first of two equal ones"
    assert result.best_val_auc == 0.9
    assert all(map(torch.equal, weights(model), seen[1].values()))
    assert not all(map(torch.equal, weights(model), seen[-1].values()))


def test_early_stopping(monkeypatch):
    aucs = iter([0.6, 0.8, 0.7, 0.7, 0.7, 0.7])
    monkeypatch.setattr(loop, "validate", lambda m, x, y: (next(aucs), 0.5))
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
        match=r"loss became nan in epoch 3, step 2: .*weights of epoch [12] "
        r".*checkpoint kept in .*run.pt",
    ):
        fit(model, toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    assert all(torch.isfinite(v).all() for v in model.state_dict().values())
    assert len(torch.load(path, weights_only=True)["result"]["history"]) == 2


def test_each_part_has_its_learning_rate():
    """A rate of zero holds a part where it is; the others move."""
    model, train, val = hybrid(), images(), images(20, 1)
    before = copy.deepcopy(model)
    fit(
        model,
        train,
        val,
        lr={"backbone": 0.0, "circuit": 1e-2, "head": 0.0},
        **{k: v for k, v in OPTIONS.items() if k != "lr"} | dict(epochs=1),
    )
    start = dict(before.named_parameters())
    moved = {name for name, p in model.named_parameters() if not torch.equal(p, start[name])}
    assert moved == {"head.2.weights"}
    with pytest.raises(
        TrainingError,
        match="lr names no learning rate for circuit: give one for each of backbone, circuit, head",
    ):
        fit(model, train, val, **{**OPTIONS, "lr": {"backbone": 1e-3, "head": 1e-3}})
    with pytest.raises(
        ValueError,
        match="unknown part of the model with a learning rate 'qubits'; "
        "known: backbone, circuit, head",
    ):
        fit(model, train, val, **{**OPTIONS, "lr": {"qubits": 1e-3}})


def test_how_far_each_part_moved(tmp_path):
    """From the start to the weights that are left, by hand; the same where a run was resumed."""
    model, train, val = hybrid(), images(), images(20, 1)
    start = copy.deepcopy(model)
    options = {**OPTIONS, "lr": {"backbone": 1e-3, "circuit": 0.2, "head": 1e-3}, "epochs": 3}
    result = fit(model, train, val, checkpoint=tmp_path / "run.pt", **options)
    assert list(result.moved) == ["backbone", "circuit", "head"]
    for name, after in loop.parameter_groups(model).items():
        before = loop.parameter_groups(start)[name]
        change = torch.cat([(a - b).flatten() for a, b in zip(after, before, strict=True)])
        length = torch.cat([b.flatten() for b in before]).norm().item()
        assert result.moved[name] == pytest.approx(
            {
                "rms": change.square().mean().sqrt().item(),
                "share": change.norm().item() / length,
            },
            rel=1e-5,
        )
    assert result.moved["circuit"]["rms"] > 10 * result.moved["head"]["rms"], "its own rate"
    again = fit(copy.deepcopy(start), train, val, checkpoint=tmp_path / "run.pt", **options)
    assert again.moved == result.moved


def test_a_part_that_starts_at_zero_has_no_share():
    ones = {"head": [torch.ones(2, 2), torch.ones(5)]}
    zeros = {"head": [torch.zeros(2, 2), torch.zeros(5)]}
    moved = loop.distances(zeros, ones)["head"]
    assert moved["rms"] == pytest.approx(1)
    assert np.isnan(moved["share"])
    assert loop.distances(ones, ones) == {"head": {"rms": 0, "share": 0}}


def test_warm_up_holds_the_backbone_still(tmp_path, monkeypatch):
    model, train, val = hybrid(), images(), images(20, 1)
    before = copy.deepcopy(model.backbone.state_dict())
    seen, path, after, validate = [], tmp_path / "run.pt", [], loop.validate

    def watched(network, x, y):
        after.append(copy.deepcopy(network.backbone.state_dict()))
        return validate(network, x, y)

    monkeypatch.setattr(loop, "validate", watched)
    result = fit(model, train, val, warmup=2, **{**OPTIONS, "epochs": 3, "patience": None})
    for now in after[:2]:
        assert all(torch.equal(before[k], now[k]) for k in before), "weights and statistics"
    assert not all(torch.equal(before[k], after[2][k]) for k in before)
    assert np.isnan(result.history[0]["gradient_norm"]["backbone"])
    assert result.history[0]["gradient_norm"]["circuit"] > 0
    assert all(p.requires_grad for p in model.parameters()), "afterwards everything may learn again"
    model.backbone.register_forward_hook(lambda module, x, y: seen.append(module.training))
    result = fit(model, train, val, warmup=1, checkpoint=path, **{**OPTIONS, "epochs": 2})
    assert seen[0] is False, "batch norm learns its statistics after the warm-up only"
    assert True in seen
    assert result.history[1]["gradient_norm"]["backbone"] > 0
    with pytest.raises(TrainingError, match=r"other settings .warmup: 1 there, 0 now"):
        fit(hybrid(), train, val, checkpoint=path, **{**OPTIONS, "epochs": 2})
    with pytest.raises(
        TrainingError, match="warmup=1 needs a backbone that can be fine-tuned and a head"
    ):
        fit(net(), toy(), toy(30, 1), **OPTIONS, warmup=1)


def test_warm_up_resumes_bit_for_bit(tmp_path):
    """Interrupted in the first epoch after the warm-up, resumed from what the warm-up left."""
    options = {**OPTIONS, "epochs": 4, "warmup": 2}
    whole, train, val = hybrid(), images(), images(20, 1)
    wanted = fit(whole, train, val, **options)
    stopped, calls = hybrid(), []

    def stop(module, x, y):
        if torch.is_grad_enabled():
            calls.append(1)
            if len(calls) == 8:  # three batches an epoch
                raise KeyboardInterrupt

    stopped.backbone.register_forward_hook(stop)
    with pytest.raises(KeyboardInterrupt):
        fit(stopped, train, val, checkpoint=tmp_path / "run.pt", **options)
    assert all(p.requires_grad for p in stopped.parameters())
    resumed = hybrid()
    found = fit(resumed, train, val, checkpoint=tmp_path / "run.pt", **options)
    assert same(whole, resumed)
    assert [h["val_auc"] for h in found.history] == [h["val_auc"] for h in wanted.history]


def test_gradient_norms_are_those_of_the_gradients():
    """One step an epoch: the norm in the history is the norm that autograd gives by hand."""
    model, train, val = hybrid(), images(), images(20, 1)
    twin = copy.deepcopy(model).train()
    result = fit(model, train, val, **{**OPTIONS, "epochs": 1, "batch_size": 64})
    nn.functional.cross_entropy(twin(train[0]), train[1]).backward()
    by_hand = {
        k: torch.cat([p.grad.flatten() for p in g]).norm().item()
        for k, g in loop.parameter_groups(twin).items()
    }
    assert result.history[0]["gradient_norm"] == pytest.approx(by_hand, rel=1e-4)


def test_it_learns():
    model = net()
    result = fit(model, toy(300), toy(90, 1), **{**OPTIONS, "epochs": 15})
    assert result.best_val_auc > 0.8, "two clouds at this distance allow 0.90 (Bayes)"


def test_what_fit_returns_and_shows(capsys):
    result = loop.fit(net(), toy(), toy(30, 1), TrainConfig(**{**OPTIONS, "epochs": 2}))
    assert isinstance(result, FitResult)
    assert [h["epoch"] for h in result.history] == [1, 2]
    assert set(result.history[0]) == {"epoch", "loss", "val_loss", "val_auc", "gradient_norm"}
    assert not result.stopped_early
    assert result.seconds > 0
    assert "training" in capsys.readouterr().out
    loop.fit(net(), toy(), toy(30, 1), TrainConfig(**OPTIONS), progress="my label")
    shown = capsys.readouterr().out
    assert "my label" in shown
    assert "6/6" in shown
    for part in (r"loss=\d\.\d{3}", r"val_auc=\d\.\d{3}", r"best=\d\.\d{3}", "epoch"):
        assert re.search(part, shown), part
    fit(net(), toy(), toy(30, 1), **OPTIONS)
    assert capsys.readouterr().out == ""


def test_validation_is_scored_on_the_validation_images():
    model, val = net(), toy(30, 1)
    result = fit(model, toy(), val, **OPTIONS)
    best = result.history[result.best_epoch - 1]
    auc, loss = loop.validate(model, *val)
    assert (auc, loss) == pytest.approx((best["val_auc"], best["val_loss"]))
    assert result.best_val_auc == best["val_auc"] == max(h["val_auc"] for h in result.history)
    model.eval()
    with torch.no_grad():
        logits = model(val[0])
    assert loss == pytest.approx(nn.functional.cross_entropy(logits, val[1]).item())
    ahead = (logits[val[1] == 1, 1] - logits[val[1] == 1, 0])[:, None] > (
        logits[val[1] == 0, 1] - logits[val[1] == 0, 0]
    )
    assert auc == pytest.approx(ahead.float().mean().item())


def test_an_output_that_is_not_finite_is_named():
    with pytest.raises(
        TrainingError, match=r"^the model's validation output is not finite: lower lr.$"
    ):
        loop.validate(
            nn.Sequential(TurnsNaN(0), nn.Linear(2, 2)),
            torch.zeros(4, 2),
            torch.tensor([0, 1, 0, 1]),
        )


@pytest.mark.parametrize(
    ("patience", "best", "done", "stops"),
    [(3, 2, 5, True), (3, 2, 4, False), (None, 2, 99, False), (3, 0, 99, False), (1, 1, 2, True)],
)
def test_patience(patience, best, done, stops):
    result = FitResult(history=[{}] * done, best_epoch=best)
    assert result.out_of_patience(patience) is stops


def test_no_patience_is_needed_to_finish(monkeypatch):
    """The default stops after fifteen epochs without a better one."""
    aucs = iter([0.9] + [0.5] * 39)
    monkeypatch.setattr(loop, "validate", lambda m, x, y: (next(aucs), 0.5))
    result = loop.fit(net(), toy(), toy(30, 1), TrainConfig(augment=None), progress=False)
    assert len(result.history) == 16
    assert result.stopped_early
    assert result.best_epoch == 1


def test_a_checkpoint_of_a_stopped_run_stays_stopped(tmp_path, monkeypatch):
    """Seconds add up over an interrupt; a run out of patience is not trained further."""
    options = {**OPTIONS, "patience": 2}
    aucs = iter([0.8, 0.7, 0.7, 0.7, 0.7, 0.7])
    monkeypatch.setattr(loop, "validate", lambda m, x, y: (next(aucs), 0.5))
    first = fit(net(), toy(), toy(30, 1), checkpoint=tmp_path / "a" / "run.pt", **options)
    again = fit(net(), toy(), toy(30, 1), checkpoint=tmp_path / "a" / "run.pt", **options)
    assert len(first.history) == len(again.history) == 3
    assert again.stopped_early
    assert again.seconds == first.seconds


def test_seconds_of_both_halves_are_added(tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(loop.time, "perf_counter", lambda: next(clock))
    path = tmp_path / "run.pt"
    with pytest.raises(KeyboardInterrupt):
        fit(interrupted_net(9), toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    kept = torch.load(path, weights_only=True)["result"]["seconds"]
    assert kept == 20.0, "two epochs were finished, ten seconds each on this clock"
    result = fit(interrupted_net(10**9), toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    assert result.seconds == kept + 40.0


@pytest.mark.parametrize(
    ("part", "x", "y", "message"),
    [
        ("validation", 30, 29, "validation: 30 images but 29 labels"),
        ("training", 29, 30, "training: 29 images but 30 labels"),
    ],
)
def test_lengths_must_agree(part, x, y, message):
    good, bad = toy(30), (toy(x)[0], toy(y)[1])
    train, val = (bad, good) if part == "training" else (good, bad)
    with pytest.raises(TrainingError, match=f"^{message}$"):
        fit(net(), train, val, **OPTIONS)


def test_the_bar_of_a_resumed_run_counts_the_epochs_before(tmp_path, capsys):
    path, config = tmp_path / "run.pt", TrainConfig(**OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        fit(interrupted_net(9), toy(), toy(30, 1), checkpoint=path, **OPTIONS)
    capsys.readouterr()
    loop.fit(interrupted_net(10**9), toy(), toy(30, 1), config, checkpoint=path)
    assert "6/6" in capsys.readouterr().out


def test_a_device_that_is_not_there_is_named():
    assert loop.check_device("cpu") == "cpu"
    with pytest.raises(
        TrainingError,
        match=r"^device 'gpu' cannot be used \(Expected one of cpu.*\): "
        r"leave device out, or say device='cpu'$",
    ):
        loop.check_device("gpu")


def test_types_of_images_and_labels():
    x, y = toy()
    message = "training: images must be floating point, got torch.int64: x.float()"
    with pytest.raises(TrainingError, match=f"^{re.escape(message)}$"):
        loop.check_examples("training", x.long(), y)
    for bad, what in ((y.float(), "torch.float32 (60,)"), (y[:, None], "torch.int64 (60, 1)")):
        message = f"training: labels must be int64 of shape (N,), got {what}: y.long()"
        with pytest.raises(TrainingError, match=f"^{re.escape(message)}$"):
            loop.check_examples("training", x, bad)


def test_examples_are_checked():
    x, y = toy()
    with pytest.raises(
        TrainingError, match=r"^training: labels must be 0 and 1, both present, got \[0\]$"
    ):
        loop.check_examples("training", x, torch.zeros_like(y))
    with pytest.raises(TrainingError, match=r"both present, got \[0, 1, 2\]"):
        loop.check_examples(
            "training", x, y + (torch.arange(60) == 5) * 2 - (torch.arange(60) == 5) * y
        )
    x[3, 0], x[9, 1] = float("inf"), float("nan")
    with pytest.raises(
        TrainingError,
        match=r"^val: 2 of 60 images hold NaN or infinity, the first at index 3$",
    ):
        loop.check_examples("val", x, y)


@pytest.mark.parametrize(("ones", "balance"), [(1, None), (3, None), (3, "loss"), (5, "sampler")])
def test_learned_means_better_than_a_constant(ones, balance):
    """scikit-learn says what the best constant answer costs; only the last epoch is asked."""
    y = torch.tensor([1] * ones + [0] * (10 - ones))
    weight = None if balance is None else loop.class_weights(y)[y].numpy()
    candidates = np.linspace(0.01, 0.99, 99)
    costs = [log_loss(y.numpy(), np.full(10, p), sample_weight=weight) for p in candidates]
    best = min(costs)
    for share, learned in ((0.89, True), (0.91, False), (1.0, False)):
        history = [{"loss": 9.0}, {"loss": share * best}]
        assert loop.has_learned(history, y, balance) is learned
    assert not loop.has_learned([{"loss": 0.1 * best}] * 2 + [{"loss": best}], y, balance)


def test_class_weights_and_the_order_of_an_epoch():
    y = (torch.arange(300) % 3 == 0).long()
    weights = loop.class_weights(y)
    balanced = compute_class_weight("balanced", classes=np.array([0, 1]), y=y.numpy())
    assert weights.tolist() == pytest.approx(balanced.tolist()), "scikit-learn's, in torch"
    assert weights.tolist() == pytest.approx([300 / 400, 300 / 200])
    assert weights[y].mean().item() == pytest.approx(1.0)
    torch.manual_seed(0)
    drawn = loop.draw_order(y, "sampler", weights)
    assert len(drawn) == 300
    assert len(set(drawn.tolist())) < 300, "drawn with replacement"
    assert abs(y[drawn].float().mean() - 0.5) < 0.1
    for balance in (None, "loss"):
        order = loop.draw_order(y, balance, weights)
        assert sorted(order.tolist()) == list(range(300))
        assert order.tolist() != list(range(300))


def test_a_part_that_is_missing_may_be_named():
    parts = {"head": [nn.Parameter(torch.zeros(1))]}
    (group,) = loop.with_rates(parts, {"head": 0.1, "circuit": 0.2})
    assert group["lr"] == 0.1
    assert group["params"] is parts["head"]
    (group,) = loop.with_rates(parts, 0.3)
    assert group == {"params": parts["head"], "lr": 0.3}


def test_gradient_norm_of_a_part_that_stands_still():
    still = nn.Parameter(torch.zeros(2))
    moving = nn.Parameter(torch.zeros(2))
    moving.grad = torch.tensor([3.0, 4.0])
    assert torch.isnan(loop.gradient_norm([still]))
    assert loop.gradient_norm([still, moving]).item() == 5.0


def test_warm_up_needs_a_head():
    model = hybrid()
    model.head.requires_grad_(False)
    with pytest.raises(
        TrainingError,
        match=r"^warmup=2 needs a backbone that can be fine-tuned and a head: "
        "this model has backbone to train$",
    ):
        fit(model, images(), images(20, 1), **{**OPTIONS, "warmup": 2, "epochs": 3})
    fit(model, images(), images(20, 1), **{**OPTIONS, "epochs": 1})


def test_the_error_of_a_lost_run_names_the_epoch_that_is_kept():
    model = nn.Sequential(TurnsNaN(3), *net())
    start = copy.deepcopy(model)
    with pytest.raises(
        TrainingError,
        match=r"^loss became nan in epoch 1, step 3: lower lr, or look for extreme inputs. "
        r"The model holds the weights of epoch 0 \(0 = as given\).$",
    ):
        fit(model, toy(), toy(30, 1), **OPTIONS)
    assert same(model, start), "its start weights are put back"


def test_interrupt_names_the_epoch_and_the_file(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(interrupted_net(6), toy(), toy(30, 1), checkpoint=tmp_path / "run.pt", **OPTIONS)
    assert (
        "Interrupted in epoch 2; the epochs done are kept in run.pt: "
        "run the same call again to go on." in capsys.readouterr().out
    )
    with pytest.raises(KeyboardInterrupt):
        fit(interrupted_net(1), toy(), toy(30, 1), checkpoint=tmp_path / "none.pt", **OPTIONS)
    assert (
        "Interrupted in epoch 1; nothing is kept: "
        "give checkpoint= a file name to be able to resume." in capsys.readouterr().out
    )
