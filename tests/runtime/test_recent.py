"""Answers are found again by the very objects and by equal values."""

import numpy as np

from hqnn_utils.runtime.recent import Recent


def test_an_answer_belongs_to_the_very_objects_and_equal_values():
    kept, images = Recent(2), np.arange(3)
    kept.keep((images,), (0.95, None), "groups")
    assert kept.find((images,), (0.95, None)) == "groups"
    assert kept.find((images.copy(),), (0.95, None)) is None, "equal, and another object"
    assert kept.find((images,), (0.95, 28)) is None
    assert kept.find((images,), (0.9, None)) is None


def test_the_oldest_goes_and_all_can_be_forgotten():
    kept, thing = Recent(2), object()
    for number in range(3):
        kept.keep((thing,), (number,), f"answer {number}")
    found = [kept.find((thing,), (number,)) for number in range(3)]
    assert found == [None, "answer 1", "answer 2"]
    kept.clear()
    assert kept.find((thing,), (2,)) is None
