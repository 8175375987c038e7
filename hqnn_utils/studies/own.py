"""A study of one's own: a plan that is kept before anything runs, a table of settings, the runs.

``OwnPlan`` is what is asked, ``OwnSettings`` with what; ``keep_plan`` writes both down with a
digest and a date, and ``carry_out`` runs nothing without them. ``report`` puts it into words.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from hqnn_utils.data import DATASETS, Dataset, FeatureTable
from hqnn_utils.data.medmnist_sets import two_dimensional_sets
from hqnn_utils.evaluation.claims import MARGIN
from hqnn_utils.models import build_backbone, control_of, extract_features, holds_circuit
from hqnn_utils.quantum import CircuitSpec
from hqnn_utils.records import Record, load_family, plain
from hqnn_utils.records.families import appended
from hqnn_utils.records.record import digest_of
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.files import need_folder
from hqnn_utils.studies.designs import FEWEST_RUNS, Claim, Design
from hqnn_utils.studies.plans import over_folds
from hqnn_utils.studies.planted import with_labels_of_a_circuit
from hqnn_utils.studies.run import load_data, with_data
from hqnn_utils.studies.search import chosen, search_table
from hqnn_utils.studies.settings import Setting, StudyError, as_setting
from hqnn_utils.studies.study import Study, run_study
from hqnn_utils.studies.tables import head_and_circuit

PLAN_FILE = "plan.jsonl"  # a line a version; nothing is ever taken away
FAMILIES = ("tuning", "main", "shuffled", "planted")  # the files of records beside it
MOST_QUBITS = 10  # of a circuit that trains in seconds here
PATIENCE = 3  # times the epochs on labels of a circuit
WORDS = 5  # of a sentence of the plan, at least
# What may be compared, and what it is.
CONDITIONS = {
    "circuit": "the head with the circuit",
    "mixing": "in the circuit's place a classical map of its size that mixes as it does",
    "matched": "in the circuit's place a classical map of its size",
    "untrained": "the circuit with angles that stay as they were drawn",
    "unentangled": "the circuit without its two-qubit gates",
    "linear": "one linear layer on the same features",
}


@dataclass(frozen=True, kw_only=True)
class OwnPlan:
    """What is asked and what will count as an answer, before anything has run.

    Attributes
    ----------
    question : in a sentence.
    primary : the comparison that decides: names (A, B) in ``CONDITIONS``. Asked is whether A adds
        at least the margin to B, in AUC.
    others : further comparisons, pairs of names. Holm's correction goes over all together.
    margin : differences inside it count as none, in AUC.
    seeds : runs of each condition; with folds, repetitions of all folds.
    expected_error : standard error of a difference that is expected, in AUC, from a simulation.
    if_supported, if_excluded : what you will say in either case, a sentence each.

    Raises
    ------
    StudyError : a part that is missing or does not fit; the message names it and the remedy.
    """

    question: str
    primary: tuple[str, str]
    others: tuple[tuple[str, str], ...] = ()
    margin: float = MARGIN
    seeds: int = 10
    expected_error: float
    if_supported: str
    if_excluded: str

    def __post_init__(self):
        for name in ("question", "if_supported", "if_excluded"):
            text = getattr(self, name)
            if not isinstance(text, str) or len(text.split()) < WORDS:
                raise StudyError(
                    f"plan: {name} is {text!r}: write a sentence, {WORDS} words or more"
                )
        for pair in self.pairs:
            _check_pair(pair)
        if len(set(self.pairs)) < len(self.pairs):
            raise StudyError(f"plan: a comparison is there twice in {self.pairs}: name each once")
        if not isinstance(self.seeds, int) or self.seeds < FEWEST_RUNS:
            raise StudyError(
                f"plan: {self.seeds!r} seeds are too few, the judge needs {FEWEST_RUNS} and the "
                "course asks for 10: set seeds=10"
            )
        for name, most in (("margin", 0.5), ("expected_error", 0.5)):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not 0 < value < most:
                raise StudyError(
                    f"plan: {name} is {value!r}, expected a difference of AUC above 0 and below "
                    f"{most}: two points are 0.02"
                )

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All comparisons, the primary one first."""
        return (self.primary, *self.others)

    @property
    def names(self) -> list[str]:
        """The conditions that occur, in their order."""
        return list(dict.fromkeys(name for pair in self.pairs for name in pair))


def _check_pair(pair) -> None:
    if not isinstance(pair, tuple) or len(pair) != 2 or pair[0] == pair[1]:
        raise StudyError(f"plan: {pair!r} is no comparison: give two names, ('circuit', 'mixing')")
    for name in pair:
        try:
            choose("condition of the plan", name, CONDITIONS)
        except ValueError as error:
            raise StudyError(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class OwnSettings:
    """With what the plan is carried out: data, circuit, training. One table, all that is chosen.

    Attributes
    ----------
    dataset : a name in ``data.DATASETS``, or of any flat MedMNIST set.
    positive : for the latter, the raw label (or labels) that count as 1.
    source, size, data_options : as in ``studies.Setting``; ``size`` in pixels, not for tables.
    folds : 0 takes the split that the data came with and asks about other images; 3 or more make a
        cross-validation, by patient where patients are known, and ask about other training sets.
    backbone, weights, resize : the network whose frozen features are used; ``"none"`` for tables.
    head : a head with a circuit and all its controls: ``"dressed"`` or ``"study_hybrid"``.
    spec : arguments of ``CircuitSpec``.
    rates : learning rates that are tried for **every** condition on inner folds.
    circuit_rate : the core's rate is this many times the head's.
    epochs, batch_size, inner_folds : as they are called.

    Raises
    ------
    StudyError : names the setting and the remedy.
    """

    dataset: str = "wisconsin"
    positive: int | tuple[int, ...] | None = None
    source: str = "medmnist"
    size: int = 28
    data_options: dict = field(default_factory=dict)
    folds: int = 0
    backbone: str = "none"
    weights: str | None = None
    resize: int | None = None
    head: str = "dressed"
    spec: dict = field(default_factory=dict)
    rates: tuple[float, ...] = (0.003, 0.01, 0.03)
    circuit_rate: float = 10.0
    epochs: int = 30
    batch_size: int = 64
    inner_folds: int = 3

    def __post_init__(self):
        if self.folds and self.folds < 3:
            raise StudyError(f"settings: folds is {self.folds}: set 0, or 3 or more")
        if not self.rates:
            raise StudyError("settings: rates is empty: name one learning rate or more")
        _check_head(self.head)
        self.row("circuit", 0)  # everything else is what a setting checks
        if self.circuit.n_qubits > MOST_QUBITS:
            raise StudyError(
                f"settings: a circuit of {self.circuit.n_qubits} qubits has a state of "
                f"{2**self.circuit.n_qubits:,} numbers and does not train in seconds: set n_qubits "
                f"to {MOST_QUBITS} or fewer in spec"
            )

    @property
    def circuit(self) -> CircuitSpec:
        """The circuit of the head."""
        return CircuitSpec(**self.spec)

    @property
    def estimand(self) -> str:
        """A key of ``claims.ESTIMANDS``."""
        return "training sets" if self.folds else "images"

    def row(self, condition: str, seed: int, rate: float | None = None, **more) -> Setting:
        """The setting of one run of a condition. StudyError where a value does not fit."""
        head, spec = self._head_of(condition)
        rate = self.rates[0] if rate is None else rate
        content = {
            **self._data(),
            "backbone": self.backbone,
            "weights": self.weights,
            "resize": self.resize,
            "fine_tune": "full" if self.backbone == "none" else "frozen",
            "head": head,
            "spec": spec,
            "lr": {"head": rate, "circuit": self.circuit_rate * rate},
            "augment": None,
            "epochs": self.epochs,
            "patience": None,
            "batch_size": self.batch_size,
            "seed": seed,
            **more,
        }
        return as_setting(content)

    def _data(self) -> dict:
        if self.dataset in DATASETS:
            about = {"dataset": self.dataset, "data_options": dict(self.data_options)}
        elif self.dataset in two_dimensional_sets():
            if self.positive is None:
                raise StudyError(
                    f"settings: dataset {self.dataset!r} needs positive=, the label that counts as "
                    f"1; its labels: {_labels_of(self.dataset)}"
                )
            options = {"flag": self.dataset, "positive": self.positive, **self.data_options}
            about = {"dataset": "medmnist", "data_options": options}
        else:
            known = ", ".join(sorted({*DATASETS, *two_dimensional_sets()} - {"medmnist"}))
            raise StudyError(f"settings: unknown dataset {self.dataset!r}; known: {known}")
        return {**about, "source": self.source, "size": self.size}

    def _head_of(self, condition: str) -> tuple[str, dict]:
        choose("condition", condition, CONDITIONS)
        if condition == "linear":
            return "linear", {}
        if condition == "unentangled":
            return self.head, {**self.spec, "entangler": "none"}
        core = {"mixing": "mixing", "matched": "matched", "untrained": "frozen"}.get(condition)
        return (control_of(self.head, core) if core else self.head), dict(self.spec)

    def protocols(self, seed: int, data: Dataset) -> list[dict]:
        """The splits of one seed: that of the data, or all folds of one repetition."""
        if not self.folds:
            return [{"kind": "official"}]
        kind = "by_patient" if hasattr(data, "patients") else "cross_validation"
        return [
            {"kind": kind, "folds": self.folds, "fold": fold, "seed": seed}
            for fold in range(self.folds)
        ]


def _labels_of(flag: str) -> str:
    from medmnist import INFO

    return ", ".join(f"{raw} {name}" for raw, name in INFO[flag]["label"].items())


def _check_head(head: str) -> None:
    try:
        control_of(head, "mixing")
        control_of(head, "frozen")
        with_circuit = holds_circuit(head)
    except ValueError as error:
        raise StudyError(
            f"settings: head {head!r} has not all controls ({error}): set head='dressed' or "
            "'study_hybrid'"
        ) from None
    if not with_circuit:
        raise StudyError(f"settings: head {head!r} holds no circuit: set head='dressed'")


# --------------------------------------------------------------------------- the plan, kept


@dataclass(frozen=True)
class Kept:
    """A plan as it lies in a folder.

    Attributes
    ----------
    versions : each with its ``digest``, when it was ``written`` (UTC), and how many
        ``records_there`` had been at that moment.
    """

    versions: tuple[dict, ...]

    @property
    def digest(self) -> str:
        """Of the version that holds."""
        return self.versions[-1]["digest"]

    @property
    def was_changed(self) -> bool:
        """Whether a version, be it the first, came after runs had been made."""
        return any(version["records_there"] for version in self.versions)

    def __repr__(self) -> str:
        first, last = self.versions[0], self.versions[-1]
        text = f"plan {last['digest'][:12]}, written {last['written']}"
        if len(self.versions) == 1:
            return f"{text}; the only version, {first['records_there']} runs were there before it"
        after = ", ".join(str(version["records_there"]) for version in self.versions[1:])
        return (
            f"{text}; version {len(self.versions)}, the first is {first['digest'][:12]} of "
            f"{first['written']}; runs that were there at each change: {after}"
        )


def keep_plan(plan: OwnPlan, settings: OwnSettings, folder: str | Path) -> Kept:
    """Write plan and settings into ``folder``, with digest and date, unless they stand there.

    Another plan does not take the place of the first: it is written behind it, with the number of
    runs that were there by then. The file lies on your own disk, so it proves nothing to others:
    for that, commit it or register it where the date is not yours.
    """
    content = _content(plan, settings)
    versions = list(_versions(folder))
    if not versions or versions[-1]["digest"] != digest_of(content):
        versions.append(
            {
                "digest": digest_of(content),
                "written": datetime.now(UTC).isoformat(timespec="seconds"),
                "records_there": len(_records(folder)),
                "content": content,
            }
        )
        need_folder(folder, "give another folder, or set HQNN_RESULTS to one of yours")
        with (Path(folder) / PLAN_FILE).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(versions[-1]) + "\n")
    return Kept(tuple(versions))


def need_plan(plan: OwnPlan, settings: OwnSettings, folder: str | Path) -> Kept:
    """The plan that was kept. StudyError where there is none, or another one."""
    versions = _versions(folder)
    if not versions:
        raise StudyError(
            f"no plan in {folder}: nothing runs before it is written down. "
            "Call keep_plan(plan, settings, folder) first"
        )
    if versions[-1]["digest"] != digest_of(_content(plan, settings)):
        raise StudyError(
            f"the plan in {folder} is another one ({versions[-1]['written']}): go back to it, or "
            "call keep_plan again, and the report will say that the plan was changed"
        )
    return Kept(versions)


def _content(plan: OwnPlan, settings: OwnSettings) -> dict:
    return plain({"plan": asdict(plan), "settings": asdict(settings)})


def _versions(folder: str | Path) -> tuple[dict, ...]:
    path = Path(folder) / PLAN_FILE
    if not path.exists():
        return ()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        found = [json.loads(line) for line in lines]
        changed = [v for v in found if digest_of(v["content"]) != v["digest"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StudyError(f"{path} is no plan, or damaged ({error}): restore or remove it") from None
    if changed:
        raise StudyError(f"{path} was edited by hand, its digest does not fit: restore it")
    return tuple(found)


def _records(folder: str | Path) -> list[Record]:
    paths = [Path(folder) / f"{family}.json" for family in FAMILIES]
    return [r for p in paths if p.exists() or appended(p).exists() for r in load_family(p)]


# --------------------------------------------------------------------------- the runs


@dataclass(frozen=True)
class Done:
    """What a study of one's own has made.

    Attributes
    ----------
    plan, settings, kept : as they went in.
    data : the examples with their split.
    design : the comparisons, as ``designs.judge_design`` takes them.
    records, shuffled, planted : runs on the labels, on shuffled ones, and on labels of a circuit.
    tuning : pandas table of what was tried, see ``search.search_table``; ``None`` for one rate.
    seconds : spent.
    """

    plan: OwnPlan
    settings: OwnSettings
    kept: Kept
    data: Dataset
    design: Design
    records: list[Record]
    shuffled: list[Record]
    planted: list[Record]
    tuning: object
    seconds: float


def carry_out(
    plan: OwnPlan,
    settings: OwnSettings,
    folder: str | Path,
    data: Dataset | None = None,
    progress: bool = False,
) -> Done:
    """Tune every condition alike, run all seeds, then both controls of the study itself.

    1. Each learning rate for each condition, on inner folds that the test part has no share in.
    2. Every condition with its best rate: all seeds, or all folds of all repetitions.
    3. The circuit with shuffled training labels: what it finds then is chance.
    4. Both sides of the primary comparison on labels that the circuit made, with three times the
       epochs: there A wins over a control that cannot do the same. A judge that does not say so
       cannot be believed.

    Parameters
    ----------
    folder : of the plan; the records go there too, one file each for tuning, runs and controls.
    data : examples to use instead of those that the settings name.

    Raises
    ------
    StudyError : no plan, another plan, a run that failed.
    DataError : the data cannot be had.
    """
    kept = need_plan(plan, settings, folder)
    if data is None:
        data = load_data(settings.row("circuit", 0))
    _check_kind(settings, data)
    planted_data = _planted(settings, data)  # an error here comes before the runs

    def study(rows: list[Setting], family: str, on: Dataset) -> Study:
        found = run_study(
            rows, folder, family=family, data=on, progress=progress, test_only=True, renew=True
        )
        if found.failures:
            first = found.failures[0]
            raise StudyError(f"{len(found.failures)} runs failed; {first.name}: {first.error}")
        return found

    rates, tuning, seconds = dict.fromkeys(plan.names, settings.rates[0]), None, 0.0
    if len(settings.rates) > 1:
        tried = study(_tuning_rows(plan, settings), "tuning", data)
        tuning, seconds = search_table(tried.records, ("lr",)), tried.seconds
        best = chosen(tried.records, ("lr",))
        rates = {name: _best_rate(settings, name, best) for name in plan.names}
    parts = {
        "main": _rows(plan.names, plan, settings, data, rates),
        "shuffled": _rows(plan.names[:1], plan, settings, data, rates, labels="shuffled"),
    }
    found = {family: study(rows, family, data) for family, rows in parts.items()}
    found["planted"] = study(_planted_rows(plan, settings, rates), "planted", planted_data)
    return Done(
        plan,
        settings,
        kept,
        data,
        _design(plan, settings, data, rates),
        *(found[family].records for family in ("main", "shuffled", "planted")),
        tuning,
        seconds + sum(study.seconds for study in found.values()),
    )


def _check_kind(settings: OwnSettings, data: Dataset) -> None:
    """StudyError where a table is treated as images, or images as a table."""
    is_table, network = isinstance(data, FeatureTable), settings.backbone != "none"
    if is_table and network:
        raise StudyError(f"settings: {data.name} is a table of features: set backbone='none'")
    if not is_table and not (network and settings.weights):
        raise StudyError(
            f"settings: {data.name} holds images, whose frozen features are used: set "
            "backbone='efficientnet_lite0' and weights='imagenet'"
        )


def _tuning_rows(plan: OwnPlan, settings: OwnSettings) -> list[Setting]:
    rows = [{"name": name, "rate": rate} for name in plan.names for rate in settings.rates]
    rows = over_folds(rows, "inner", settings.inner_folds, repetitions=1)
    return [settings.row(r["name"], 0, r["rate"], protocol=r["protocol"]) for r in rows]


def _best_rate(settings: OwnSettings, name: str, best: dict[str, dict]) -> float:
    return best[head_and_circuit(settings.row(name, 0).stored())]["lr"]["head"]


def _rows(names, plan: OwnPlan, settings: OwnSettings, data, rates, **more) -> list[Setting]:
    return [
        settings.row(name, seed, rates[name], protocol=protocol, **more)
        for seed in range(plan.seeds)
        for name in names
        for protocol in settings.protocols(seed, data)
    ]


def _design(plan: OwnPlan, settings: OwnSettings, data: Dataset, rates) -> Design:
    conditions = {}
    for name in plan.names:
        stored = with_data(settings.row(name, 0, rates[name]), data).stored()
        conditions[name] = {key: stored[key] for key in stored if key not in ("seed", "protocol")}
    claims = tuple(
        Claim(name, a, b, f"{CONDITIONS[a]}, against {CONDITIONS[b]}")
        for name, (a, b) in zip(_claim_names(plan), plan.pairs, strict=True)
    )
    fewer_by_one = plan.seeds * settings.folds - 1
    return Design(
        family="own",
        about=plan.question,
        estimand=settings.estimand,
        conditions=conditions,
        claims=claims,
        expected_errors=dict.fromkeys((c.name for c in claims), plan.expected_error),
        degrees=fewer_by_one if settings.folds else None,
    )


def _claim_names(plan: OwnPlan) -> list[str]:
    return ["primary", *(f"other {number}" for number in range(1, len(plan.others) + 1))]


# --------------------------------------------------------------------------- labels of a circuit


def _planted(settings: OwnSettings, data: Dataset) -> FeatureTable:
    """The same examples and split with labels that the circuit made from their features."""
    if isinstance(data, FeatureTable):
        features, about = data.features, "table"
    else:
        channels = data.take([0]).tensors()[0].shape[1]
        backbone = build_backbone(settings.backbone, channels, settings.weights, "frozen")
        features = extract_features(backbone, data, size=settings.resize)
        about = f"{settings.backbone}|{settings.weights}|{settings.resize}"
    try:
        return with_labels_of_a_circuit(data, features, settings.circuit, about=about)
    except ValueError as error:
        raise StudyError(f"settings: {error}") from None


def _planted_rows(plan: OwnPlan, settings: OwnSettings, rates) -> list[Setting]:
    """Both sides of the primary comparison, on the split that the data came with.

    Labels of a circuit are hard to learn: both sides get ``PATIENCE`` times the epochs.
    """
    of_images = dict(backbone="none", weights=None, resize=None)
    epochs = PATIENCE * settings.epochs
    table = replace(
        settings, dataset="planted", data_options={}, folds=0, epochs=epochs, **of_images
    )
    return [
        table.row(name, seed, rates[name]) for seed in range(plan.seeds) for name in plan.primary
    ]


checked(__name__)
