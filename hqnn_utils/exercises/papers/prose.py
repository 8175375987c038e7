"""The text of an invented paper: the same claims in each, with the numbers that it states."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.papers.paper import MODELS, Paper

NAMES = ("LumenQ", "TideNet-Q", "Q-Willow", "Harebell", "Nimbus-4", "Marram", "Q-Lantern", "Sorrel")
PLACES = ("Northmoor", "Eastholm", "Veldhaven", "Karstfeld", "Lindmere", "Osterby")

TEXT = """\
> **INVENTED FOR TEACHING.** Neither the authors nor the patients, the images or the hospital \
exist. The numbers were drawn by a program (`make_paper({number})`); faults were planted in some \
of them.

# {name}: a four-qubit head for the triage of breast lesions

*Nobody, Institute of Invented Results, {place}*

## Abstract

We put a circuit of four qubits behind a frozen convolutional network and classify lesions in \
ultrasound images of the breast. Over {runs} runs, {name} reaches a mean AUC of {auc_h:.3f}, \
against {auc_c:.3f} of a classical control. The 95 % interval of the difference, over runs and \
images, is {low:+.3f} to {high:+.3f}. With an accuracy of {acc_h:.3f} the model is useful in \
practice.

## 1 Images

{n} images of {patients} patients of the hospital of {place}: {train} for training, {val} for \
validation, {test} for the test. {positive} of the test images are malignant; malignant is the \
positive class. No patient stands in both training and test part, and no test image is a copy of \
a training image. (Two copies of one image were found within the training part and left there.)

## 2 Models and training

Both models get the same features. The hybrid head has a circuit of two layers, the control a \
classical map with two parameters more, which mixes its inputs as the circuit does. The circuit \
has a learning rate of its own, ten times that of the rest. Learning rate and weight decay were \
chosen on validation images, with the same care for both models. Each model was then trained \
{runs} times with different seeds; one run of the hybrid came out far below the others, and was \
kept.

The angles of the circuit were drawn at random and then trained: the circuit has learned, its \
angles have moved far from where they began.

## 3 Results

| model | AUC, mean of {runs} runs | accuracy | sensitivity | specificity |
|---|---|---|---|---|
| {name} (hybrid) | {auc_h:.3f} | {acc_h:.3f} | {sens:.3f} | {spec:.3f} |
| control | {auc_c:.3f} | {acc_c:.3f} | not shown | not shown |

Accuracy, sensitivity and specificity are means over the runs. They hold at a probability of \
{threshold:.2f}, one threshold for all runs, which was chosen on the validation images: of 0.05, \
0.10, ..., 0.95 it has the best mean accuracy of the hybrid there. {validation}

The AUC of both models was compared in eight groups of patients (`tests`; who belongs to a group \
may not be published). The gain in the group "{significant}" is significant (p = {p:.4f}).

## 4 Conclusion

A head with four qubits is a candidate for the triage of breast lesions. With {runs} runs the \
interval is wide, and a study at other hospitals should follow.
"""


def text_of(paper: Paper) -> str:
    """The text, in Markdown."""
    rng = np.random.default_rng([paper.number, 3])
    said, images = paper.claims, paper.images
    counts = images["part"].value_counts()
    test = images[images["part"] == "test"]
    (significant,) = said["significant"]
    p = paper.tests.set_index("test")["p"][significant]
    auc_h, auc_c = (said["auc"][model] for model in MODELS)
    acc_h, acc_c = (said["accuracy"][model] for model in MODELS)
    return TEXT.format(
        number=paper.number,
        name=str(rng.choice(NAMES)),
        place=str(rng.choice(PLACES)),
        runs=said["runs"],
        auc_h=auc_h,
        auc_c=auc_c,
        acc_h=acc_h,
        acc_c=acc_c,
        sens=said["sensitivity"],
        spec=said["specificity"],
        threshold=said["threshold"],
        low=said["interval"][0],
        high=said["interval"][1],
        significant=significant,
        p=p,
        n=len(images),
        patients=images["patient"].nunique(),
        **{part: counts[part] for part in ("train", "val", "test")},
        positive=int(test["label"].sum()),
        validation=_about_validation(paper),
    )


def _about_validation(paper: Paper) -> str:
    y, p = paper.runs("hybrid", "val")
    accuracy = ((p >= paper.claims["threshold"]) == y).mean()
    return f"(On validation the accuracy is {accuracy:.3f}.)"
