"""Answers to the exercises of notebook 08: right ones, usual wrong ones, what is said to them."""

import numpy as np

from hqnn_utils.models import build_head, count_parameters

STUDY = build_head("study_hybrid", 2048)
ALL = count_parameters(STUDY)
HEAD = dict(head=STUDY)

HYBRID = dict(head="dressed", spec=dict(n_qubits=6, reupload=True), seed=3, epochs=20)
CONTEXT = dict(hybrid=HYBRID)
MATCHED = {**HYBRID, "head": "matched"}
REASON = (
    "It has as many trainable parameters as the circuit, the same layers around it, "
    "and the same seed, data and epochs, so only the circuit differs."
)
SHORT = "Because it is the classical twin of the circuit."

PAIR = dict(a=[0.9, 0.8, 0.85, 0.92], b=[0.85, 0.82, 0.85, 0.91])  # +.05, -.02, 0, +.01

RIGHT = {
    "08.fraction": [
        (8 / ALL, HEAD),
        (2.4e-5, HEAD),
        (0.0024, HEAD),  # per cent
        ("0.0024 %", HEAD),
    ],
    "08.control": [
        ((MATCHED, REASON), CONTEXT),
        ([{**MATCHED, "lr": 2e-3}, REASON], CONTEXT),  # what is the default anyway
        (({**MATCHED, "size": 28, "name": "mine"}, REASON), CONTEXT),
    ],
    "08.paired": [((0.01, 2), PAIR), ([np.float64(0.01), np.int64(2)], PAIR), (("0.010", 2), PAIR)],
}
WRONG = [
    ("08.fraction", 8, HEAD, "divide by all"),
    ("08.fraction", ALL, HEAD, "how many of them"),
    ("08.fraction", ALL / 8, HEAD, "turn the fraction round"),
    ("08.fraction", 4 / ALL, HEAD, "an angle on every qubit"),
    ("08.fraction", 1 - 8 / ALL, HEAD, "everything else"),
    ("08.fraction", 1 / ALL, HEAD, "one angle for each qubit in each layer"),
    ("08.fraction", None, HEAD, "expected one number"),
    ("08.control", MATCHED, CONTEXT, "(setting, reason)"),
    ("08.control", ("matched", REASON), CONTEXT, "expected a setting"),
    ("08.control", (HYBRID, REASON), CONTEXT, "the hybrid itself"),
    ("08.control", ({**HYBRID, "head": "linear"}, REASON), CONTEXT, "head of the same shape"),
    ("08.control", ({**HYBRID, "head": "study_matched"}, REASON), CONTEXT, "of the same shape"),
    ("08.control", ({**HYBRID, "head": "mlp"}, REASON), CONTEXT, "more parameters"),
    ("08.control", ({**HYBRID, "head": "frozen"}, REASON), CONTEXT, "still a circuit"),
    ("08.control", ({**HYBRID, "head": "shuffled"}, REASON), CONTEXT, "another image's angles"),
    ("08.control", ({**HYBRID, "head": "identity"}, REASON), CONTEXT, "weaker opponent"),
    ("08.control", ({**HYBRID, "head": "match"}, REASON), CONTEXT, "unknown head"),
    (
        "08.control",
        (dict(head="matched", seed=3, epochs=20), REASON),
        CONTEXT,
        "also differs in spec",
    ),
    ("08.control", ({**MATCHED, "seed": 4}, REASON), CONTEXT, "also differs in seed"),
    ("08.control", (MATCHED, SHORT), CONTEXT, "words: argue in"),
    (
        "08.control",
        (MATCHED, "The same layers around it, and the same seed and data for the two of them."),
        CONTEXT,
        "equally many of",
    ),
    (
        "08.control",
        (MATCHED, "Both have the same number of parameters, and layers of the same shape too."),
        CONTEXT,
        "about the training",
    ),
    ("08.paired", (-0.01, 2), PAIR, "a minus b"),
    ("08.paired", (0.02, 2), PAIR, "keep the signs"),
    ("08.paired", (0.04, 2), PAIR, "sum over seeds"),
    ("08.paired", (0.005, 2), PAIR, "the median"),
    ("08.paired", (1.0, 2), PAIR, "not in points"),
    ("08.paired", (0.01, 1), PAIR, "count is that of b"),
    ("08.paired", (0.01, 3), PAIR, "a tie is no lead"),
    ("08.paired", (0.01, 4), PAIR, "number of seeds: in how many"),
    ("08.paired", (0.01, 0.5), PAIR, "not their share"),
    ("08.paired", 0.01, PAIR, "tuple of two"),
]
