"""Scores of a classifier, how sure they are, and comparisons. numpy in, numbers out.

``metrics``      scores of one model, and an interval for each
``calibration``  can its probabilities be believed
``comparison``   two models over several seeds, several questions, seeds and images at once
``claims``       "a adds at least two points": two estimands, rules for a verdict, what they can say
``arguments``    ranges of what all of these may be told
``resampling``   what all bootstraps have in common

Everywhere ``y`` is 0 or 1 with 1 = malignant, and ``p`` is the predicted probability of 1. An
image is called malignant where ``p >= threshold``. scikit-learn, SciPy and statsmodels do the work.
"""
