"""Records: one JSON file a run, so that every number in the course can be traced and recomputed.

``record``     what a record holds; read and written so that nobody finds half a file
``families``   many records in one compact file; those that were measured for the course
``__main__``   gives files of earlier versions the digest that they lack

Reading a record needs neither torch nor PennyLane.
"""

from hqnn_utils.records.families import (
    append_record,
    fold,
    load_all,
    load_family,
    measured,
    measured_dir,
    save_family,
)
from hqnn_utils.records.record import (
    Record,
    RecordError,
    load_json,
    load_record,
    plain,
    save_record,
    write_json_atomically,
)

__all__ = [
    "Record",
    "RecordError",
    "append_record",
    "fold",
    "load_all",
    "load_family",
    "load_json",
    "load_record",
    "measured",
    "measured_dir",
    "plain",
    "save_family",
    "save_record",
    "write_json_atomically",
]
