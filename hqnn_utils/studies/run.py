"""A table of settings in, one record a run out. Locally, in several processes, or on a cluster; the call stays the same.

Runs that have a record are skipped. A run that fails, or whose process dies, is listed and stops no other. Records are kept the moment
they arrive, so an interrupted study goes on where it stopped. ``hqnn_utils.plans`` has the same as a command.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import joblib
import numpy as np
import torch
from tqdm import tqdm

from hqnn_utils.data.images import ImageData, load_breastmnist
from hqnn_utils.data.splits.protocols import apply_protocol, shuffle_labels
from hqnn_utils.models import (
    build_backbone,
    build_head,
    build_model,
    count_parameters,
    extract_features,
)
from hqnn_utils.quantum.circuits import CircuitSpec
from hqnn_utils.runtime import choose, provenance
from hqnn_utils.studies.families import load_family, save_family
from hqnn_utils.studies.records import load_record, make_record, plain, save_record
from hqnn_utils.studies.settings import TRAINING, StudyError, complete, stored
from hqnn_utils.training.loop import fit, predict_proba, score_predictions


@dataclass
class Study:
    """What ``run_study`` returns: all records of the table in its order, failures (name, error, where), runs skipped, seconds."""

    records: list[dict]
    failures: list[dict]
    skipped: int
    seconds: float

    def __repr__(self) -> str:
        lines = [
            f"{len(self.records)} records ({self.skipped} were there already), {len(self.failures)} failures, {self.seconds:.0f} s"
        ]
        return "\n".join(lines + [f"  FAILED {f['name']}: {f['error']}" for f in self.failures])


@lru_cache(maxsize=4)
def _load(source: str, size: int) -> ImageData:
    return load_breastmnist(size, source)


def run_setting(
    full: dict,
    data: ImageData | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | str = False,
) -> dict:
    """One run from a complete setting to its record: load, split, train, choose on validation, score the test part once.

    A frozen backbone is run once over all images (its features are cached on disk) and only the head is trained.
    """
    whole = data if data is not None else _load(str(full["source"]), full["size"])
    split = apply_protocol(whole, **full["protocol"])
    split = shuffle_labels(split, full["seed"]) if full["labels"] == "shuffled" else split
    limited = split.limit_train(full["max_train"], full["seed"])
    spec, channels = CircuitSpec(**full["spec"]), 1 if split.images.ndim == 3 else 3
    started = time.process_time()
    if full["fine_tune"] == "frozen":
        with torch.random.fork_rng():
            torch.manual_seed(full["seed"])
            body = build_backbone(full["backbone"], channels, full["weights"], "frozen")
            model = build_head(full["head"], body.n_features, spec, full["engine"])
        x = torch.from_numpy(extract_features(body, split))
        if full["augment"] is not None:
            raise ValueError(
                "cached features of a frozen backbone cannot be augmented: set augment=None"
            )
    else:
        model = build_model(
            full["backbone"],
            full["head"],
            in_channels=channels,
            spec=spec,
            engine=full["engine"],
            weights=full["weights"],
            fine_tune=full["fine_tune"],
            seed=full["seed"],
        )
        x = split.tensors()[0]
    y, rows = (
        torch.from_numpy(split.labels.copy()),
        {name: torch.from_numpy(split.split == name) for name in ("val", "test")},
    )
    rows["train"] = torch.from_numpy(np.isin(split.ids, limited.ids[limited.split == "train"]))
    began = time.perf_counter()
    fitted = fit(
        model,
        (x[rows["train"]], y[rows["train"]]),
        (x[rows["val"]], y[rows["val"]]),
        checkpoint=checkpoint,
        progress=progress,
        **{k: full[k] for k in TRAINING},
    )
    used = time.process_time() - started
    probabilities = {}
    for name in ("val", "test"):
        p = predict_proba(model, x[rows[name]])
        probabilities[name] = (
            (p + predict_proba(model, x[rows[name]].flip(-1))) / 2 if full["test_flips"] else p
        )
    found, predictions = score_predictions(split, probabilities)
    found["fit"] = dict(
        best_epoch=fitted.best_epoch,
        best_val_auc=fitted.best_val_auc,
        epochs=len(fitted.history),
        n_train=int((limited.split == "train").sum()),
        parameters=count_parameters(model),
    )
    return make_record(
        full["name"],
        settings=stored(full),
        data=whole.describe(),
        scores=found,
        predictions=predictions,
        history=fitted.history,
        timing=dict(
            fit_seconds=fitted.seconds,
            cpu_seconds=used,
            seconds=time.perf_counter() - began,
            threads=torch.get_num_threads(),
        ),
        provenance=provenance(),
    )


def train_and_record(
    name: str,
    data: ImageData,
    folder: str | os.PathLike,
    *,
    progress: bool | str = False,
    **setting,
) -> dict:
    """One run for a notebook: the record of this setting from ``folder`` if it is there, else trained, tested once and kept.

    ``setting`` as in ``DEFAULTS``. A record of the same name but other settings or data is made anew: in a notebook one tries things out.
    """
    full, file = with_data(complete({**setting, "name": name}), data), Path(folder) / f"{name}.json"
    if file.exists():
        kept = load_record(file)
        if kept["data"] == plain(data.describe()) and kept["settings"] == stored(full):
            return kept
    record = run_setting(full, data, progress=progress)
    save_record(record, folder)
    return record


def prediction_record(
    name: str, data: ImageData, probabilities: dict[str, np.ndarray], settings: dict, **more
) -> dict:
    """A record from probabilities per split: for classifiers that are not torch modules. ``more`` goes to ``make_record``."""
    found, predictions = score_predictions(data, probabilities)
    return make_record(
        name, settings=settings, data=data.describe(), scores=found, predictions=predictions, **more
    )


def with_data(full: dict, data: ImageData | None) -> dict:
    """The setting of a run on images that were handed over: source and size are theirs."""
    return full if data is None else {**full, "source": data.source, "size": data.size}


def _task(
    full: dict,
    data: ImageData | None,
    threads: int | None,
    checkpoint: Path | None,
    progress: bool | str,
) -> dict:
    """``run_setting`` in whatever process: an error becomes an entry in the list of failures."""
    before = torch.get_num_threads()
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        record = run_setting(full, data, checkpoint, progress)
        if checkpoint is not None:
            Path(checkpoint).unlink(missing_ok=True)
        return {"record": record}
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return {
            "name": full["name"],
            "error": f"{type(error).__name__}: {error}",
            "where": f"{Path(where.filename).name}:{where.lineno}",
        }
    finally:
        torch.set_num_threads(before)


class _Store:
    """Records of a study: one file each in a folder, or one family file."""

    def __init__(self, folder: str | os.PathLike, family: str | None):
        self.folder, self.path = (
            Path(folder),
            None if family is None else Path(folder) / f"{family}.json",
        )
        self.kept = (
            {r["name"]: r for r in load_family(self.path)}
            if self.path is not None and self.path.exists()
            else {}
        )

    def get(self, name: str) -> dict | None:
        file = self.folder / f"{name}.json"
        if self.path is None and file.exists():
            self.kept[name] = load_record(file)
        return self.kept.get(name)

    def add(self, record: dict) -> None:
        self.kept[record["name"]] = plain(record)
        if self.path is None:
            save_record(record, self.folder)
        else:
            save_family(list(self.kept.values()), self.path)


def _pending(table: list[dict], store: _Store, data: ImageData | None) -> list[dict]:
    """The runs without a record. Two runs of one name, or a record that belongs to something else, are errors before anything starts."""
    seen, todo = {}, []
    for full in table:
        if full["name"] in seen:
            raise StudyError(
                f"two settings have the record name {full['name']!r}: give each a name of its own, or remove the repetition"
            )
        seen[full["name"]] = full
        kept = store.get(full["name"])
        if kept is None:
            todo.append(full)
            continue
        wanted, there = stored(full), kept["settings"]
        changed = [
            f"{k}: {there.get(k)} there, {v} now" for k, v in wanted.items() if there.get(k) != v
        ]
        if changed:
            raise StudyError(
                f"record {full['name']!r} was made with other settings ({'; '.join(changed)}): choose another name or folder, or delete it"
            )
        digest = (data if data is not None else _load(str(full["source"]), full["size"])).digest
        if kept["data"]["digest"] != digest:
            raise StudyError(
                f"record {full['name']!r} was made with other data ({kept['data']['name']}, digest {kept['data']['digest'][:12]}...; "
                f"now {digest[:12]}...): choose another folder, or delete it"
            )
    return todo


def run_study(
    table: list[dict],
    folder: str | os.PathLike,
    *,
    family: str | None = None,
    data: ImageData | None = None,
    workers: int = 1,
    backend: str | None = None,
    threads: int | None = None,
    checkpoints: bool = False,
    progress: bool = True,
) -> Study:
    """Carry out every setting of ``table`` that has no record in ``folder`` yet.

    Parameters
    ----------
    table : settings as dicts, see ``DEFAULTS``; what a setting does not name has its default. ``grid`` makes tables.
    family : ``None`` writes one file a run; a name writes all runs into ``folder/<name>.json``, which is compact.
    data : images for all runs instead of ``source`` and ``size`` (a notebook passes what it has loaded).
    workers : processes on this machine; the cores are divided among them. 1 runs in this process.
    backend : ``"dask"`` sends the runs to the cluster of the active ``dask.distributed.Client`` through joblib's Dask backend
        (``pip install "hqnn_utils[cluster]"``). The records are the same as from a local run with as many threads.
    threads : of torch within a run; by default cores divided by workers.
    checkpoints : keep one file per run in ``folder/checkpoints`` after each epoch, so that even a run cut short goes on.

    Raises
    ------
    StudyError : unknown key, two settings of one name, a record of other settings or other data, no cluster. Nothing has been trained then.
    """
    choose("backend", backend, (None, "dask"))
    began, fulls, store = (
        time.perf_counter(),
        [with_data(complete(s), data) for s in table],
        _Store(folder, family),
    )
    todo, failures = _pending(fulls, store, data), []
    skipped = len(fulls) - len(todo)
    if backend == "dask":
        _need_client()
    elif threads is None:
        threads = max(1, (os.cpu_count() or 1) // max(1, workers)) if workers > 1 else None
    bar = tqdm(
        total=len(todo),
        desc="study",
        unit="run",
        disable=not progress or not todo,
        file=sys.stdout,
        ncols=110,
    )
    calls = {
        f["name"]: (
            f,
            data,
            threads,
            Path(folder) / "checkpoints" / f"{f['name']}.pt" if checkpoints else None,
            False,
        )
        for f in todo
    }
    try:
        for result in _carry_out(calls, workers, backend):
            if "record" in result:
                store.add(result["record"])
                bar.set_postfix(auc=f"{result['record']['scores']['test']['auc']:.3f}")
            else:
                failures.append(result)
                if progress:
                    bar.write(f"FAILED {result['name']}: {result['error']}")
            bar.update()
    except KeyboardInterrupt:
        bar.write(
            "Interrupted; the records made so far are kept: run the same call again to go on."
        )
        raise
    finally:
        bar.close()
    names = [f["name"] for f in fulls]
    return Study(
        [store.kept[n] for n in names if n in store.kept],
        failures,
        skipped,
        time.perf_counter() - began,
    )


def _need_client() -> None:
    try:
        from dask.distributed import get_client

        get_client()
    except ImportError:
        raise StudyError(
            'backend="dask" needs dask.distributed: pip install "hqnn_utils[cluster]"'
        ) from None
    except ValueError:
        raise StudyError(
            'backend="dask" finds no cluster: make a dask.distributed.Client first, e.g. Client("scheduler-address:8786")'
        ) from None


def _carry_out(calls: dict[str, tuple], workers: int, backend: str | None):
    """Yield results as they arrive. When a worker process dies, joblib gives the whole batch up: the runs that were under way are then
    tried one by one, each in a process of its own, so that only the one that kills its process is listed as failed."""
    left = dict(calls)
    while left:
        try:
            for result in _batch(list(left.values()), workers, backend):
                left.pop(result["record"]["name"] if "record" in result else result["name"])
                yield result
        except Exception:  # TerminatedWorkerError of loky, KilledWorker of dask: no common class
            for name in list(left)[: max(2, 2 * workers)]:
                yield _alone(left.pop(name), backend)


def _batch(calls: list[tuple], workers: int, backend: str | None):
    if backend is None and workers <= 1:
        yield from (_task(*call) for call in calls)
        return
    options = dict(backend="dask") if backend == "dask" else dict(backend="loky", n_jobs=workers)
    with joblib.parallel_config(**options):
        yield from joblib.Parallel(
            return_as="generator_unordered",
            pre_dispatch="all" if backend == "dask" else "2*n_jobs",
            batch_size=1,
        )(joblib.delayed(_task)(*call) for call in calls)


def _alone(call: tuple, backend: str | None) -> dict:
    options = (
        dict(backend="dask") if backend == "dask" else dict(backend="loky", n_jobs=2)
    )  # one job in a process that may die
    try:
        with joblib.parallel_config(**options):
            return joblib.Parallel(batch_size=1)([joblib.delayed(_task)(*call)])[0]
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:200]
        reason = f"its worker process died, out of memory or killed from outside ({type(error).__name__}: {first})"
        return {"name": call[0]["name"], "error": reason, "where": "worker"}
