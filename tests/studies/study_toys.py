"""A tiny dataset and quick settings for the tests of studies."""

from functools import cache

from hqnn_utils.data import load_breastmnist
from hqnn_utils.studies import grid

QUICK = dict(epochs=1, max_train=32, source="phantom", size=16)
TABLE = grid(head=["linear", "dressed"], seed=range(2), **QUICK)


@cache
def phantom(seed=0):
    """Phantoms at 16 px."""
    return load_breastmnist(16, "phantom", seed=seed)


def prints(done):
    """Fingerprints of all records of a study."""
    return [record.fingerprint() for record in done.records]
