"""What a study does with the runs that another one, beside it, is making."""

import os

import pytest
from study_toys import QUICK, phantom

from hqnn_utils.records import Record, load_family, save_record
from hqnn_utils.studies import StudyError, as_setting, study
from hqnn_utils.studies.workers import Failure, Job


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


# ------------------------------------------------------------------- what a study hands on


@pytest.fixture
def handed(monkeypatch):
    """Jobs, workers, backend and claims of a study that carries nothing out."""
    seen = []

    def carry_out(jobs, workers, backend, take):
        seen.append((jobs, workers, backend, take))
        return iter([Failure(one.setting.name, "not run", "") for one in jobs])

    monkeypatch.setattr(study, "carry_out", carry_out)
    monkeypatch.setattr(study, "need_cluster", lambda: seen.append("a cluster is there"))
    return seen


def test_what_a_run_is_handed(tmp_path, handed):
    table = [{**QUICK, "name": name} for name in "ab"]
    done = study.run_study(table, tmp_path, data=phantom(), progress=False, checkpoints=True)
    ((jobs, workers, backend, take),) = handed
    assert (workers, backend, take.__name__) == (1, None, "take")
    assert [one.setting.name for one in jobs] == ["a", "b"]
    for one in jobs:
        assert one.data is phantom()
        assert one.setting.source == "phantom"
        assert one.threads is None
        assert one.checkpoint == tmp_path / "checkpoints" / f"{one.setting.name}.pt"
        assert one.parent == os.getpid(), "its workers end with this process"
    assert (done.records, done.skipped) == ([], 0)
    assert [f.name for f in done.failures] == ["a", "b"]


def test_what_a_run_on_a_cluster_is_handed(tmp_path, handed):
    """Processes elsewhere watch nobody; how many threads they have is theirs to say."""
    study.run_study([{**QUICK, "name": "a"}], tmp_path, backend="dask", workers=3, progress=False)
    asked, (jobs, workers, backend, _) = handed
    assert asked == "a cluster is there"
    assert (workers, backend) == (3, "dask")
    (one,) = jobs
    assert (one.parent, one.threads, one.checkpoint, one.data) == (None, None, None, None)


def test_the_room_that_the_records_need_is_looked_for_first(tmp_path, handed, monkeypatch):
    asked = []
    monkeypatch.setattr(study, "need_folder", lambda *given, **more: asked.append((given, more)))
    table = [{**QUICK, "name": name} for name in "abc"]
    study.run_study(table, tmp_path, progress=False)
    remedy = "give another folder, or set HQNN_RESULTS to one of yours"
    assert asked == [((tmp_path, remedy), {"room": 60_000})]
    study.run_study([], tmp_path, progress=False)
    assert len(asked) == 1, "nothing to do needs no room"


@pytest.mark.parametrize(
    "wrong",
    [
        dict(workers=0),
        dict(workers=1025),
        dict(threads=0),
        dict(threads=1025),
        dict(checkpoints=1),
        dict(test_only="yes"),
        dict(family="a b"),
    ],
    ids=str,
)
def test_odd_arguments_are_named(tmp_path, handed, wrong):
    (name,) = wrong
    with pytest.raises((ValueError, TypeError), match="record name" if name == "family" else name):
        study.run_study([{**QUICK, "name": "a"}], tmp_path, progress=False, **wrong)
    assert handed == []
    assert not list(tmp_path.iterdir())


def test_names_that_are_one_file_on_some_systems(tmp_path, handed):
    table = [{**QUICK, "name": name} for name in ("Run", "other", "rUN")]
    with pytest.raises(
        StudyError,
        match=r"^the record names 'Run' and 'rUN' are one file on some systems: "
        r"let them differ in more than capital letters$",
    ):
        study.run_study(table, tmp_path, progress=False)
    same = [{**QUICK, "name": name} for name in ("caf\u00e9", "cafe\u0301")]
    with pytest.raises(StudyError, match=r"are one file on some systems|may hold letters"):
        study.run_study(same, tmp_path, progress=False)


def test_what_another_process_made_is_counted_and_shown(tmp_path, capsys):
    """Of three results one came from elsewhere, and one run failed."""
    store = study._Store(tmp_path, None)
    results = [record("a"), None, Failure("b", "ValueError: no", "here.py:1")]
    failures = study._collect(iter(results), store, 3, True)
    shown = capsys.readouterr().out
    assert [f.name for f in failures] == ["b"]
    assert "3/3" in shown
    assert "made by another process" in shown
    assert "auc=1.000" in shown
    assert "FAILED b: ValueError: no" in shown
    assert list(store.kept) == ["a"]
    assert study._collect(iter([]), store, 0, True) == []
    assert study._collect(iter([record("c")]), store, 1, False) == []
    assert capsys.readouterr().out == ""


def test_a_single_file_is_read_again_when_it_is_asked_for(tmp_path):
    store = study._Store(tmp_path, None)
    assert store.get("a") is None
    save_record(record("a", seed=3), tmp_path)
    assert store.get("a") == record("a", seed=3)
    store.save()
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
