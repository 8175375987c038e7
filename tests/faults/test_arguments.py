"""The whole public API, argument by argument: a wrong type is named, by us, before any work.

Every function that a room exports or a notebook calls is walked through. Each parameter that has an
annotation gets values of other types; what comes must be an error of ours that names the parameter,
raised in our own code and not somewhere in NumPy, torch or Python.
"""

import importlib
import inspect
import pkgutil
import re
import traceback
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import torch

import hqnn_utils
from hqnn_utils import models, plots, quantum, studies, training
from hqnn_utils.data import load_breastmnist
from hqnn_utils.evaluation import calibration, claims, comparison
from hqnn_utils.records import Record, RecordError
from hqnn_utils.runtime import DataError, arguments, resolve_profile
from hqnn_utils.runtime.files import StorageError

OURS = (ValueError, DataError, RecordError, StorageError, training.TrainingError)
PACKAGE = Path(hqnn_utils.__file__).parent

# What a room exports, and the modules whose functions notebooks call by the module's name.
FACES = (
    "data",
    "data.splits",
    "exercises",
    "models",
    "models.backbones",
    "plots",
    "quantum",
    "records",
    "runtime",
    "studies",
    "training",
)
MODULES = (
    *(f"evaluation.{m.name}" for m in pkgutil.iter_modules([str(PACKAGE / "evaluation")])),
    "data.splits.duplicates",
    "quantum.analysis",
    "studies.designs",
    "studies.plans",
    "studies.search",
    "studies.tables",
    "training.augment",
)
CLASSES = (
    models.CosineLayer,
    models.FourierLayer,
    models.MatchedLayer,
    models.MixingLayer,
    quantum.CircuitSpec,
    quantum.QuantumLayer,
    studies.Setting,
    training.TrainConfig,
)


def public():
    found = {one.__qualname__: one for one in CLASSES}
    for room in FACES:
        module = importlib.import_module(f"hqnn_utils.{room}")
        things = [getattr(module, name) for name in module.__all__]
        found |= {f"{room}.{one.__name__}": one for one in things if inspect.isfunction(one)}
    for name in MODULES:
        module = importlib.import_module(f"hqnn_utils.{name}")
        own = [one for one in vars(module).values() if inspect.isfunction(one)]
        own = [one for one in own if one.__module__ == module.__name__ and one.__name__ != "main"]
        found |= {f"{name}.{one.__name__}": one for one in own if one.__name__[0] != "_"}
    return found


PUBLIC = public()
# Values of other types. Which of them an annotation allows stands below.
VALUES = {
    "text": "xyz",
    "whole": 3,
    "broken": 2.5,
    "true": True,
    "nothing": None,
    "list": [1, "x"],
    "dict": {1: 2},
    "nan": float("nan"),
    "object": object(),
}
ALLOWED = {
    "int": ("whole",),
    "float": ("whole", "broken"),
    "bool": ("true",),
    "str": ("text",),
    "Path": ("text",),
    "os.PathLike": ("text",),
    "None": ("nothing",),
    "dict": ("dict",),
    "Mapping": ("dict",),
    "list": ("list",),
    "tuple": ("list",),
    "Sequence": ("list",),
    "Collection": ("list", "text", "dict"),
    "np.ndarray": ("list",),
    "Callable": (),
}


def wrong_values(annotation):
    allowed = set()
    for part in re.sub(r"\[[^|]*\]|\[.*\]", "", annotation).split("|"):
        allowed.update(ALLOWED.get(part.strip(), ()))
    return {name: value for name, value in VALUES.items() if name not in allowed}


# Right values for what else a function needs: of these the first one that its annotation allows.
PART = {"ids": ["a", "b"], "labels": [0, 1], "probabilities": [0.25, 0.5]}
RIGHT = [
    0.5,
    2,
    True,
    "text",
    np.array([0, 1]),
    [],
    {},
    torch.zeros(2, 2),
    (torch.zeros(2, 2), torch.zeros(2)),
    quantum.CircuitSpec(n_qubits=2, n_layers=1),
    load_breastmnist(8, "phantom"),
    Record("toy", {"seed": 0}, {"name": "toy"}, {"test": {"auc": 1.0}}, {"test": PART}),
    models.build_backbone("small_cnn", 1),
    plots.flow([("a", "b")]),
    studies.designs.Design("f", "about", "images", {}, ()),
    lambda: None,
]
BY_NAME = {"y": [0, 1], "p": [0.1, 0.8], "p_a": [0.1, 0.8], "p_b": [0.1, 0.8], "values": [0.5, 0.6]}
# Why some parameters are left out.
LEFT_OUT = {
    "exercises.predict": "takes whatever a student says, and never fails",
    "exercises.reveal": "the same",
    "runtime.choose": "part of the mechanism",
    "runtime.real_number": "part of the mechanism",
    "runtime.whole_number": "part of the mechanism",
}


def right(parameter, hint):
    if parameter.annotation is parameter.empty:
        return BY_NAME.get(parameter.name, 1)
    if hint is np.ndarray and parameter.name in ("inputs", "weights"):  # of the circuit below
        return np.zeros((1, 2))
    return next(value for value in RIGHT if arguments.fits(hint, value))


def complaint(function, tested, value):
    """What is wrong with how a wrong value is met; nothing if an error of ours names it."""
    parameters = inspect.signature(function).parameters
    made = function.__init__ if inspect.isclass(function) else function
    hints = get_type_hints(inspect.unwrap(made))
    needed = [p for p in parameters.values() if p.default is p.empty and p.kind not in VARIABLE]
    given = {p.name: right(p, hints.get(p.name)) for p in needed if p.name != tested}
    try:
        function(**{**given, tested: value})
    except OURS as error:
        last = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
        if PACKAGE not in last.parents:
            return f"{type(error).__name__} from {last.parent.name}/{last.name}: {error}"
        return "" if re.search(rf"\b{tested}", str(error)) else f"not named: {error}"
    except Exception as error:  # whatever it is: that is the finding
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "accepted"


VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - LEFT_OUT.keys()))
def test_wrong_type_is_named_by_us(name):
    function, found = PUBLIC[name], {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.annotation is parameter.empty or parameter.kind in VARIABLE:
            continue
        for kind, value in wrong_values(str(parameter.annotation)).items():
            if wrong := complaint(function, parameter.name, value):
                found[f"{parameter.name}={kind}"] = wrong
    assert not found


def test_all_that_is_public_was_walked_through():
    assert len(PUBLIC) > 150
    assert LEFT_OUT.keys() < PUBLIC.keys()


RESAMPLED = (10**12, "of memory")
OUT_OF_RANGE = {
    "seed": ((-1, "seed must be"), (2**40, "seed must be")),
    "level": ((0, "level must"), (1, "level must"), (95, "level must"), (-0.5, "level must")),
    "alpha": ((0, "alpha must"), (1.5, "alpha must")),
    "n_resamples": ((0, "n_resamples must"), (-5, "n_resamples must"), RESAMPLED),
    "n_bins": ((0, "n_bins must"), (-1, "n_bins must")),
    "y": (
        ([0, 2], "0 or 1"),
        ([0, 0.5], "0 or 1"),
        ([0, 1, 1], "one length"),
        (["0", "1"], "numb"),
    ),
    "p": (
        ([0.1, 1.2], "between 0 and 1"),
        ([np.nan, 0.5], "between 0 and 1"),
        (["a", "b"], "numb"),
    ),
    "p_a": (([0.1, -0.2], "between 0 and 1"), ([None, 0.5], "between 0 and 1")),
}


@pytest.mark.parametrize("name", sorted(n for n in PUBLIC if n.startswith("evaluation.")))
def test_value_out_of_range_is_named_by_us(name):
    function = PUBLIC[name]
    parameters = inspect.signature(function).parameters
    for tested in parameters.keys() & OUT_OF_RANGE.keys():
        if tested in ("y", "p") and name in RAW:
            continue
        for value, said in OUT_OF_RANGE[tested]:
            needed = [p for p in parameters.values() if p.default is p.empty and p.name != tested]
            hints = get_type_hints(inspect.unwrap(function))
            given = {p.name: right(p, hints.get(p.name)) for p in needed}
            with pytest.raises((ValueError, MemoryError), match=said) as caught:
                function(**{**given, tested: value})
            last = Path(traceback.extract_tb(caught.value.__traceback__)[-1].filename)
            assert PACKAGE in last.parents, caught.value


RAW = ("evaluation.metrics.rank_auc", "evaluation.resampling.stratified_resamples")


OTHERS = {
    "resamples beyond the memory": (
        lambda: comparison.two_level_bootstrap(
            [0, 1], [[0.1, 0.8]], [[0.2, 0.7]], n_resamples=10**12
        ),
        "1,000,000,000,000 resamples .* of memory",
    ),
    "scores with NaN": (lambda: comparison.paired_seeds([0.1, np.nan], [0, 1]), "finite score"),
    "p-value of a text": (lambda: comparison.holm({"a": "0.1"}), r"p_values.* number"),
    "calibration of what is no probability": (
        lambda: calibration.ece_floor([1.5]),
        "probabilities must be finite and between 0 and 1",
    ),
    "errors of no claim": (lambda: claims.verdict_chances({}, 0.0), "errors must hold 1"),
    "error of nothing": (lambda: claims.verdict_chances({"a": 0.0}, 0.0), r"errors\['a'\] must"),
    "profile as number": (lambda: resolve_profile(3), "name must be a text"),
    "arrays for tensors": (
        lambda: quantum.expectations(quantum.CircuitSpec(), np.zeros((1, 4)), np.zeros((2, 4))),
        r"inputs must be of type Tensor.*torch.from_numpy",
    ),
    "settings that are no dict": (lambda: Record("a", [], {}, {}, {}), "settings must be a dict"),
}


@pytest.mark.parametrize(("call", "said"), OTHERS.values(), ids=OTHERS)
def test_what_makes_no_sense_is_refused(call, said):
    with pytest.raises((ValueError, MemoryError), match=said):
        call()
