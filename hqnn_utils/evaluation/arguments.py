"""Types and ranges of what the functions of this room may be told, by the names of arguments."""

from __future__ import annotations

from hqnn_utils.runtime.words import SEED, a_number, between, one_of, real, whole

RULES = {
    "threshold": a_number,  # also infinity: nothing is called malignant then
    "level": between(0, 1, "0.95 stands for 95 per cent", ends=False),
    "alpha": between(0, 1, "0.05 stands for five per cent", ends=False),
    "n_resamples": whole(2, "a spread needs two"),
    "n_studies": whole(1),
    "n_bins": whole(1),
    "n": whole(1),
    "successes": whole(0),
    "seed": SEED,
    "score": one_of("score", ("auc", "accuracy")),
    "margin": real(0),
    "true": a_number,
    "degrees": a_number,
    "test_to_train": real(0, "a fourth with five folds", above=True),
}
