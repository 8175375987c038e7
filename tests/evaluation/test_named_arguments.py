"""An argument that holds no numbers, or nothing at all, is named in the error."""

import re

import numpy as np
import pytest

from hqnn_utils.evaluation import claims, comparison, metrics, resampling

Y, P = np.array([0, 1, 0, 1]), np.array([0.1, 0.8, 0.4, 0.6])
WORDS = ["many", "few", "some", "none"]
NO_NUMBERS = {
    "gaps": lambda bad: claims.on_other_training_sets(bad),
    "values": lambda bad: comparison.mean_interval(bad),
    "a": lambda bad: comparison.paired_seeds(bad, P),
    "b": lambda bad: comparison.paired_seeds(P, bad),
    "p_a": lambda bad: comparison.two_level_bootstrap(Y, bad, P),
    "p_b": lambda bad: comparison.two_level_bootstrap(Y, P, bad),
}


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_holds_no_numbers_is_named(name):
    with pytest.raises(ValueError, match=f"^{name} must be numbers, got "):
        NO_NUMBERS[name](WORDS)


@pytest.mark.parametrize("call", [metrics.rank_auc, metrics.check_predictions, metrics.scores])
def test_labels_and_probabilities_are_named(call):
    with pytest.raises(ValueError, match=r"^labels must be numbers, got "):
        call(WORDS, P)
    with pytest.raises(ValueError, match=r"^probabilities must be numbers, got "):
        call(Y, WORDS)


def test_probabilities_and_values_are_named():
    with pytest.raises(ValueError, match=r"^probabilities must be numbers, got "):
        metrics.check_probabilities(WORDS)
    with pytest.raises(ValueError, match=r"^values must be numbers, got "):
        resampling.percentile_interval(WORDS, 0.9)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("p_values", lambda: comparison.holm({})),
        ("gaps", lambda: claims.verdicts_of({})),
        ("errors", lambda: claims.verdict_chances({}, 0.0)),
    ],
)
def test_a_family_of_no_claims_is_refused(name, call):
    with pytest.raises(ValueError, match=f"^{name} "):
        call()


@pytest.mark.parametrize("shape", [(0,), (2, 3), (0, 2)])
def test_resamples_need_a_vector_of_labels(shape):
    message = f"labels must be a vector of one or more, got shape {shape}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        resampling.stratified_resamples(np.zeros(shape, int), 3, 0)


def test_one_image_can_be_drawn():
    assert resampling.stratified_resamples(np.array([1]), 3, 0).tolist() == [[0]] * 3


def test_the_memory_that_resamples_need_is_asked_for(monkeypatch):
    """Eight bytes for each drawn number, three times over."""
    asked = []
    monkeypatch.setattr(resampling, "need_memory", lambda *given: asked.append(given))
    resampling.need_room(2000, 156)
    assert asked == [(24 * 2000 * 156, "2,000 resamples of 156 images", "take fewer resamples")]


def test_seeds_are_drawn_too_and_need_room(monkeypatch):
    asked = []
    monkeypatch.setattr(comparison, "need_room", lambda *given: asked.append(given))
    two = np.stack([P, P])
    comparison.two_level_resamples(Y, two, two, n_resamples=5)
    assert asked == [(5, 4 + 2)]


def test_ten_thousand_resamples_are_the_default():
    assert len(comparison.two_level_resamples(Y, P, P)[1]) == 10_000


@pytest.mark.parametrize("where", ["a", "b"])
def test_a_seed_without_a_score_is_refused(where):
    scores = {"a": P.copy(), "b": P.copy()}
    scores[where][1] = np.nan
    with pytest.raises(
        ValueError, match=r"^need a finite score for each seed: leave out seeds without one$"
    ):
        comparison.paired_seeds(**scores)
