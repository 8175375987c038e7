"""The mean of cosines at any width, estimated from some of its terms.

The study's circuit is an IQP circuit: all its rotations exp(-i t_j P_j / 2) commute, with X-strings
P_j (Shepherd and Bremner, arXiv 0809.0847). Its expectation values are means of cosines over sign
patterns, see ``cosines.py``, and the patterns are as many as the amplitudes of a state. But a mean
can be estimated: draw some patterns k at random and average their cosines (Van den Nest, arXiv
0911.1624; for training: Recio-Armengol, Ahmed and Bowles, arXiv 2503.02934),

    <O>  is about  1/S * sum over k of cos(sum_j s_kj t_j),   s_kj = (-1)**(k . P_j) = +1 or -1,

over the j whose P_j anticommutes with O. The terms lie between -1 and 1, so the standard error is
at most 1/sqrt(S), whatever the number of qubits. It is never larger than that of a perfect device
with S shots: the variance of a cosine is mean(cos**2) - <O>**2, that of a shot is 1 - <O>**2.

A pattern k is n fair coins, the same for all outputs and for the whole batch: their errors are not
independent of each other. Work and time grow with samples * batch * outputs * angles; memory does
not grow with the samples, since they go through in chunks, forward and backward.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hqnn_utils.quantum.engine.cosines import only_cosines, x_strings
from hqnn_utils.quantum.engine.kept import (
    in_full_precision,
    kept,
    plain_tensors,
    refuse_batched,
    refuse_transforms,
)
from hqnn_utils.quantum.engine.measurement import observable_masks
from hqnn_utils.quantum.engine.uploads import refuse_width
from hqnn_utils.quantum.spec import CircuitSpec
from hqnn_utils.runtime import whole_number
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import whole

DEFAULT_SAMPLES = 10_000
CHUNK = 2**20  # cosines in memory at a time: 8 MiB in float64


@dataclass(frozen=True)
class Estimate:
    """Estimated expectation values and their standard errors, both (batch, n_outputs).

    The values are differentiable in inputs and weights, the errors are not.
    """

    values: torch.Tensor
    errors: torch.Tensor


def refuse_others(spec: CircuitSpec) -> None:
    """Raise a ValueError for a circuit that is no mean of cosines."""
    if not only_cosines(spec):
        raise ValueError(
            "engine 'sampled' needs a mean of cosines: encoding='angle' about axis='X', "
            f"rotation='RX', and CNOTs or no entangler; circuit {spec.label()} is none. "
            "engine='fused' runs it"
        )


@in_full_precision
def estimate_expectations(
    spec: CircuitSpec,
    inputs: torch.Tensor,
    weights: torch.Tensor,
    samples: int = DEFAULT_SAMPLES,
    seed: int | None = None,
) -> Estimate:
    """Expectation values of a circuit of the study's family, at any width, with error bars.

    Parameters
    ----------
    inputs : (batch, n_inputs), float32 or float64, on any torch device.
    weights : ``spec.weight_shape``, same dtype.
    samples : sign patterns that are drawn, at least 2.
    seed : of the patterns. With a number every call uses the same ones, and the estimate is one
        smooth function of inputs and weights. ``None``: fresh ones in each call, from torch's
        global random numbers; then values and gradients are right on average.

    Raises
    ------
    ValueError : a circuit outside the family, too few samples, shapes that do not fit.
    """
    refuse_others(spec)
    refuse_transforms("engine 'sampled'")
    whole_number("samples", samples, 2, "an error bar needs two")
    _check_shapes(spec, inputs, weights)
    table = _table(spec)
    patterns = _patterns(samples, spec.n_qubits, seed)
    uploads = spec.scaling * inputs.repeat_interleave(table.n_uploads, dim=1)
    values, squares = _Means.apply(uploads, weights.flatten(), patterns, table)
    variances = (squares - values.detach() ** 2).clamp(min=0)
    errors = (variances / (samples - 1)).sqrt()
    return Estimate(values.to(inputs.dtype), errors.to(inputs.dtype))


@dataclass(frozen=True, eq=False)
class _Table:
    """The circuit as bits.

    Attributes
    ----------
    n_uploads : how often each feature enters.
    strings : (n_inputs * n_uploads + n_weights, n_qubits), 1.0 where the string has an X.
    counts : (n_outputs, strings), 1.0 where the string anticommutes with the observable.
    """

    n_uploads: int
    strings: torch.Tensor
    counts: torch.Tensor


@kept(16)
def _table(spec: CircuitSpec) -> _Table:
    of_inputs, of_weights = x_strings(spec)
    strings = _bits([*(s for uploads in of_inputs for s in uploads), *of_weights], spec.n_qubits)
    observables = _bits(observable_masks(spec), spec.n_qubits)
    return _Table(len(of_inputs[0]), strings, (observables @ strings.T) % 2)


def _bits(masks: list[int], n: int) -> torch.Tensor:
    """(masks, n) of 0.0 and 1.0, qubit 0 first. Python's whole numbers have any width."""
    rows = [[mask >> (n - 1 - qubit) & 1 for qubit in range(n)] for mask in masks]
    return torch.tensor(rows, dtype=torch.float32)


def _patterns(samples: int, n_qubits: int, seed: int | None) -> torch.Tensor:
    """Coins (samples, n_qubits), as bytes: they are kept for the backward pass."""
    shape = (samples, n_qubits)
    if seed is None:
        return torch.randint(0, 2, shape, dtype=torch.int8)
    # What torch.export traces keeps these numbers. An operation of the graph would draw with a
    # generator that goes on, other numbers in each call.
    with plain_tensors():
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(0, 2, shape, generator=generator, dtype=torch.int8)


class _Means(torch.autograd.Function):
    """Mean of the cosines and of their squares, both (batch, n_outputs) float64.

    The backward pass computes the angles again instead of remembering them.
    """

    @staticmethod
    def forward(ctx, uploads, weights, patterns, table):
        ctx.save_for_backward(uploads, weights, patterns)
        ctx.table = table
        total, squares = 0.0, 0.0
        for chunk in _chunks(patterns, len(uploads) * len(table.counts)):
            waves = _angles(uploads, weights, _signs(chunk, table, uploads), table).cos()
            total = total + waves.sum(-1, dtype=torch.float64)
            squares = squares + waves.square_().sum(-1, dtype=torch.float64)
        mean_of_squares = squares / len(patterns)
        ctx.mark_non_differentiable(mean_of_squares)
        return total / len(patterns), mean_of_squares

    @staticmethod
    @in_full_precision
    def backward(ctx, by_mean, _):
        uploads, weights, patterns = ctx.saved_tensors
        refuse_batched(by_mean)
        counts = ctx.table.counts.to(uploads)
        by_uploads, by_weights = torch.zeros_like(uploads), torch.zeros_like(weights)
        scale = (-by_mean / len(patterns)).to(uploads.dtype).unsqueeze(-1)
        for chunk in _chunks(patterns, len(uploads) * len(counts)):
            signs = _signs(chunk, ctx.table, uploads)
            by_angle = scale * _angles(uploads, weights, signs, ctx.table).sin()
            n = uploads.shape[1]
            by_uploads = by_uploads + ((by_angle @ signs[:, :n]) * counts[:, :n]).sum(1)
            by_weights = by_weights + ((by_angle.sum(0) @ signs[:, n:]) * counts[:, n:]).sum(0)
        return by_uploads, by_weights, None, None


def _chunks(patterns: torch.Tensor, cosines_each: int) -> tuple[torch.Tensor, ...]:
    return patterns.split(max(1, CHUNK // max(1, cosines_each)))


def _signs(patterns: torch.Tensor, table: _Table, like: torch.Tensor) -> torch.Tensor:
    """s_kj = +1 or -1, (patterns, strings), of the dtype and device of ``like``."""
    # How many X's of a string meet a 1 of the pattern: float32 counts exactly up to 2**24.
    meetings = patterns.float() @ table.strings.T
    return (1 - 2 * (meetings % 2)).to(like)


def _angles(
    uploads: torch.Tensor, weights: torch.Tensor, signs: torch.Tensor, table: _Table
) -> torch.Tensor:
    """Sums of signed angles, (batch, n_outputs, patterns): what an output does not see counts 0."""
    counts, n = table.counts.to(uploads), uploads.shape[1]
    of_uploads = (uploads[:, None] * counts[:, :n]) @ signs[:, :n].T
    of_weights = (weights * counts[:, n:]) @ signs[:, n:].T
    return of_uploads + of_weights


def _check_shapes(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> None:
    refuse_width(spec, inputs)
    if tuple(weights.shape) != spec.weight_shape:
        raise ValueError(f"weights must have shape {spec.weight_shape}, got {tuple(weights.shape)}")


checked(__name__, {"samples": whole(2, "an error bar needs two")})
