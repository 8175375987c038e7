"""Invented papers with planted faults, for notebook 13: prose and records, all made from a seed.

``paper``      what a paper is, as files and as an object
``catalogue``  the faults by name, and what looks like one and is none
``make``       a paper from a number
``prose``      its text
``key``        which faults a paper has, computed from its records alone: not for students

``make_paper(13)`` is the paper of the notebook; any other number is another paper.
"""

from hqnn_utils.exercises.papers.catalogue import DECOYS, FAULTS
from hqnn_utils.exercises.papers.make import faults_of, make_paper
from hqnn_utils.exercises.papers.paper import Paper, read_paper, write_paper

__all__ = [
    "DECOYS",
    "FAULTS",
    "Paper",
    "faults_of",
    "make_paper",
    "read_paper",
    "write_paper",
]
