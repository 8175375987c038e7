"""What a study does with the runs that another one, beside it, is making."""

import pytest
from study_toys import QUICK

from hqnn_utils.records import Record, load_family
from hqnn_utils.studies import StudyError, as_setting, study
from hqnn_utils.studies.workers import Job


def job(name):
    return Job(as_setting({**QUICK, "name": name}), None, None, None)


def record(name, **settings):
    part = dict(ids=["a"], labels=[1], probabilities=[0.5])
    return Record(
        name,
        settings=settings,
        data={"name": "toy", "digest": "d"},
        scores={"test": {"auc": 1.0}},
        predictions={"test": part},
    )


class Clock:
    """Stands for ``time``: every look at it costs a second, what is slept is added."""

    def __init__(self):
        self.now, self.slept = 0.0, []

    def monotonic(self):
        self.now += 1
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Other:
    """Another study: what it is at, which records it has made, and when it gives up.

    ``plan`` is what happens at each look: a name that gets its record, ``"ends"``, or nothing.
    """

    def __init__(self, at, plan):
        self.at, self.plan = set(at), list(plan)
        self.made, self.taken, self.dropped = set(), [], []

    def take(self, name):
        if name in self.at or name in self.made:
            return False
        self.taken.append(name)
        return True

    def drop(self, name):
        self.dropped.append(name)

    def has_new(self, name):
        event = self.plan.pop(0) if self.plan else None
        if event == "ends":
            self.at.clear()
        elif event is not None:
            self.at.discard(event)
            self.made.add(event)
        return name in self.made


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(study, "time", clock)
    return clock


def carry_out(names, other, made):
    """The results of a study of ``names``; ``made`` collects what it trained itself."""

    def run(jobs):
        for one in jobs:
            if other.take(one.setting.name):
                made.append(one.setting.name)
                yield record(one.setting.name)

    return study._beside_others([job(n) for n in names], run, other, other)


def test_what_another_study_makes_is_waited_for_and_not_made_twice(clock):
    other, made = Other(at="bc", plan=[None, None, "b", None, "c"]), []
    results = list(carry_out("abc", other, made))
    assert made == ["a"]
    assert [r and r.name for r in results] == ["a", None, None]
    assert other.dropped == ["a"]
    assert set(clock.slept) == {0.5}
    assert len(clock.slept) == 1, "half a second, but not after a record came"


def test_what_another_study_leaves_is_made_here(clock):
    other, made = Other(at="bc", plan=[None, "ends"]), []
    results = list(carry_out("abc", other, made))
    assert made == ["a", "b", "c"]
    assert [r.name for r in results] == ["a", "b", "c"]
    assert other.dropped == ["a", "b", "c"]


def test_a_run_is_given_back_when_its_record_is_kept(clock):
    other, made = Other(at="", plan=[]), []
    results = carry_out("ab", other, made)
    assert next(results).name == "a"
    assert other.dropped == [], "the record is not kept yet"
    assert next(results).name == "b"
    assert other.dropped == ["a"]
    assert list(results) == []
    assert other.dropped == ["a", "b"]
    assert clock.slept == [], "nobody is waited for"


def test_a_study_that_makes_nothing_for_an_hour_is_named(clock):
    other = Other(at="bc", plan=[])
    with pytest.raises(
        StudyError,
        match=r"^2 runs \('b', \.\.\.\) are being made by another process, which has finished none "
        r"for an hour: end it, and run the same call again\. All records made so far are kept$",
    ):
        list(carry_out("abc", other, []))
    assert 3600 < clock.now < 3610
    assert len(clock.slept) == pytest.approx(3600 / 1.5, abs=3)


def test_the_hour_begins_anew_with_each_record(clock):
    """One at minute 50 and one at minute 100."""
    looks = 2 * 2000  # two runs are asked about, every 1.5 seconds
    plan = [None] * looks + ["b"] + [None] * (looks // 2) + ["c"]
    results = list(carry_out("bc", Other(at="bc", plan=plan), []))
    assert results == [None, None]
    assert clock.now > 1.5 * 3600


# ------------------------------------------------------------------------------ the records


def test_a_record_of_other_settings_gives_its_place_in_the_family(tmp_path):
    store = study._Store(tmp_path, "toy")
    for name in ("a", "b"):
        store.add(record(name, seed=0))
    store.save()
    later = study._Store(tmp_path, "toy")
    later.to_renew["a"] = later.get("a").fingerprint()
    assert not later.has_new("a"), "the one that does not fit"
    assert later.has_new("b")
    assert not later.has_new("nowhere")
    later.add(record("a", seed=1))
    assert later.has_new("a")
    later.save()
    kept = {one.name: one for one in load_family(tmp_path / "toy.json")}
    assert kept["a"] == later.kept["a"] == record("a", seed=1)
    assert kept["b"] == record("b", seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["toy.json"]
