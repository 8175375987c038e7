"""Seed and device."""

from __future__ import annotations

from hqnn_utils.runtime.arguments import checked


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices); ask torch for deterministic kernels."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    # A notebook may call anything that draws from NumPy's global generator.
    np.random.seed(seed % 2**32)  # noqa: NPY002
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)


def default_device() -> str:
    """``"cuda"`` where torch sees a GPU, otherwise ``"cpu"``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


checked(__name__)
