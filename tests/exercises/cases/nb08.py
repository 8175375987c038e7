"""Answers to the exercises of notebook 08: right ones, usual wrong ones, what the hint says."""

from hqnn_utils.models import build_head, count_parameters

HEAD = build_head("study_hybrid", 64)
ALL = count_parameters(HEAD)
HYBRID = dict(head="dressed", spec=dict(n_qubits=6, reupload=True), seed=3, epochs=20)
PAIR = dict(a=[0.9, 0.8, 0.85], b=[0.85, 0.82, 0.85])

RIGHT = {
    "08.fraction": [(8 / ALL, dict(head=HEAD))],
    "08.control": [
        ({**HYBRID, "head": "matched"}, dict(hybrid=HYBRID)),
        ({**HYBRID, "head": "matched", "lr": 2e-3}, dict(hybrid=HYBRID)),
    ],
    "08.paired": [((0.01, 1), PAIR)],
}
WRONG = [
    ("08.fraction", 800 / ALL, dict(head=HEAD), "not per cent"),
    ("08.fraction", 8, dict(head=HEAD), "divide by all"),
    (
        "08.control",
        {**HYBRID, "head": "linear"},
        dict(hybrid=HYBRID),
        "matched head of the same shape",
    ),
    ("08.control", HYBRID, dict(hybrid=HYBRID), "the hybrid itself"),
    (
        "08.control",
        dict(head="matched", seed=3, epochs=20),
        dict(hybrid=HYBRID),
        "also differs in spec",
    ),
    ("08.control", {**HYBRID, "head": "match"}, dict(hybrid=HYBRID), "unknown head"),
    ("08.control", "matched", dict(hybrid=HYBRID), "expected a setting"),
    ("08.paired", (-0.01, 1), PAIR, "a minus b"),
    ("08.paired", (0.02, 1), PAIR, "mean of a - b"),
    ("08.paired", (0.01, 2), PAIR, "count again"),
    ("08.paired", 0.01, PAIR, "tuple of two"),
]
