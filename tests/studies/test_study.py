"""Skip, continue, list what failed, refuse what does not fit."""

import json
from dataclasses import replace

import pytest
import torch
from study_toys import QUICK, TABLE, phantom, prints

from hqnn_utils.data.splits import apply_protocol
from hqnn_utils.records import RecordError, save_record
from hqnn_utils.studies import (
    Record,
    StudyError,
    as_setting,
    grid,
    load_all,
    run_study,
    study,
    workers,
)
from hqnn_utils.studies import run as run_module


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    folder = tmp_path_factory.mktemp("local")
    return folder, run_study(TABLE, folder, threads=1, progress=False)


def test_a_study_makes_records_and_then_skips_them(local):
    folder, done = local
    assert [r.name for r in done.records] == [as_setting(row).name for row in TABLE]
    assert not done.failures
    assert done.skipped == 0
    assert done.seconds > 0
    assert repr(done).startswith("4 records (0 were there already), 0 failures, ")
    assert repr(done).endswith(" s")
    first = done.records[2]
    assert first.settings["head"] == "dressed"
    assert first.scores["fit"]["n_train"] == 32
    assert len(first.predictions["test"]["ids"]) == 156
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    again = run_study(TABLE, folder, threads=1, progress=False)
    assert again.skipped == 4
    assert prints(again) == prints(done)
    assert before == {p: p.stat().st_mtime_ns for p in folder.iterdir()}


def test_settings_and_dicts_are_the_same(local):
    folder, done = local
    again = run_study([as_setting(row) for row in TABLE], folder, progress=False)
    assert again.skipped == 4
    assert prints(again) == prints(done)


def test_records_are_returned_as_they_are_read(local):
    folder, done = local
    assert sorted(done.records, key=lambda r: r.name) == load_all(folder)


def test_a_family_is_one_file(tmp_path, local):
    done = run_study(TABLE[:2], tmp_path, threads=1, progress=False, family="heads")
    assert [p.name for p in tmp_path.iterdir()] == ["heads.json"]
    assert prints(done) == prints(local[1])[:2]
    more = run_study(TABLE[1:3], tmp_path, threads=1, progress=False, family="heads")
    assert more.skipped == 1
    assert [r.name for r in load_all(tmp_path)] == [as_setting(r).name for r in TABLE[:3]]


def test_a_long_series_keeps_the_test_part_only(tmp_path, local):
    _, whole = local
    done = run_study(TABLE, tmp_path, family="short", progress=False, test_only=True)
    for short, record in zip(done.records, whole.records, strict=True):
        assert short == Record.from_dict(record.test_only().plain() | _volatile(short))
        assert short.history == []
        assert list(short.predictions) == ["test"]
        assert short.predictions["test"] == record.predictions["test"]
        assert list(short.scores) == ["test", "fit"]
    again = run_study(TABLE, tmp_path, family="short", progress=False, test_only=True)
    assert again.skipped == 4


def _volatile(record):
    return {"timing": record.timing, "provenance": record.provenance}


def test_a_record_is_kept_at_once_and_folded_at_the_end(tmp_path, local):
    store = study._Store(tmp_path, "slow")
    record = local[1].records[0]
    for i in range(3):
        store.add(replace(record, name=f"run{i}"))
        assert [r.name for r in load_all(tmp_path)] == [f"run{k}" for k in range(i + 1)]
    assert [p.name for p in tmp_path.iterdir()] == ["slow.json.new"]
    before = load_all(tmp_path)
    for _ in range(2):
        store.save()
        assert [p.name for p in tmp_path.iterdir()] == ["slow.json"]
        assert load_all(tmp_path) == before


def test_an_interrupt_writes_what_is_there(tmp_path, monkeypatch):
    made = study.carry_out

    def two_then_stop(*arguments):
        results = made(*arguments)
        yield next(results)
        yield next(results)
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "carry_out", two_then_stop)
    with pytest.raises(KeyboardInterrupt):
        run_study(TABLE, tmp_path, family="cut", progress=False)
    assert len(load_all(tmp_path)) == 2


def test_progress(tmp_path, capsys):
    run_study(TABLE[:1], tmp_path, threads=1)
    shown = capsys.readouterr().out
    assert "study" in shown
    assert "auc=" in shown
    assert "1/1" in shown
    run_study(TABLE[:1], tmp_path, threads=1)
    assert capsys.readouterr().out == "", "nothing to do, nothing to show"
    run_study(TABLE[1:2], tmp_path, threads=1, progress=False)
    assert capsys.readouterr().out == ""


def test_a_failed_run_is_listed_and_stops_no_other(tmp_path, capsys):
    bad = dict(QUICK, head="linear", seed=0, lr=1e9, epochs=3, name="explodes")
    done = run_study([bad, *TABLE[:1]], tmp_path, threads=1)
    assert [r.name for r in done.records] == [as_setting(TABLE[0]).name]
    (failure,) = done.failures
    assert failure.name == "explodes"
    assert failure.error.startswith("TrainingError: ")
    assert failure.where.startswith("loop.py:")
    assert f"\n  FAILED explodes: {failure.error}" in repr(done)
    assert f"FAILED explodes: {failure.error}" in capsys.readouterr().out
    assert not (tmp_path / "explodes.json").exists(), "it is tried again next time"
    run_study([bad], tmp_path, threads=1, progress=False)
    assert capsys.readouterr().out == ""


def test_interrupt_keeps_what_is_there_and_goes_on(tmp_path, monkeypatch, capsys, local):
    calls, original = [], workers.run_job

    def stops(job):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(job)

    monkeypatch.setattr(workers, "run_job", stops)
    with pytest.raises(KeyboardInterrupt):
        run_study(TABLE, tmp_path, threads=1, family="heads")
    shown = capsys.readouterr().out
    assert (
        "Interrupted; the records made so far are kept: run the same call again to go on." in shown
    )
    monkeypatch.undo()
    done = run_study(TABLE, tmp_path, threads=1, family="heads", progress=False)
    assert done.skipped == 2
    assert prints(done) == prints(local[1])


def test_a_run_cut_short_goes_on_from_its_checkpoint(tmp_path, monkeypatch):
    """The first call dies in epoch 2, the second ends with the record of an unbroken run."""
    from hqnn_utils.training import loop

    table = [dict(QUICK, epochs=3)]
    whole = run_study(table, tmp_path / "a", threads=1, progress=False)
    saves, original = [], loop.save_checkpoint

    def dies(*arguments):
        original(*arguments)
        saves.append(1)
        if len(saves) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", dies)
    with pytest.raises(KeyboardInterrupt):
        run_study(table, tmp_path / "b", threads=1, checkpoints=True, progress=False)
    kept = tmp_path / "b" / "checkpoints"
    assert [p.name for p in kept.iterdir()] == [f"{as_setting(table[0]).name}.pt"]
    seen = []
    monkeypatch.setattr(loop, "save_checkpoint", lambda *a: (seen.append(1), original(*a)))
    resumed = run_study(table, tmp_path / "b", threads=1, checkpoints=True, progress=False)
    assert len(seen) == 1
    assert prints(resumed) == prints(whole)
    assert not list(kept.iterdir()), "a finished run needs no checkpoint"
    assert not (tmp_path / "a" / "checkpoints").exists(), "none are kept unless asked for"


def test_bad_settings_are_named_before_anything_runs(tmp_path):
    with pytest.raises(StudyError, match="unknown head 'qnn'"):
        run_study([dict(QUICK), {**QUICK, "head": "qnn"}], tmp_path, progress=False)
    with pytest.raises(ValueError, match=r"^unknown backend 'slurm'; known: None, dask$"):
        run_study([dict(QUICK)], tmp_path, progress=False, backend="slurm")
    same = [dict(QUICK, name="same"), dict(QUICK, name="same", seed=1)]
    with pytest.raises(
        StudyError,
        match=r"^two settings have the record name 'same': "
        "give each a name of its own, or remove the repetition$",
    ):
        run_study(same, tmp_path, progress=False)
    assert not list(tmp_path.iterdir())


def kept_record(folder, **changes):
    """A record of QUICK as a study keeps it, without training."""
    setting = as_setting({**QUICK, "name": "one"})
    part = dict(ids=["a", "b"], labels=[0, 1], probabilities=[0.1, 0.9])
    record = Record(
        "one",
        settings=setting.stored(),
        data=phantom().describe(),
        scores={"test": {"auc": 1.0}},
        predictions={"test": part},
    )
    return save_record(replace(record, **changes), folder)


def test_a_record_of_other_settings_is_refused(tmp_path):
    path = kept_record(tmp_path)
    before = path.read_bytes()
    with pytest.raises(
        StudyError,
        match=r"^record 'one' was made with other settings "
        r"\(epochs: 1 there, 2 now; head: linear there, mlp now\): "
        r"choose another name or folder, or delete it$",
    ):
        run_study([dict(QUICK, name="one", epochs=2, head="mlp")], tmp_path, progress=False)
    assert path.read_bytes() == before


def test_a_record_of_other_data_is_refused(tmp_path):
    kept_record(tmp_path)
    with pytest.raises(
        StudyError,
        match=r"^record 'one' was made with other data \(phantom-seed0, digest .{12}\.\.\.; "
        r"now phantom-seed1, .{12}\.\.\.\): choose another folder, or delete it$",
    ):
        run_study([dict(QUICK, name="one")], tmp_path, data=phantom(1), progress=False)


def test_a_record_that_does_not_fit_can_be_made_anew(tmp_path):
    def one(data=None, **changes):
        table = [dict(QUICK, name="one", **changes)]
        return run_study(table, tmp_path, data=data, renew=True, progress=False)

    assert one().skipped == 0
    assert one().skipped == 1, "what is there is not made again"
    assert [len(r.history) for r in one(epochs=2).records] == [2], "other settings"
    (other,) = one(phantom(1), epochs=2).records
    assert other.data["digest"] == phantom(1).digest, "other data"
    assert [p.name for p in tmp_path.iterdir()] == ["one.json"]


def test_a_record_of_a_classifier_that_is_no_run_is_refused(tmp_path):
    kept_record(tmp_path, settings=dict(model="tree", seed=0))
    with pytest.raises(StudyError, match=r"other settings .*head: nothing there, linear now"):
        run_study([dict(QUICK, name="one")], tmp_path, data=phantom(), progress=False)


def test_a_record_of_the_same_data_in_another_split_is_refused(tmp_path):
    kept_record(tmp_path)
    other = apply_protocol(phantom(), "random", seed=1)
    with pytest.raises(StudyError, match=r"made with other data .*now phantom-seed0-random-s1"):
        run_study([dict(QUICK, name="one")], tmp_path, data=other, progress=False)


def test_an_old_record_lacks_new_keys_and_is_still_the_same_run(tmp_path):
    """A new option of training must not make stored records "other settings"."""
    old = as_setting({**QUICK, "name": "one"}).stored()
    del old["warmup"], old["dataset"], old["data_options"]
    kept_record(tmp_path, settings=old)
    done = run_study([dict(QUICK, name="one")], tmp_path, progress=False)
    assert done.skipped == 1
    with pytest.raises(StudyError, match="epochs: 1 there, 2 now; warmup: 0 there, 1 now"):
        run_study([dict(QUICK, name="one", warmup=1, epochs=2)], tmp_path, progress=False)


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "one.json").write_text("{")
    with pytest.raises(RecordError, match=r"one\.json is damaged"):
        run_study([dict(QUICK, name="one")], tmp_path, progress=False)


def test_data_of_a_notebook_give_source_and_size(tmp_path):
    done = run_study(
        [dict(epochs=1, max_train=32, name="one")], tmp_path, data=phantom(1), progress=False
    )
    assert done.records[0].settings["source"] == "phantom"
    assert done.records[0].settings["size"] == 16
    assert done.records[0].data["digest"] == phantom(1).digest


# Marked slow because torch's second thread would hang the forked processes of mutation testing.
@pytest.mark.slow
def test_threads_are_set_for_a_run_and_put_back(tmp_path, monkeypatch):
    before, seen = torch.get_num_threads(), []
    original = run_module.fit
    monkeypatch.setattr(
        run_module,
        "fit",
        lambda *a, **k: (seen.append(torch.get_num_threads()), original(*a, **k))[1],
    )
    run_study([dict(QUICK)], tmp_path / "a", threads=before + 1, progress=False)
    assert torch.get_num_threads() == before
    run_study([dict(QUICK)], tmp_path / "b", progress=False)
    assert seen == [before + 1, before]


@pytest.mark.parametrize(
    ("workers_wanted", "cores", "threads"), [(1, 8, None), (2, 8, 4), (8, 2, 1), (3, None, 1)]
)
def test_cores_are_divided_among_workers(tmp_path, monkeypatch, workers_wanted, cores, threads):
    seen = []

    def carry_out(jobs, number, backend, take):
        seen.append(([job.threads for job in jobs], number, backend))
        return iter([workers.Failure(job.setting.name, "not run", "") for job in jobs])

    monkeypatch.setattr(study, "carry_out", carry_out)
    monkeypatch.setattr(study.os, "cpu_count", lambda: cores)
    run_study(TABLE[:1], tmp_path, workers=workers_wanted, progress=False)
    assert seen == [([threads], workers_wanted, None)]
    run_study(TABLE[:1], tmp_path, workers=workers_wanted, threads=5, progress=False)
    assert seen[1][0] == [5]


def test_a_grid_is_a_table(tmp_path):
    done = run_study(grid(**QUICK, seed=[3]), tmp_path, progress=False)
    assert json.loads(next(tmp_path.glob("*.json")).read_text())["settings"]["seed"] == 3
    assert len(done.records) == 1
