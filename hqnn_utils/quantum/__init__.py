"""Circuits: their description, PennyLane's QNode, a layer for PyTorch, and what one measures about
them.

- ``spec.py``: :class:`CircuitSpec`, one small description of a circuit, and its start angles;
  ``encodings.py``: how features enter it.
- ``qnode.py``: the circuit in PennyLane; ``layer.py``: the circuit as an ``nn.Module``.
- ``analysis.py``: random weights, and the frequencies of the outputs.
- ``engine/``: the fast simulation behind ``QuantumLayer(engine="fused")``, and the estimate at any
  width behind ``engine="sampled"``. Nobody needs to read it to use a circuit.
"""

from hqnn_utils.quantum.engine.arrays import ValueAndGradients, value_and_gradients
from hqnn_utils.quantum.engine.fused import expectations, state
from hqnn_utils.quantum.engine.sampled import Estimate, estimate_expectations
from hqnn_utils.quantum.layer import QuantumLayer, check_engine
from hqnn_utils.quantum.qnode import apply_circuit, build_qnode
from hqnn_utils.quantum.spec import CircuitSpec, init_weights

__all__ = [
    "CircuitSpec",
    "Estimate",
    "QuantumLayer",
    "ValueAndGradients",
    "apply_circuit",
    "build_qnode",
    "check_engine",
    "estimate_expectations",
    "expectations",
    "init_weights",
    "state",
    "value_and_gradients",
]
