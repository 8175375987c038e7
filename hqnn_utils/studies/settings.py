"""What defines a run. A setting is one dataclass; a table is a list of settings."""

from __future__ import annotations

import itertools
import math
from dataclasses import Field, asdict, dataclass, field, fields
from pathlib import Path

from hqnn_utils.data import check_dataset
from hqnn_utils.data.splits import check_protocol
from hqnn_utils.models import BACKBONES, HEADS, holds_circuit
from hqnn_utils.models.backbones import FINE_TUNE
from hqnn_utils.quantum import CircuitSpec, check_engine
from hqnn_utils.records import plain
from hqnn_utils.records.record import LONGEST, check_name, digest_of
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import a_dict, a_text, check, one_of, or_none, truth, whole
from hqnn_utils.training import TrainConfig, TrainingError


class StudyError(ValueError):
    """A table or a record that does not fit; the message names the run and the remedy.

    Nothing has been trained when it is raised.
    """


# Arguments of loaders that say where and how to work: they have no place in a record.
OF_THIS_MACHINE = ("root", "cache", "workers", "progress")


@dataclass(frozen=True, kw_only=True)
class Setting(TrainConfig):
    """Everything that was chosen for one run: data, split, model, and how it is trained.

    A field added here needs a default that means "as before": stored records lack it, and
    ``with_defaults`` gives them that default, so that they stay valid.

    Attributes
    ----------
    dataset : a name in ``data.DATASETS``.
    source : where its files come from, as its loader takes it; ``"medmnist"`` stands for the
        official data of every dataset.
    size : pixels of the images in the file; of no meaning for a table.
    data_options : further arguments of the loader, e.g. ``{"magnification": 200}``.
    protocol : a kind of split and its options, see ``data.splits``.
    labels : ``"true"``, or ``"shuffled"`` for a run that must come out at chance.
    backbone, weights, fine_tune : as in ``models.build_backbone``.
    head, spec, engine : as in ``models.build_head``; ``spec`` holds arguments of ``CircuitSpec``.
    max_train : number of training images used, ``None`` for all.
    test_flips : average the predictions of each image and its mirror image.
    restarts : how many times a run may begin again, from other weights and with another order,
        while ``training.has_learned`` says no of its training loss. The last start is kept.
    resize : pixels to which the images are resized before they enter the network; ``None`` keeps
        them. A pretrained network wants more pixels than the smallest files hold.
    name : of the record; made from what differs from the defaults where it is not given.

    The fields of ``training.TrainConfig`` come on top.

    Raises
    ------
    ValueError, TypeError, TrainingError : a value that does not fit; ``as_setting`` names the run.
    """

    dataset: str = "breastmnist"
    source: str = "medmnist"
    size: int = 28
    data_options: dict = field(default_factory=dict)
    protocol: dict = field(default_factory=lambda: {"kind": "official"})
    labels: str = "true"
    backbone: str = "small_cnn"
    weights: str | None = None
    fine_tune: str = "full"
    head: str = "linear"
    spec: dict = field(default_factory=dict)
    engine: str = "fused"
    max_train: int | None = None
    test_flips: bool = False
    resize: int | None = None
    restarts: int = 0
    name: str = ""

    def __post_init__(self):
        super().__post_init__()
        check(RULES, {name: getattr(self, name) for name in RULES})
        check_dataset(self.dataset, **self.data_options)
        for option in self.data_options:
            if option in OF_THIS_MACHINE:
                raise ValueError(f"data_options hold what decides the data, not {option!r}")
        check_protocol(**self.protocol)
        circuit = self.circuit
        if holds_circuit(self.head):
            check_engine(self.engine, circuit)
        if self.fine_tune == "frozen" and self.augment not in (None, "flip"):
            raise ValueError(
                "cached features of a frozen backbone can be mirrored only: "
                "set augment='flip' or None"
            )
        if not self.name:
            object.__setattr__(self, "name", _made_name(self))  # frozen: set once, here
        check_name(self.name)

    @property
    def train_config(self) -> TrainConfig:
        """The part that ``training.fit`` takes."""
        return TrainConfig(**{f.name: getattr(self, f.name) for f in fields(TrainConfig)})

    @property
    def circuit(self) -> CircuitSpec:
        """The circuit of the head."""
        return CircuitSpec(**self.spec)

    def stored(self) -> dict:
        """As a record holds it: no name, of files only the last part of the path."""
        content = asdict(self)
        del content["name"]
        for key in ("source", "weights"):
            if str(content[key]).endswith((".npz", ".pt", ".pth")):
                content[key] = Path(content[key]).name
        return plain(content)


RULES = {
    "dataset": a_text,
    "source": a_text,
    "size": whole(1),
    "data_options": a_dict,
    "protocol": a_dict,
    "labels": one_of("labels", ("true", "shuffled")),
    "backbone": one_of("backbone", BACKBONES),
    "weights": or_none(a_text),
    "fine_tune": one_of("fine_tune", FINE_TUNE),
    "head": one_of("head", HEADS),
    "spec": a_dict,
    "engine": a_text,
    "max_train": or_none(whole(2, "None uses all training images")),
    "test_flips": truth,
    "resize": or_none(whole(1, "None keeps the images as they are")),
    "restarts": whole(0, "0 trains once, whatever comes out", most=100),
    "name": a_text,
}


def _default(of: Field):
    return of.default_factory() if callable(of.default_factory) else of.default


# Every key of a setting with its default.
DEFAULTS = {f.name: _default(f) for f in fields(Setting) if f.name != "name"}


def with_defaults(stored: dict) -> dict:
    """Settings of a record, with the default of each key that is younger than the record.

    A key that no setting knows tells a classifier that is no run of ours, such as a logistic
    regression with its ``C``: it has neither epochs nor a circuit, and its settings come back as
    they are.
    """
    is_run = stored.keys() <= DEFAULTS.keys()
    return {**plain(DEFAULTS), **stored} if is_run else dict(stored)


def as_setting(row: dict | Setting) -> Setting:
    """A setting from a dict of what differs from the defaults.

    Raises
    ------
    StudyError : an unknown key or a value that does not fit; the message names the setting.
    """
    if isinstance(row, Setting):
        return row
    try:
        for key in row:
            choose("key in a setting", key, ("name", *DEFAULTS))
        return Setting(**row)
    except (ValueError, TypeError, TrainingError) as error:
        raise StudyError(f"setting {row}: {error}") from None


MOST_ROWS = 1_000_000  # a slip of the pen: at a second a run it would take two weeks


def grid(**options) -> list[dict]:
    """Rows for every combination: a list or range varies, anything else is the same for all.

    ``seed`` varies fastest.

    >>> [row["head"] for row in grid(head=["linear", "dressed"], seed=range(2))]
    ['linear', 'linear', 'dressed', 'dressed']
    """
    names = sorted(options, key=lambda name: name == "seed")
    varied = [_as_list(options[name]) for name in names]
    for name, values in zip(names, varied, strict=True):
        if not values:
            raise StudyError(f"{name} holds no value, so the table would be empty: leave it out")
    if (rows := math.prod(map(len, varied))) > MOST_ROWS:
        raise StudyError(
            f"the table would have {rows:,} rows or more, at most {MOST_ROWS:,} can be: vary less"
        )
    return [dict(zip(names, row, strict=True)) for row in itertools.product(*varied)]


def _as_list(value) -> list:
    if isinstance(value, range):
        value = value[: MOST_ROWS + 1]  # longer ones are refused, whatever their length
    return list(value) if isinstance(value, (list, tuple, range)) else [value]


ALWAYS_NAMED = ("backbone", "size", "head", "seed")
NEVER_NAMED = ("source",)
# What else a name holds where it differs from the default, in the order of the first records, whose
# names must stay. What came later follows in the order of the fields.
_FIRST_ORDER = (
    "protocol",
    "labels",
    "weights",
    "fine_tune",
    "spec",
    "engine",
    "epochs",
    "lr",
    "batch_size",
    "weight_decay",
    "patience",
    "balance",
    "augment",
    "warmup",
    "max_train",
    "test_flips",
)
_LATER = [k for k in DEFAULTS if k not in (*ALWAYS_NAMED, *NEVER_NAMED, *_FIRST_ORDER)]


def _made_name(setting: Setting) -> str:
    """Backbone, size, head, what differs from the defaults, seed."""
    parts = [setting.backbone, f"{setting.size}px", setting.head]
    parts += [
        _name_of_value(key, getattr(setting, key))
        for key in (*_FIRST_ORDER, *_LATER)
        if getattr(setting, key) != DEFAULTS[key]
    ]
    text = "-".join([*parts, f"s{setting.seed}"])
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in text)
    return name if len(name.encode()) <= LONGEST else _shortened(name)


def _shortened(name: str) -> str:
    """The beginning of a name that no file could have, and a digest of all of it."""
    return f"{name.encode()[:200].decode(errors='ignore')}-{digest_of(name)[:10]}"


def _name_of_value(key: str, value) -> str:
    if isinstance(value, dict):
        value = "-".join(str(v) if k == "kind" else f"{k}{v}" for k, v in value.items())
    if key in ("protocol", "spec"):
        return str(value)
    if key == "weights":
        value = Path(str(value)).stem
    return f"{key}-{value}"


checked(__name__)
