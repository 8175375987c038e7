"""A table of settings in, one record a run out.

Locally, in several processes, or on a cluster; the call stays the same. Runs that have a record
are skipped. A run that fails, or whose process dies, is listed and stops no other. Records are
kept the moment they arrive, so an interrupted study goes on where it stopped.
``python -m hqnn_utils.studies`` is the same as a command.
"""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from hqnn_utils.records import Record, append_record, fold, load_record, save_record
from hqnn_utils.records.families import Follower, replace_record
from hqnn_utils.records.record import check_name
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.files import is_there, need_folder
from hqnn_utils.runtime.words import check, one_of, or_none, truth, whole
from hqnn_utils.studies.claimed import Claims
from hqnn_utils.studies.run import load_data, with_data
from hqnn_utils.studies.settings import Setting, StudyError, as_setting, with_defaults
from hqnn_utils.studies.workers import Failure, Job, carry_out, need_cluster


@dataclass
class Study:
    """What ``run_study`` returns.

    Attributes
    ----------
    records : all records of the table, in its order.
    failures : runs that gave none, with the error and where it arose.
    skipped : how many had a record before.
    seconds : spent.
    """

    records: list[Record]
    failures: list[Failure]
    skipped: int
    seconds: float

    def __repr__(self) -> str:
        counts = (
            f"{len(self.records)} records ({self.skipped} were there already), "
            f"{len(self.failures)} failures, {self.seconds:.0f} s"
        )
        return "\n".join([counts, *[f"  FAILED {f.name}: {f.error}" for f in self.failures]])


def run_study(
    table: list[dict | Setting],
    folder: str | os.PathLike,
    *,
    family: str | None = None,
    data=None,
    workers: int = 1,
    backend: str | None = None,
    threads: int | None = None,
    checkpoints: bool = False,
    progress: bool = True,
    test_only: bool = False,
    renew: bool = False,
) -> Study:
    """Carry out every setting of ``table`` that has no record in ``folder`` yet.

    Parameters
    ----------
    table : settings, or dicts of what differs from ``DEFAULTS``. ``grid`` makes tables.
    family : ``None`` writes one file a run; a name writes all runs into ``folder/<name>.json``,
        which is compact.
    data : images for all runs instead of those that the settings name (a notebook passes what it
        has loaded).
    workers : processes on this machine; the cores are divided among them. 1 runs in this process.
    backend : ``"dask"`` sends the runs to the cluster of the active ``dask.distributed.Client``
        through joblib's Dask backend (``pip install "hqnn_utils[cluster]"``). The records are the
        same as from a local run with as many threads.
    threads : of torch within a run; by default cores divided by workers.
    checkpoints : keep one file per run in ``folder/checkpoints`` after each epoch, so that even a
        run cut short goes on.
    test_only : keep the test predictions and the main scores of each run, no history: for series of
        hundreds of runs, see ``Record.test_only``.
    renew : make a record of other settings or other data anew instead of refusing it. For
        notebooks, in which one tries things out.

    Raises
    ------
    StudyError : an unknown key, two settings of one name, a record of other settings or other data,
        no cluster. Nothing has been trained then.
    """
    check(RULES, locals())
    is_there(folder)
    began, store = time.perf_counter(), _Store(folder, family, test_only)
    settings = [with_data(as_setting(row), data) for row in table]
    todo = _pending(settings, store, data, renew)
    if todo:
        remedy = "give another folder, or set HQNN_RESULTS to one of yours"
        need_folder(folder, remedy, room=RECORD_BYTES * len(todo))
    if backend == "dask":
        need_cluster()
    elif threads is None and workers > 1:
        threads = max(1, (os.cpu_count() or 1) // workers)
    jobs = [
        Job(
            setting,
            data,
            threads,
            checkpoint=_checkpoint(folder, setting) if checkpoints else None,
            parent=None if backend == "dask" else os.getpid(),
        )
        for setting in todo
    ]
    with Claims(folder, family, store.has_new) as claims:

        def run(some: list[Job]) -> Iterator[Record | Failure]:
            return carry_out(some, workers, backend, claims.take)

        results = _beside_others(jobs, run, store, claims)
        failures = _collect(results, store, len(jobs), progress)
    return Study(
        records=[store.kept[s.name] for s in settings if s.name in store.kept],
        failures=failures,
        skipped=len(settings) - len(todo),
        seconds=time.perf_counter() - began,
    )


RECORD_BYTES = 20_000  # about, of one run

RULES = {
    "backend": one_of("backend", (None, "dask")),
    "family": or_none(lambda name, value: check_name(value)),
    "workers": whole(1, most=1024),
    "threads": or_none(whole(1, most=1024)),
    "checkpoints": truth,
    "test_only": truth,
}


def _checkpoint(folder: str | os.PathLike, setting: Setting) -> Path:
    return Path(folder) / "checkpoints" / f"{setting.name}.pt"


def _beside_others(
    jobs: list[Job],
    run: Callable[[list[Job]], Iterator[Record | Failure]],
    store: _Store,
    claims: Claims,
) -> Iterator[Record | Failure | None]:
    """Results of all runs; ``None`` for one whose record another study has made meanwhile.

    A run that another study is at is left to it. In the end such runs are waited for; where that
    study fails or is killed, they are made here.
    """
    left = {job.setting.name: job for job in jobs}
    while left:
        for result in run(list(left.values())):
            del left[result.name]
            yield result  # kept, when this goes on
            claims.drop(result.name)
        began = time.monotonic()
        while left and not any(claims.take(name) for name in left):
            made = [name for name in left if store.has_new(name)]
            for name in made:
                del left[name]
                yield None
            if made:
                began = time.monotonic()
            elif time.monotonic() - began > PATIENCE:
                raise StudyError(
                    f"{len(left)} runs ({next(iter(left))!r}, ...) are being made by another "
                    "process, which has finished none for an hour: end it, and run the same call "
                    "again. All records made so far are kept"
                )
            else:
                time.sleep(0.5)


PATIENCE = 3600  # seconds to wait for a run of another study


def _collect(results, store: _Store, total: int, progress: bool) -> list[Failure]:
    """Keep each record as it arrives; returns the failures."""
    failures = []
    hidden = not progress or total == 0
    with tqdm(
        total=total, desc="study", unit="run", disable=hidden, file=sys.stdout, ncols=110
    ) as bar:
        try:
            for result in results:
                if result is None:
                    bar.set_postfix_str("made by another process")
                elif isinstance(result, Record):
                    store.add(result)
                    bar.set_postfix(auc=f"{result.scores['test']['auc']:.3f}")
                else:
                    failures.append(result)
                    if progress:
                        bar.write(f"FAILED {result.name}: {result.error}")
                bar.update()
        except KeyboardInterrupt:
            bar.write(
                "Interrupted; the records made so far are kept: run the same call again to go on."
            )
            raise
        finally:
            store.save()
    return failures


class _Store:
    """Records of a study: one file each in a folder, or one family file."""

    def __init__(self, folder: str | os.PathLike, family: str | None, test_only: bool = False):
        self.folder, self.test_only = Path(folder), test_only
        self.path = None if family is None else self.folder / f"{family}.json"
        self.kept: dict[str, Record] = {}
        self.to_renew: dict[str, str] = {}  # name of a record that does not fit -> fingerprint
        self._family = None if self.path is None else Follower(self.path)

    def get(self, name: str) -> Record | None:
        """The record of a run, whoever made it."""
        file = self.folder / f"{name}.json"
        if self._family is not None:
            self.kept.update(self._family.look())
        elif file.exists():
            self.kept[name] = load_record(file)
        return self.kept.get(name)

    def has_new(self, name: str) -> bool:
        """Whether a run has the record that it lacked when the study began."""
        record = self.get(name)
        return record is not None and record.fingerprint() != self.to_renew.get(name)

    def add(self, record: Record) -> None:
        """Keep a record at once; it costs the same however many there are."""
        if self.test_only:
            record = record.test_only()
        if self.path is None:
            save_record(record, self.folder)
        elif record.name in self.to_renew:
            replace_record(record, self.path)
        else:
            append_record(record, self.path)
        self.kept[record.name] = Record.from_dict(record.plain())  # as it is read again

    def save(self) -> None:
        """Fold what was appended into the family file."""
        if self.path is not None:
            fold(self.path)


def _pending(settings: list[Setting], store: _Store, data, renew: bool) -> list[Setting]:
    """The runs without a record.

    A record that does not fit is an error before anything starts, or with ``renew`` a run to make.
    """
    seen, todo = {}, []
    for setting in settings:
        same = unicodedata.normalize("NFC", setting.name).casefold()
        other = seen.get(same)
        if other == setting.name:
            raise StudyError(
                f"two settings have the record name {other!r}: "
                "give each a name of its own, or remove the repetition"
            )
        if other is not None:
            raise StudyError(
                f"the record names {other!r} and {setting.name!r} are one file on some systems: "
                "let them differ in more than capital letters"
            )
        seen[same] = setting.name
        kept = store.get(setting.name)
        if kept is None:
            todo.append(setting)
            continue
        try:
            _check_same_settings(setting, kept)
            _check_same_data(kept, load_data(setting) if data is None else data)
        except StudyError:
            if not renew:
                raise
            store.to_renew[setting.name] = kept.fingerprint()
            todo.append(setting)
    return todo


def _check_same_settings(setting: Setting, kept: Record) -> None:
    wanted, there = setting.stored(), with_defaults(kept.settings)
    changed = [
        f"{k}: {there.get(k, 'nothing')} there, {v} now"
        for k, v in wanted.items()
        if k not in there or there[k] != v
    ]
    if changed:
        raise StudyError(
            f"record {kept.name!r} was made with other settings ({'; '.join(changed)}): "
            "choose another name or folder, or delete it"
        )


def _check_same_data(kept: Record, data) -> None:
    there, now = (kept.data["name"], kept.data["digest"]), (data.name, data.digest)
    if there != now:  # the name says how the data were split, the digest what they are
        raise StudyError(
            f"record {kept.name!r} was made with other data ({there[0]}, digest "
            f"{there[1][:12]}...; now {now[0]}, {now[1][:12]}...): "
            "choose another folder, or delete it"
        )


checked(__name__)
