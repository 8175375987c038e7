"""How much work a notebook does."""

from __future__ import annotations

import os
from dataclasses import dataclass

from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import choose


@dataclass(frozen=True)
class Profile:
    """One object per profile; notebooks never ask which one it is.

    Attributes
    ----------
    name : "smoke" checks that everything runs, "laptop" gives results that mean something on two
        cores, "full" is the whole study on a GPU.
    epochs : upper bound on training epochs (early stopping may end sooner).
    n_seeds : repetitions of a trained model.
    n_resamples : bootstrap resamples.
    max_train : number of training images used, ``None`` for all.
    """

    name: str
    epochs: int
    n_seeds: int
    n_resamples: int
    max_train: int | None

    def pick(self, *, smoke, laptop, full):
        """The one of three values that belongs to this profile, for what only one notebook has."""
        return {"smoke": smoke, "laptop": laptop, "full": full}[self.name]


PROFILES = {
    "smoke": Profile("smoke", epochs=2, n_seeds=1, n_resamples=200, max_train=96),
    "laptop": Profile("laptop", epochs=40, n_seeds=5, n_resamples=2000, max_train=None),
    "full": Profile("full", epochs=100, n_seeds=10, n_resamples=5000, max_train=None),
}


def resolve_profile(name: str = "auto") -> Profile:
    """Turn ``"auto"``, ``"smoke"``, ``"laptop"`` or ``"full"`` into a :class:`Profile`.

    ``"auto"`` means the environment variable ``HQNN_PROFILE``, which tests set to ``smoke``, else
    ``laptop``, with or without a GPU: the stored outputs and the times on the cards are those of
    ``laptop``. ``full`` runs only where it is asked for.

    Raises
    ------
    ValueError : an unknown name; the message says where it came from.
    """
    origin = "profile"
    if name == "auto":
        name, origin = os.environ.get("HQNN_PROFILE") or "auto", "profile in HQNN_PROFILE"
    if name == "auto":
        name = "laptop"
    return PROFILES[choose(origin, name, PROFILES)]


checked(__name__)
