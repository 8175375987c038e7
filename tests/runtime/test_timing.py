"""Times of several actions beside each other, on a clock that the test moves."""

import pytest

from hqnn_utils import runtime
from hqnn_utils.runtime import timing


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until an action moves it."""

    class Clock:
        now = 0.0

        def tick(self, seconds):
            self.now += seconds

    found = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: found.now)
    return found


def test_median_of_alternating_rounds_without_the_warm_up(clock):
    took = {"a": iter([100, 1, 9, 2]), "b": iter([100, 5, 4, 90])}
    called = []

    def action(name):
        called.append(name)
        clock.tick(next(took[name]))

    actions = {name: lambda name=name: action(name) for name in took}
    found = runtime.median_seconds(actions, rounds=3)
    assert found == {"a": 2, "b": 5}
    assert list(found) == ["a", "b"]
    assert "".join(called) == "abbaabba", "in turn, every second round backwards"


def test_without_a_warm_up_the_first_round_counts(clock):
    seconds = iter([7, 1])
    found = runtime.median_seconds({"a": lambda: clock.tick(next(seconds))}, rounds=2, warmup=0)
    assert found == {"a": 4}


@pytest.mark.parametrize(
    ("options", "named"), [({"rounds": 0}, "rounds"), ({"warmup": -1}, "warm")]
)
def test_numbers_of_rounds_must_make_sense(options, named):
    with pytest.raises(ValueError, match=named):
        runtime.median_seconds({"a": int}, **options)
