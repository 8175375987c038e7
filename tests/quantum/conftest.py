"""What PennyLane is about to take away is an error in our own code."""

import warnings

import pytest


@pytest.fixture(autouse=True)
def pennylane_deprecations_are_errors():
    from pennylane.exceptions import PennyLaneDeprecationWarning

    warnings.filterwarnings("error", category=PennyLaneDeprecationWarning, module="hqnn_utils")
