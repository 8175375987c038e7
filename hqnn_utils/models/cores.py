"""What stands in the circuit's place: the circuit itself, or one of its controls.

Every core maps (..., ``spec.n_inputs``) angles to (..., ``spec.n_outputs``) numbers.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn

from hqnn_utils.quantum import CircuitSpec, QuantumLayer
from hqnn_utils.quantum.engine.cosines import is_mean_of_cosines, sign_tables
from hqnn_utils.runtime.arguments import checked

MLP_WIDTH = 16
FOURIER_WIDTH = 16
MAX_COSINES = 4096
TURN = 0.5  # radian


class MatchedLayer(nn.Module):
    """The classical control of a circuit: same inputs, outputs and number of parameters.

    A circuit of n qubits has c * n angles. This map spends the same number in c rows of length n.
    It carries a state h of n values, one for each qubit, through layers of up to n + 1 rows:

        h  <-  tanh(scale * h  +  bias  +  m_1 * roll(h, 1)  +  ...  +  m_(n-1) * roll(h, n-1))

    All products are element by element. ``roll(h, s)`` moves every value s places on, round the
    circle, so that h_i sees h_(i-s): this is how values mix, as entanglers mix qubits. The rows are
    used in the order of the formula. When all rolls have a row, a new layer begins; the last layer
    ends wherever the rows end (with one row it has a scale only).

    Inputs are divided by pi, so that angles become -1..1; the 2**n numbers of amplitude encoding
    are averaged to n. The outputs are formed from h as the observables are formed from Z: see
    :func:`read_out`.
    """

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        self.spec = spec
        n = spec.n_qubits
        self.weights = nn.Parameter(torch.empty(spec.n_weights // n, n))
        with torch.no_grad():  # starts close to the identity: scale 1, everything else small
            self.weights.normal_(0.0, 0.1)
            self.weights[:: n + 1] += 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., n_inputs) -> (..., n_outputs)."""
        n = self.spec.n_qubits
        h = average_to(n, x) if self.spec.encoding == "amplitude" else x / math.pi
        for rows in self.weights.split(n + 1):
            h = torch.tanh(mix(h, rows))
        return read_out(self.spec, h)


def average_to(n: int, x: torch.Tensor) -> torch.Tensor:
    """(..., m) -> (..., n): means of neighbours."""
    flat = x.reshape(-1, 1, x.shape[-1])
    return nn.functional.adaptive_avg_pool1d(flat, n).reshape(*x.shape[:-1], n)


def mix(h: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """``scale * h + bias + m_1 * roll(h, 1) + ...`` with as many terms as there are rows."""
    scale = rows[0]
    total = scale * h
    if len(rows) > 1:
        bias = rows[1]
        total = total + bias
    for shift, m in enumerate(rows[2:], start=1):
        total = total + m * h.roll(shift, dims=-1)
    return total


def read_out(spec: CircuitSpec, h: torch.Tensor) -> torch.Tensor:
    """From one number per qubit (..., n) to ``spec.n_outputs``, as the observables from Z.

    ``"Z"``: the numbers themselves. ``"Z0"``: their mean and not the first alone, because
    entanglers carry every qubit to the first, so every number must count. ``"parity"``: their
    product. ``"ZZ"``: the products of all pairs, in the order of the circuit's outputs.
    """
    if spec.observable == "Z":
        return h
    if spec.observable == "Z0":
        return h.mean(dim=-1, keepdim=True)
    if spec.observable == "parity":
        return h.prod(dim=-1, keepdim=True)
    i, j = torch.triu_indices(spec.n_qubits, spec.n_qubits, offset=1, device=h.device)
    return h[..., i] * h[..., j]


class MixingLayer(nn.Module):
    """The classical control that mixes its inputs as the circuit does: gate for gate.

    It has the circuit's inputs, outputs and number of parameters. A state h of n values, one for
    each qubit, starts as the inputs divided by pi (the 2**n numbers of amplitude encoding are
    averaged to n) and goes through as many layers as the circuit has:

        h  <-  h + inputs / pi                    (where the circuit uploads its features again)
        h  <-  M h                                (where the circuit has two-qubit gates)
        h  <-  gain * tanh(slope * h + bias)      (where the circuit has trainable rotations)

    All products with rows of parameters are element by element. M has no parameters, as a CNOT has
    none: each two-qubit gate, in the circuit's order, turns the two values of its qubits i < j by
    half a radian (29 degrees),

        (h_i, h_j)  <-  (cos 0.5 * h_i - sin 0.5 * h_j,  sin 0.5 * h_i + cos 0.5 * h_j),

    and so M is orthogonal, as a gate is unitary: it mixes, and neither shrinks nor stretches. (With
    a fraction of a full turn, such as 45 degrees, several gates on one pair can undo each other.) A
    circuit without entanglers has M = 1.

    A rotation with one angle (RX, RY, RZ) gives a qubit its bias; slope and gain are then 1. The
    three angles of Rot give it bias, slope and gain. So there are ``n_layers * n`` parameters, or
    three times as many, as in the circuit: 8 for the study's. Biases start at random with standard
    deviation 0.1, slopes and gains that close to 1.

    M stands before the tanh, so that the values that are read out lie between -1 and 1 (for Rot,
    between -gain and gain). The outputs are formed from h as the observables are formed from Z: see
    :func:`read_out`.
    """

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        self.spec = spec
        self.weights = nn.Parameter(torch.empty(spec.weight_shape))
        with torch.no_grad():
            self.weights.normal_(0.0, 0.1)
            if self.weights.ndim == 3:
                self.weights[..., 1:] += 1.0  # slope and gain
        mixers = torch.stack([gates_as_turns(spec, layer) for layer in range(spec.n_layers)])
        self.register_buffer("mixers", mixers, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., n_inputs) -> (..., n_outputs)."""
        n = self.spec.n_qubits
        start = average_to(n, x) if self.spec.encoding == "amplitude" else x / math.pi
        h = start
        for layer, mixer in enumerate(self.mixers):
            if layer > 0 and self.spec.uploads_before(layer):
                h = h + start
            h = self._squash(h @ mixer.T, self.weights[layer])
        return read_out(self.spec, h)

    def _squash(self, h: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        if weights.ndim == 1:
            return torch.tanh(h + weights)
        bias, slope, gain = weights.unbind(-1)
        return gain * torch.tanh(slope * h + bias)


def gates_as_turns(spec: CircuitSpec, layer: int) -> torch.Tensor:
    """The mixing matrix M (n, n) of a layer: a turn by half a radian for each two-qubit gate."""
    n = spec.n_qubits
    matrix = torch.eye(n, dtype=torch.float64)
    for pair in spec.pairs(layer):
        i, j = sorted(pair)
        turn = torch.eye(n, dtype=torch.float64)
        turn[i, i] = turn[j, j] = math.cos(TURN)
        turn[i, j], turn[j, i] = -math.sin(TURN), math.sin(TURN)
        matrix = turn @ matrix
    return matrix.float()


class CosineLayer(nn.Module):
    """The circuit's own frequencies with free coefficients and phases: all it could say, and more.

    A circuit with angle encoding is a trigonometric polynomial of its inputs (Schuld, Sweke and
    Meyer, arXiv 2008.08605). Its architecture fixes the frequencies w; its few angles tie the
    coefficients to each other. Here nothing is tied:

        output_o  =  sum over k of  a_ok * cos(w_ok . inputs + phi_ok)

    with trainable coefficients a and phases phi, for each output its own. Frequencies that differ
    only in their sign count once. For suitable a and phi this *is* the circuit (notebook 06).

    Which frequencies: for circuits that are a mean of cosines (the study's: RX, CNOT) exactly those
    of the mean, see ``quantum.engine.cosines``. Any other circuit with angle encoding has for each
    input the whole numbers from -r to r, r being the number of its uploads, times ``spec.scaling``:
    all combinations are taken.

    There are two parameters for each frequency. The study's circuit sees 3, 3, 2 and 2 of its 4
    inputs in its four outputs. A frequency is a choice of signs of what is seen, and s inputs have
    2**(s-1) of them up to the common sign: 4 + 4 + 2 + 2 = 12 frequencies, so 24 parameters; the
    circuit has 8. Phases start uniformly at random, coefficients at 1 / number of frequencies of
    the output.

    Raises
    ------
    ValueError : no angle encoding, or more than ``MAX_COSINES`` frequencies.
    """

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        self.spec = spec
        tables = frequencies(spec)
        sizes = torch.tensor([len(table) for table in tables])
        output = torch.repeat_interleave(torch.arange(spec.n_outputs), sizes)
        sums = nn.functional.one_hot(output, spec.n_outputs).float()
        self.register_buffer("w", torch.cat(tables), persistent=False)  # (frequencies, n_inputs)
        self.register_buffer("sums", sums, persistent=False)  # (frequencies, n_outputs)
        self.phases = nn.Parameter(2 * math.pi * torch.rand(len(self.w)))
        self.coefficients = nn.Parameter(1.0 / sizes[output])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., n_inputs) -> (..., n_outputs)."""
        waves = torch.cos(x @ self.w.T + self.phases)  # (..., frequencies)
        return (self.coefficients * waves) @ self.sums


def frequencies(spec: CircuitSpec) -> list[torch.Tensor]:
    """For each output its frequency vectors (number, n_inputs) float32; of w and -w only one."""
    if spec.encoding != "angle":
        raise ValueError(
            f"core 'cosines' needs encoding='angle': with {spec.encoding!r} the outputs are no "
            "trigonometric polynomial of the inputs"
        )
    if is_mean_of_cosines(spec):
        signs, _ = sign_tables(spec, torch.float64, torch.device("cpu"))
        per_output = signs.T.reshape(spec.n_outputs, -1, spec.n_inputs)
        tables = [_once_up_to_sign(table) for table in per_output]
    else:
        uploads = sum(spec.uploads_before(layer) for layer in range(spec.n_layers))
        _check_number((2 * uploads + 1) ** spec.n_inputs // 2 * spec.n_outputs, spec)
        grid = itertools.product(range(-uploads, uploads + 1), repeat=spec.n_inputs)
        table = _once_up_to_sign(spec.scaling * torch.tensor(list(grid), dtype=torch.float64))
        tables = [table] * spec.n_outputs
    _check_number(sum(map(len, tables)), spec)
    return [table.float() for table in tables]


def _check_number(number: int, spec: CircuitSpec) -> None:
    if number > MAX_COSINES:
        raise ValueError(
            f"core 'cosines' would have {number} frequencies for circuit {spec.label()}, "
            f"at most {MAX_COSINES}: take fewer qubits or fewer uploads"
        )


def _once_up_to_sign(table: torch.Tensor) -> torch.Tensor:
    """Each row once, of w and -w the one whose first number that is not zero is positive."""
    place = (table != 0).int().argmax(dim=1, keepdim=True)
    first = table.gather(1, place).sign()
    return torch.unique(torch.where(first < 0, -table, table), dim=0)


class FourierLayer(nn.Module):
    """Random Fourier features (Rahimi and Recht, 2007): cosines in random directions.

        output_o  =  sum over k of  C_ok * sqrt(2 / D) * cos(w_k . inputs + b_k)

    with D = ``FOURIER_WIDTH`` = 16 frequencies w, normal with variance 1, and phases b,
    uniform on 0 to 2 pi. Both are drawn once and never learn; C learns: 16 * n_outputs parameters,
    64 for the study's circuit. Without C this is the kernel
    exp(-|x - x'|**2 / 2), and it knows nothing of circuits.
    """

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        self.register_buffer("w", torch.randn(FOURIER_WIDTH, spec.n_inputs))
        self.register_buffer("b", 2 * math.pi * torch.rand(FOURIER_WIDTH))
        self.mixture = nn.Linear(FOURIER_WIDTH, spec.n_outputs, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., n_inputs) -> (..., n_outputs)."""
        waves = torch.cos(x @ self.w.T + self.b)
        return self.mixture(math.sqrt(2 / FOURIER_WIDTH) * waves)


class IdentityCore(nn.Module):
    """No map at all: the angles, divided by pi, go straight on. What is left is the head's tanh.

    It has no parameters. ValueError for amplitude encoding, which has more inputs than qubits.
    """

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        if spec.encoding == "amplitude":
            raise ValueError(
                "core 'identity' needs one input per qubit: "
                "amplitude encoding has 2**n; use encoding='angle'"
            )
        self.spec = spec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., n_inputs) -> (..., n_outputs)."""
        return read_out(self.spec, x / math.pi)


class ShuffledCore(nn.Module):
    """A circuit that gets the angles of another image.

    Its outputs have the right distribution and no information about their image. A head that does
    as well with it does not use its circuit. In training every batch has a new permutation,
    afterwards it is always the same one.
    """

    def __init__(self, spec: CircuitSpec, engine: str):
        super().__init__()
        self.circuit = QuantumLayer(spec, engine)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, n_inputs) -> (N, n_outputs)."""
        fixed = None if self.training else torch.Generator().manual_seed(0)
        order = torch.randperm(len(x), generator=fixed)
        return self.circuit(x[order.to(x.device)])


def circuit_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The circuit."""
    return QuantumLayer(spec, engine)


def frozen_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The circuit at its random start weights, which do not learn."""
    return QuantumLayer(spec, engine).requires_grad_(False)


def matched_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The classical map of the circuit's size."""
    return MatchedLayer(spec)


def mlp_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """A plain layer of ordinary size, with more parameters than the circuit has."""
    return nn.Sequential(
        nn.Linear(spec.n_inputs, MLP_WIDTH),
        nn.ReLU(),
        nn.Linear(MLP_WIDTH, spec.n_outputs),
    )


def mixing_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The classical map of the circuit's size that mixes where the circuit entangles."""
    return MixingLayer(spec)


def cosine_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The circuit's frequencies with free coefficients and phases."""
    return CosineLayer(spec)


def fourier_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """Random Fourier features."""
    return FourierLayer(spec)


def identity_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The angles themselves."""
    return IdentityCore(spec)


def shuffled_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The circuit with the angles of another image."""
    return ShuffledCore(spec, engine)


# Name -> function (spec, engine) that makes the core.
CORES = {
    "circuit": circuit_core,
    "frozen": frozen_core,
    "matched": matched_core,
    "mlp": mlp_core,
    "identity": identity_core,
    "shuffled": shuffled_core,
    "mixing": mixing_core,
    "cosines": cosine_core,
    "fourier": fourier_core,
}
# Those of them that run a circuit; the others are controls without one.
WITH_CIRCUIT = ("circuit", "frozen", "shuffled")
# Layers that stand in the circuit's place and learn at its rate, see ``parameter_groups``.
IN_PLACE_OF_THE_CIRCUIT = (QuantumLayer, MatchedLayer, MixingLayer, CosineLayer, FourierLayer)


checked(__name__)
