"""Answers to the exercises of notebook 01: right ones, usual wrong ones, what the hint says."""

import pandas as pd

RAW = dict(tn=9, fp=12, fn=3, tp=54)
PAIRS = pd.DataFrame({"across": [True, True, True, False], "opposite": [True, True, False, True]})
LEAK = dict(origin=[0, 0, 1, 2, 3, 3], part=["train", "test", "test", "train", "val", "test"])

RIGHT = {
    "01.polarity": [(9 / 21, dict(confusion=RAW))],
    "01.opposite": [(2, dict(pairs=PAIRS))],
    "01.leak": [(2 / 3, LEAK)],
}
WRONG = [
    ("01.polarity", 54 / 57, dict(confusion=RAW), "malignant is 0"),
    ("01.polarity", 63 / 78, dict(confusion=RAW), "accuracy"),
    ("01.opposite", 3, dict(pairs=PAIRS), "column"),
    ("01.leak", 1 / 3, LEAK, "without a sibling"),
]
