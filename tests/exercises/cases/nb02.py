"""Answers to the exercises of notebook 02: right ones, usual wrong ones, what the hint says."""

from hqnn_utils.evaluation.power import images_needed

PPV = dict(sensitivity=0.8, specificity=0.95, prevalence=0.005)
RUNS = dict(accuracies=(0.872, 0.872, 0.846), n=156)
STUDY = dict(right_a=181, right_b=177)
POWER = dict(gain=0.03, discordant=0.1, power=0.9)

RIGHT = {
    "02.ppv": [(0.004 / (0.004 + 0.04975), PPV)],
    "02.runs": [(4, RUNS)],
    "02.study": [(0.125, STUDY)],
    "02.power": [(images_needed(0.03, 0.1, 0.9), POWER)],
}
WRONG = [
    ("02.ppv", 0.8, PPV, "that is the sensitivity"),
    ("02.ppv", 0.99894, PPV, "NPV"),
    ("02.runs", 0.026, RUNS, "how many images"),
    ("02.study", 0.0625, STUDY, "one-sided"),
    ("02.power", images_needed(0.03, 0.1), POWER, "80 %"),
]
