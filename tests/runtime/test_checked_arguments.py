"""Functions that check what they are given, when a decorator stands between."""

import sys
import types
from functools import wraps

import numpy as np
import pytest

from hqnn_utils.runtime.arguments import checked


def loud(function):
    """A decorator of another module: here no annotation of ``MODULE`` can be read."""

    @wraps(function)
    def call(*given, **options):
        return "loud", function(*given, **options)

    return call


MODULE = """
from __future__ import annotations

from numpy import ndarray as table


@loud
def double(values: table, times: int = 2):
    return values * times
"""


def test_annotations_are_read_where_the_function_stands(monkeypatch):
    module = types.ModuleType("toy_of_this_test")
    module.loud = loud
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(MODULE, vars(module))
    checked(module.__name__)
    word, found = module.double(np.ones(3))
    assert (word, found.tolist()) == ("loud", [2, 2, 2])
    with pytest.raises(ValueError, match="times must be a whole number, got"):
        module.double(np.ones(3), 2.5)
    with pytest.raises(ValueError, match="values must be an array, got"):
        module.double(3)
