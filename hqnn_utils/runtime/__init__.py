"""Runtime: profile, seed, device, folders, provenance. The ground floor: it imports no other room.

``profiles``     how much work a notebook does
``devices``      seed and device
``folders``      where datasets, caches and results lie
``environment``  is everything installed, and the stamp that a result carries
``files``        written whole or not at all, one writer at a time, checked when read
``fetching``     a file from a server, checked, in a limited time
``recent``       the last answers of a slow function
``timing``       how long several things take beside each other
``arguments``    what functions may be told: types from annotations, ranges from rules
``words``        words and numbers that may be chosen, and the error that says which
"""

from hqnn_utils.runtime.devices import default_device, seed_everything
from hqnn_utils.runtime.environment import check_environment, git_commit, provenance, version_of
from hqnn_utils.runtime.folders import cache_dir, data_dir, results_dir
from hqnn_utils.runtime.profiles import PROFILES, Profile, resolve_profile
from hqnn_utils.runtime.timing import median_seconds
from hqnn_utils.runtime.words import DataError, choose, real_number, whole_number

__all__ = [
    "PROFILES",
    "DataError",
    "Profile",
    "cache_dir",
    "check_environment",
    "choose",
    "data_dir",
    "default_device",
    "git_commit",
    "median_seconds",
    "provenance",
    "real_number",
    "resolve_profile",
    "results_dir",
    "seed_everything",
    "version_of",
    "whole_number",
]
