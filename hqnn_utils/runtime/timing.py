"""How long several things take beside each other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import whole_number


def median_seconds(
    actions: Mapping[str, Callable[[], object]], rounds: int = 9, warmup: int = 1
) -> dict[str, float]:
    """Median wall time of each action, all of them timed in alternating rounds.

    In each round every action runs once, every second round in the opposite order. So a slow moment
    of the machine, or a processor that grows warm, meets all of them alike, and their *ratios* can
    be trusted more than the seconds. The median ignores single interruptions.

    Parameters
    ----------
    actions : name -> a function without arguments. What runs on a GPU has to wait for it, as
        ``.item()`` or ``.cpu()`` do.
    rounds : how often each is timed.
    warmup : rounds before these that are not counted: the first call allocates and compiles.

    Returns
    -------
    name -> seconds, in the order of ``actions``.

    Raises
    ------
    ValueError : fewer than one round, or a negative number of warm-up rounds.
    """
    whole_number("rounds", rounds, 1)
    whole_number("warmup", warmup, 0)
    order = list(actions)
    spent: dict[str, list[float]] = {name: [] for name in order}
    for number in range(warmup + rounds):
        for name in order if number % 2 == 0 else reversed(order):
            began = time.perf_counter()
            actions[name]()
            seconds = time.perf_counter() - began
            if number >= warmup:
                spent[name].append(seconds)
    return {name: median(times) for name, times in spent.items()}


checked(__name__)
