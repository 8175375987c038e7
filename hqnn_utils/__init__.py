"""Helpers shared by the notebooks on hybrid quantum-classical networks for medical images.

``import hqnn_utils`` is cheap: a module, and with it torch or PennyLane, is imported the first time it is used.
"""

from importlib import import_module

__version__ = "0.1.0"

# Floor of each module: an import may only point to a lower number (tests/test_architecture.py checks it).
FLOORS = {
    "runtime": 0, "records": 1, "families": 2,
    "phantom": 10, "histology_phantom": 10, "breakhis_files": 10, "audit": 10, "data": 11, "breakhis": 12, "protocols": 12, "metrics": 12, "patients": 13,
    "circuits": 13, "cosines": 14, "rotations": 14, "statevector": 15, "analysis": 16, "comparison": 17,
    "augment": 20, "shots": 20, "layers": 20, "backbones": 21, "heads": 22, "models": 23, "settings": 24,
    "training": 30, "figures": 31, "circuit_figures": 32, "attribution": 32, "inside_figures": 33, "study": 33, "plans": 35, "tables": 33, "verdicts": 34,
    "checks": 41,
}  # fmt: skip


def __getattr__(name: str):
    if name in FLOORS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"hqnn_utils has no module {name!r}; known: {', '.join(FLOORS)}")


def __dir__():
    return sorted([*globals(), *FLOORS])
