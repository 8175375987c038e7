"""Floor 1: batched torch statevector (plain version)."""

from __future__ import annotations

import torch

from .circuits import CircuitSpec


def _matrix(name, angle):
    c, s = torch.cos(angle / 2), torch.sin(angle / 2)
    z = torch.zeros_like(c)
    if name == "RX":
        return torch.stack([torch.complex(c, z), torch.complex(z, -s), torch.complex(z, -s), torch.complex(c, z)], -1).unflatten(-1, (2, 2))
    if name == "RY":
        return torch.stack([torch.complex(c, z), torch.complex(-s, z), torch.complex(s, z), torch.complex(c, z)], -1).unflatten(-1, (2, 2))
    return torch.stack([torch.complex(c, -s), torch.complex(z, z), torch.complex(z, z), torch.complex(c, s)], -1).unflatten(-1, (2, 2))


def _one(psi, u, q, n):
    psi = psi.reshape(len(psi), 2**q, 2, -1)
    return (torch.einsum("bij,bajc->baic", u, psi) if u.ndim == 3 else torch.einsum("ij,bajc->baic", u, psi)).reshape(len(psi), -1)


def _bits(n, device):
    i = torch.arange(2**n, device=device)
    return torch.stack([(i >> (n - 1 - k)) & 1 for k in range(n)])


def state(spec: CircuitSpec, inputs, weights):
    n, dev = spec.n_qubits, inputs.device
    cd = torch.complex64 if inputs.dtype == torch.float32 else torch.complex128
    bits = _bits(n, dev)
    signs = (1 - 2 * bits).to(inputs.dtype)
    psi = torch.zeros(len(inputs), 2**n, dtype=cd, device=dev)
    psi[:, 0] = 1
    batched = weights.ndim > len(spec.weight_shape)
    x = inputs * spec.scaling

    def enc(psi):
        if spec.encoding == "amplitude":
            return (inputs / inputs.norm(dim=1, keepdim=True)).to(cd)
        if spec.encoding == "angle":
            for q in range(n):
                psi = _one(psi, _matrix("R" + spec.axis, x[:, q]), q, n)
            return psi
        h = torch.tensor([[1, 1], [1, -1]], dtype=cd, device=dev) / 2**0.5
        for q in range(n):
            psi = _one(psi, h, q, n)
        phase = x @ signs
        for i in range(n):
            for j in range(i + 1, n):
                phase = phase + (x[:, i] * x[:, j])[:, None] * signs[i] * signs[j]
        return psi * torch.polar(torch.ones_like(phase), -phase / 2)

    for layer in range(spec.n_layers):
        if layer == 0 or spec.reupload:
            psi = enc(psi)

        def rot(psi):
            w = weights[:, layer] if batched else weights[layer]
            for q in range(n):
                if spec.rotation == "Rot":
                    a = w[..., q, :]
                    u = _matrix("RZ", a[..., 2]) @ _matrix("RY", a[..., 1]) @ _matrix("RZ", a[..., 0])
                else:
                    u = _matrix(spec.rotation, w[..., q])
                psi = _one(psi, u.to(cd), q, n)
            return psi

        if not spec.is_mirrored(layer):
            psi = rot(psi)
        for c, t in spec.pairs(layer):
            if spec.gate == "CZ":
                psi = psi * (1 - 2 * bits[c] * bits[t])
            else:
                i = torch.arange(2**n, device=dev)
                psi = psi[:, i ^ (bits[c] << (n - 1 - t))]
        if spec.is_mirrored(layer):
            psi = rot(psi)
    return psi


def expectations(spec: CircuitSpec, inputs, weights):
    n = spec.n_qubits
    signs = (1 - 2 * _bits(n, inputs.device)).to(inputs.dtype)
    psi = state(spec, inputs, weights)
    p = psi.real**2 + psi.imag**2
    if spec.observable == "Z":
        table = signs
    elif spec.observable == "Z0":
        table = signs[:1]
    elif spec.observable == "parity":
        table = signs.prod(0, keepdim=True)
    else:
        table = torch.stack([signs[i] * signs[j] for i in range(n) for j in range(i + 1, n)])
    return p @ table.T
