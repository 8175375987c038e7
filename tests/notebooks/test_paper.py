"""The command that makes a paper for a class, and its key."""

import pytest
from coursekit import paper
from coursekit.files import HERE

from hqnn_utils.exercises.papers import FAULTS, faults_of, read_paper
from hqnn_utils.exercises.papers.key import audit, evidence


def test_files_and_a_key_beside_them(tmp_path):
    folder, key = paper.write(HERE, 27, tmp_path)
    assert audit(read_paper(folder)) == set(faults_of(27))
    assert key.parent == folder.parent, "the folder can be handed out as it is"
    text = key.read_text(encoding="utf-8")
    there, in_order = text.split("In order:")
    numbers = evidence(read_paper(folder))
    for name in FAULTS:
        assert (f"| `{name}` | {numbers[name]:.4g} |" in there) == (name in faults_of(27))
        assert (f"`{name}`" in in_order) == (name not in faults_of(27))
    assert paper.write(HERE, 27, tmp_path) == [folder, key], "again, over the old files"


def test_what_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="from 0 on"):
        paper.write(HERE, -1, tmp_path)
    with pytest.raises(SystemExit, match="among the sources"):
        paper.write(HERE, 1, HERE.notebooks / "results")
