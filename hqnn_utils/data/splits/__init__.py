"""Splits: who is trained on, who is tested. Every way to split lives here.

``protocols``      the ways to split by name, right ones and wrong ones
``duplicates``     near-duplicates across a split
``audit``          what a split lets through, in one table
``patients``       folds by patient
``augmented``      augmenting before the split, wrong on purpose
``leaks``          the same test images, known more and more, wrong on purpose
``training_part``  fewer training examples, shuffled labels
``parts``          what all of these are made of
"""

from hqnn_utils.data.splits.audit import audit_split
from hqnn_utils.data.splits.duplicates import clean_test, correlations, near_duplicates
from hqnn_utils.data.splits.parts import group_folds
from hqnn_utils.data.splits.patients import assign_folds, resplit
from hqnn_utils.data.splits.protocols import PROTOCOLS, apply_protocol, check_protocol, groups_of
from hqnn_utils.data.splits.training_part import limit_train, shuffle_labels

__all__ = [
    "PROTOCOLS",
    "apply_protocol",
    "assign_folds",
    "audit_split",
    "check_protocol",
    "clean_test",
    "correlations",
    "group_folds",
    "groups_of",
    "limit_train",
    "near_duplicates",
    "resplit",
    "shuffle_labels",
]
