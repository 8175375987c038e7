"""What an invented paper may have got wrong, and what only looks like it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes
    ----------
    about : what is wrong, in a sentence.
    number : the number, computed from the records, that shows it.
    where : where to look, for whoever has missed it.
    consequence : words one of which a consequence in a sentence will hold (regular expression).
    """

    about: str
    number: str
    where: str
    consequence: str


FAULTS = {
    "patients": Fault(
        "Patients of the test part are in the training part as well.",
        "test images whose patient has training images",
        "the patients of both parts in `images`",
        r"memor|leak|inflat|optimis|too (high|good)|new patient|other patient|generali|recogni",
    ),
    "copies": Fault(
        "Test images are copies of training images.",
        "test images whose fingerprint a training image has",
        "the fingerprints of both parts in `images`",
        r"memor|leak|inflat|optimis|too (high|good)|known|generali|recogni",
    ),
    "best_run": Fault(
        "The hybrid's AUC is that of its best run, and not the mean of all.",
        "mean AUC of the hybrid over its runs",
        "the stated AUC of the hybrid beside the mean and the maximum of its runs",
        r"luck|select|inflat|too (high|good)|optimis|unfair|best|gain|advantage|smaller|mean",
    ),
    "threshold": Fault(
        "The threshold was chosen on the test images, and not on validation.",
        "accuracy of the hybrid at the threshold that validation chooses",
        "which threshold has the best mean accuracy on validation, and which on test",
        r"optimis|inflat|too (high|good)|lower|luck|new images|select|overfit|fall|drop",
    ),
    "majority": Fault(
        "The accuracy that is called useful does not beat the answer of the larger class.",
        "share of the larger class among the test images",
        "the Wilson interval of the stated accuracy beside the share of the larger class",
        r"nothing|useless|majority|always|larger class|no better|trivial|baseline|without",
    ),
    "interval": Fault(
        "The interval of the difference lacks the luck of the runs.",
        "width of the interval that draws runs and images",
        "the stated interval beside that of a two-level bootstrap",
        r"narrow|too (sure|certain)|wider|overconfiden|overstat|zero|undecided|run|seed",
    ),
    "holm": Fault(
        "A test is called significant, of several, without a correction.",
        "smallest p-value after Holm's correction over all tests",
        "Holm's correction over all rows of `tests`",
        r"chance|false|luck|not significant|no longer|one of|multiple|family|several",
    ),
    "tuning": Fault(
        "The control was tuned with fewer tries than the hybrid.",
        "tries of the control",
        "the number of tries of each model in `tuning`",
        r"unfair|weak|handicap|budget|advantage|tuning|better|gain|underestimat|too low",
    ),
    "circuit": Fault(
        "The circuit that is said to have learned hardly moved from its random start.",
        "root mean square by which its angles moved, in radian, mean over runs",
        "how far the circuit's angles moved, in the records' scores of the fit",
        r"random|untrained|not learn|did not|without|unused|start|role|nothing",
    ),
    "number": Fault(
        "The control's AUC in the table does not follow from its records.",
        "mean AUC of the control over its runs",
        "the stated AUC of the control beside the mean of its runs",
        r"gain|smaller|advantage|reproduc|follow|correct|too low|wrong|trust|differ",
    ),
    "polarity": Fault(
        "Sensitivity and specificity are exchanged: benign was taken for the positive class.",
        "sensitivity for malignant of the hybrid, mean over runs",
        "the stated sensitivity beside both scores from the records",
        r"miss|cancer|malignant|ill|exchang|swap|turned|harm|benign",
    ),
}

# What a paper may say or show that is no fault, and why it is none.
DECOYS = {
    "own_rate": "the circuit has its own learning rate: with equal tries for both that is fair",
    "low_run": "a run that failed was kept: leaving it out would have been the fault",
    "validation_higher": "validation and test differ by luck, and the test was not chosen by it",
    "copy_in_training": "two copies within the training part: no test image is concerned",
    "parameters": "the models differ by a few parameters, and the paper says so",
    "seeds": "few runs make a wide interval, and that is no fault as long as it is shown",
}
