"""Helpers shared by the notebooks on hybrid quantum-classical neural networks for medical images.

The rooms, top to bottom. An import may only point downwards; ``pyproject.toml`` holds the contract.

``exercises``   self-checks of the exercises, one file a notebook
``plots``       figures that two or more notebooks draw
``studies``     a table of settings in, records out; tables and verdicts
``training``    the loop, checkpoints, augmentation
``models``      backbones, heads, classifier
``evaluation``  scores and intervals, calibration, comparisons, power
``quantum``     circuits, the quantum layer, what a circuit can do, shots and noise
``data``        images and tables with labels and a split, ways to split, phantoms
``records``     one JSON file a run, and families of them
``runtime``     profile, seed, device, folders, provenance

``import hqnn_utils`` itself loads none of them, and neither torch nor PennyLane.
"""

__version__ = "0.1.0"
