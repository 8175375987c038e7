"""Studies: a table of settings in, one record a run out; then tables and verdicts.

``settings``  what defines a run, and grids of such settings
``run``       one run, from a setting to its record
``study``     many runs: skip what is there, list what failed, go on where it stopped
``workers``   in this process, in several, or on a cluster
``records``   one JSON record a run; ``families`` packs many into one file
``tables``    means, intervals and ensembles, recomputed from predictions
``verdicts``  the registered hypotheses and the machine that judges them
``plans``     the tables that were measured for the course, as JSON beside the records
"""

from hqnn_utils.studies.families import load_all, measured
from hqnn_utils.studies.plans import load_plan
from hqnn_utils.studies.records import Record, RecordError, load_record, save_record
from hqnn_utils.studies.run import prediction_record, run_setting, train_and_record
from hqnn_utils.studies.settings import Setting, StudyError, as_setting, grid
from hqnn_utils.studies.study import Study, run_study

__all__ = [
    "Record",
    "RecordError",
    "Setting",
    "Study",
    "StudyError",
    "as_setting",
    "grid",
    "load_all",
    "load_plan",
    "load_record",
    "measured",
    "prediction_record",
    "run_setting",
    "run_study",
    "save_record",
    "train_and_record",
]
