"""Studies: a table of settings in, one record a run out; then tables and verdicts.

The records themselves live in ``hqnn_utils.records``, which needs no torch; what a notebook wants
of them is at hand here too.

``settings``  what defines a run, and grids of such settings
``run``       one run, from a setting to its record
``study``     many runs: skip what is there, list what failed, go on where it stopped
``claimed``   which runs a study is at now, so that another one beside it makes others
``workers``   in this process, in several, or on a cluster
``tables``    means and intervals, recomputed from predictions
``designs``   plan v2: designs, directional claims, and their judge
``search``    settings chosen on inner splits, as many for every head
``planted``   labels made by a circuit: a data set on which the claim is true
``own``       a study of one's own: plan first, one table of settings, all controls
``report``    what is to be said about it
``plans``     the tables that were measured for the course, as JSON beside the records
"""

from hqnn_utils.records import (
    Record,
    RecordError,
    families,
    load_all,
    load_record,
    measured,
    save_record,
)
from hqnn_utils.studies.plans import load_plan
from hqnn_utils.studies.planted import load_planted
from hqnn_utils.studies.run import prediction_record, run_setting
from hqnn_utils.studies.settings import Setting, StudyError, as_setting, grid
from hqnn_utils.studies.study import Study, run_study

__all__ = [
    "Record",
    "RecordError",
    "Setting",
    "Study",
    "StudyError",
    "as_setting",
    "families",
    "grid",
    "load_all",
    "load_plan",
    "load_planted",
    "load_record",
    "measured",
    "prediction_record",
    "run_setting",
    "run_study",
    "save_record",
]
