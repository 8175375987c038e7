"""What a circuit can do and what it carries, measured: entanglement, information, expressibility, gradients, spectrum.

All of it is batched over random weights. States are complex tensors (batch, 2**n), qubit 0 the most significant bit.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from hqnn_utils.quantum.circuits import CircuitSpec, init_weights
from hqnn_utils.quantum.engine.statevector import expectations, state


def haar_states(n_qubits: int, count: int, seed: int = 0) -> torch.Tensor:
    """``count`` states drawn uniformly from all states of n qubits (Haar measure), (count, 2**n) complex128.

    A normalised vector of complex Gaussians has this distribution.
    """
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(count, 2**n_qubits)) + 1j * rng.normal(size=(count, 2**n_qubits))
    return torch.from_numpy(raw / np.linalg.norm(raw, axis=1, keepdims=True))


def random_weights(
    spec: CircuitSpec, count: int, init: str = "uniform", seed: int = 0
) -> torch.Tensor:
    """``count`` independent draws of the start angles, (count, *spec.weight_shape) float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([init_weights(spec, init, generator) for _ in range(count)]).double()


def random_states(
    spec: CircuitSpec,
    count: int,
    inputs: torch.Tensor | None = None,
    init: str = "uniform",
    seed: int = 0,
) -> torch.Tensor:
    """States of the circuit for random weights at one input (default: all features 0), (count, 2**n) complex128."""
    x = torch.zeros(spec.n_inputs) if inputs is None else inputs
    if spec.encoding == "amplitude" and inputs is None:
        x = torch.eye(1, spec.n_inputs)[0]  # |0...0>: an all-zero vector is no state
    with torch.no_grad():
        return state(spec, x.double().expand(count, -1), random_weights(spec, count, init, seed))


def reduced_states(states: torch.Tensor) -> torch.Tensor:
    """Density matrix of each single qubit, (batch, n, 2, 2): the rest of the register is traced out."""
    batch, n = len(states), int(math.log2(states.shape[-1]))
    found = []
    for qubit in range(n):
        split = states.reshape(batch, 2**qubit, 2, -1).transpose(1, 2).reshape(batch, 2, -1)
        found.append(split @ split.mH)
    return torch.stack(found, dim=1)


def bloch_vectors(states: torch.Tensor) -> torch.Tensor:
    """(<X>, <Y>, <Z>) of each qubit, (batch, n, 3) real. Length 1: the qubit is pure; 0: it is fully entangled."""
    rho = reduced_states(states)
    return torch.stack(
        [2 * rho[..., 1, 0].real, 2 * rho[..., 1, 0].imag, (rho[..., 0, 0] - rho[..., 1, 1]).real],
        dim=-1,
    )


def meyer_wallach(states: torch.Tensor) -> torch.Tensor:
    """Entanglement Q = 2 (1 - mean over qubits of Tr rho_k^2), (batch,); 0 for products, 1 for GHZ.

    Meyer and Wallach, quant-ph/0108104; the mean over Haar states is (N - 2) / (N + 1) with N = 2**n.
    """
    rho = reduced_states(states)
    purity = (rho.abs() ** 2).sum(dim=(-1, -2))
    return 2 * (1 - purity.mean(dim=1))


def _entropy(rho: torch.Tensor) -> torch.Tensor:
    """von Neumann entropy of density matrices (..., d, d) in bits."""
    p = torch.linalg.eigvalsh(rho).clamp_min(0)
    return -torch.xlogy(p, p).sum(dim=-1) / math.log(2)


def mutual_information(states: torch.Tensor) -> torch.Tensor:
    """I(i : j) = S_i + S_j - S_ij of each pair of qubits in bits, (batch, n, n), the diagonal 0.

    0: the two qubits know nothing of each other; 2: a Bell pair; 1: classically correlated bits, or two qubits of a GHZ state.
    """
    batch, n = len(states), int(math.log2(states.shape[-1]))
    tensor, single = states.reshape(batch, *[2] * n), _entropy(reduced_states(states))
    found = torch.zeros(batch, n, n, dtype=single.dtype)
    for i in range(n):
        for j in range(i + 1, n):
            split = tensor.movedim((i + 1, j + 1), (1, 2)).reshape(batch, 4, -1)
            found[:, i, j] = found[:, j, i] = (
                single[:, i] + single[:, j] - _entropy(split @ split.mH)
            )
    return found


def layer_states(
    spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor
) -> list[torch.Tensor]:
    """The state behind the first encoding and behind each layer, n_layers + 1 tensors (batch, 2**n). No mirrored layers."""
    if spec.mirror:
        raise ValueError(
            "mirrored circuits come in pairs of layers: their single layers are not followed"
        )
    x, weights = inputs.double(), weights.detach().double()
    with torch.no_grad():
        bare = replace(spec, n_layers=1, entangler="none", reupload=False)
        start = state(bare, x, torch.zeros_like(weights[:1]))
        return [start] + [
            state(replace(spec, n_layers=k), x, weights[:k]) for k in range(1, spec.n_layers + 1)
        ]


def linear_cka(a: np.ndarray, b: np.ndarray) -> float:
    """Likeness of two representations (N, p) and (N, q) of the same N examples, 0..1: linear CKA (Kornblith et al., arXiv 1905.00414).

    1 where one is a rotated, shifted, scaled copy of the other. For few examples and many features it is above 0 even without any
    relation: compare with shuffled rows.
    """
    a, b = (np.asarray(m, float).reshape(len(m), -1) for m in (a, b))
    if len(a) != len(b):
        raise ValueError(f"both representations need the same examples, got {len(a)} and {len(b)}")
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
    return float(np.linalg.norm(b.T @ a) ** 2 / size) if size > 0 else 0.0


def fidelities(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    """|<a|b>|^2 row by row, (batch,)."""
    return ((a.conj() * b).sum(dim=-1).abs() ** 2).numpy()


def fidelity_matrix(states: torch.Tensor) -> np.ndarray:
    """|<i|j>|^2 for all pairs, (batch, batch): the kernel that an encoding defines."""
    return ((states.conj() @ states.T).abs() ** 2).numpy()


def haar_divergence(observed: np.ndarray, n_qubits: int, bins: int = 75) -> float:
    """KL divergence (nats) of a fidelity histogram from the Haar distribution P(F) = (N-1)(1-F)^(N-2).

    The mass of a bin is exact: (1-F_lo)^(N-1) - (1-F_hi)^(N-1). Sim et al., arXiv 1905.10876.
    """
    counts, edges = np.histogram(observed, bins=bins, range=(0, 1))
    tail = (1 - edges) ** (2**n_qubits - 1)
    p, q = counts / counts.sum(), tail[:-1] - tail[1:]
    seen = p > 0
    return float(np.sum(p[seen] * np.log(p[seen] / np.maximum(q[seen], 1e-300))))


def expressibility(spec: CircuitSpec, pairs: int = 2000, bins: int = 75, seed: int = 0) -> float:
    """Expr of Sim et al. (arXiv 1905.10876) from ``pairs`` pairs of random weights; lower means closer to Haar.

    Compare it with :func:`expressibility_floor`: an estimate from few pairs is never 0.
    """
    states = random_states(spec, 2 * pairs, seed=seed)
    return haar_divergence(fidelities(states[:pairs], states[pairs:]), spec.n_qubits, bins)


def expressibility_floor(
    n_qubits: int, pairs: int = 2000, bins: int = 75, repeats: int = 20, seed: int = 0
) -> tuple[float, float, float]:
    """Mean, 2.5 % and 97.5 % quantile of the same estimate for states that are truly Haar: below it nothing can be seen."""
    found = []
    for repeat in range(repeats):
        states = haar_states(n_qubits, 2 * pairs, seed=1000 * seed + repeat)
        found.append(haar_divergence(fidelities(states[:pairs], states[pairs:]), n_qubits, bins))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(np.mean(found)), float(low), float(high)


def gradient_variance(
    spec: CircuitSpec, draws: int = 200, init: str = "uniform", seed: int = 0
) -> float:
    """Variance over random weights of d output_0 / d weight, averaged over the weights; inputs are 0.

    A barren plateau is a variance that falls exponentially with the number of qubits (McClean et al., arXiv 1803.11173).
    """
    weights = random_weights(spec, draws, init, seed).requires_grad_()
    x = torch.zeros(draws, spec.n_inputs, dtype=torch.float64)
    if spec.encoding == "amplitude":
        x[:, 0] = 1.0
    (gradient,) = torch.autograd.grad(expectations(spec, x, weights)[:, 0].sum(), weights)
    return float(gradient.var(dim=0).mean())


def fourier_coefficients(values: np.ndarray) -> np.ndarray:
    """|c_k| for k = 0, 1, ... of a real function sampled at equal steps over one period of 2 pi, (len // 2 + 1,)."""
    return np.abs(np.fft.rfft(values)) / len(values)


def spectrum(
    spec: CircuitSpec, weights: torch.Tensor, feature: int = 0, points: int = 64, output: int = 0
) -> np.ndarray:
    """|c_k| of output as a function of one feature, the others at 0.5 (Schuld, Sweke, Meyer, arXiv 2008.08605).

    ``scaling`` must be a whole number, otherwise the function has no period of 2 pi.
    """
    if spec.scaling != int(spec.scaling) or spec.encoding == "amplitude":
        raise ValueError(
            f"the spectrum needs an angle or iqp encoding with whole-number scaling, got {spec.label()}"
        )
    x = torch.full((points, spec.n_inputs), 0.5, dtype=torch.float64)
    x[:, feature] = torch.arange(points, dtype=torch.float64) * 2 * math.pi / points
    with torch.no_grad():
        return fourier_coefficients(expectations(spec, x, weights.double())[:, output].numpy())
