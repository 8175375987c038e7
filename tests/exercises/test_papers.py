"""Invented papers: each fault that was planted can be found in the records, and no other."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from hqnn_utils.exercises.papers import (
    DECOYS,
    FAULTS,
    faults_of,
    make_paper,
    read_paper,
    write_paper,
)
from hqnn_utils.exercises.papers.key import audit, evidence
from hqnn_utils.records import RecordError, measured_dir

STORED = measured_dir().parent / "13_capstone" / "paper"
NAMES = list(FAULTS)


@pytest.fixture(scope="module")
def paper():
    return make_paper(13)


@settings(max_examples=12, deadline=None)
@given(number=st.integers(0, 10_000), faults=st.sets(st.sampled_from(NAMES)))
def test_what_was_planted_is_found_and_nothing_else(number, faults):
    assert audit(make_paper(number, faults)) == faults


@pytest.mark.parametrize("name", NAMES)
def test_each_fault_alone(name):
    assert audit(make_paper(5, [name])) == {name}


def test_a_number_is_a_paper(paper):
    again = make_paper(13)
    assert again.text == paper.text
    assert [r.fingerprint() for r in again.records] == [r.fingerprint() for r in paper.records]
    assert make_paper(14).text != paper.text
    assert audit(paper) == set(faults_of(13))
    assert all(6 <= len(faults_of(n)) <= 8 for n in range(50))
    assert len({faults_of(n) for n in range(50)}) > 30


def test_evidence_as_others_compute_it(paper):
    """Judged by scikit-learn, statsmodels and pandas."""
    found, said = evidence(paper), paper.claims
    y, p = paper.runs("hybrid")
    _, q = paper.runs("control")
    assert found["best_run"] == pytest.approx(np.mean([roc_auc_score(y, row) for row in p]))
    assert found["number"] == pytest.approx(np.mean([roc_auc_score(y, row) for row in q]))
    called = [row >= said["threshold"] for row in p]
    assert found["polarity"] == pytest.approx(np.mean([recall_score(y, c) for c in called]))
    y_val, p_val = paper.runs("hybrid", "val")
    grid = [round(0.05 * k, 2) for k in range(1, 20)]
    means = [np.mean([accuracy_score(y_val, row >= t) for row in p_val]) for t in grid]
    at = grid[int(np.argmax(means))]
    right = np.mean([accuracy_score(y, row >= at) for row in p])
    assert found["threshold"] == pytest.approx(right)
    assert found["holm"] == pytest.approx(multipletests(paper.tests["p"], method="holm")[1].min())
    images = paper.images
    merged = images.query("part == 'test'").merge(
        images.query("part == 'train'")[["patient"]].drop_duplicates(), on="patient"
    )
    assert found["patients"] == len(merged)
    assert found["majority"] == max(y.mean(), 1 - y.mean())
    assert found["tuning"] == (paper.tuning["model"] == "control").sum()


def test_the_text_says_the_numbers_and_that_it_is_invented(paper):
    assert paper.text.startswith("> **INVENTED FOR TEACHING.**")
    for value in (*paper.claims["auc"].values(), *paper.claims["accuracy"].values()):
        assert f"{value:.3f}" in paper.text
    assert "{" not in paper.text
    assert 300 <= len(paper.text.split()) <= 700
    assert all(record.data["phantom"] for record in paper.records)


def test_a_paper_tells_nothing_of_its_faults_but_in_numbers(paper):
    """The prose is the same whether something is wrong or not."""
    words = [
        "".join(c for c in make_paper(9, faults).text if not c.isdigit())
        for faults in ((), ("best_run", "number", "polarity"))
    ]
    strip = str.maketrans("", "", "+-.")
    assert words[0].translate(strip) == words[1].translate(strip)


def test_every_paper_holds_its_decoys(paper):
    train = paper.images.query("part == 'train'")
    assert train["fingerprint"].duplicated().sum() == 1
    y, p = paper.runs("hybrid")
    aucs = sorted(roc_auc_score(y, row) for row in p)
    assert aucs[1] - aucs[0] > 0.02, "one run is far below"
    assert set(DECOYS).isdisjoint(FAULTS)


def test_files_are_the_paper_again(paper, tmp_path):
    again = read_paper(write_paper(paper, tmp_path / "paper"))
    assert again.claims == paper.claims
    assert audit(again) == audit(paper)
    assert evidence(again) == pytest.approx(evidence(paper))
    pd.testing.assert_frame_equal(again.images, paper.images)
    (tmp_path / "paper" / "claims.json").unlink()
    with pytest.raises(RecordError, match=r"no file .*claims\.json"):
        read_paper(tmp_path / "paper")


def test_the_paper_that_is_stored_is_the_one_of_its_number(paper):
    stored = read_paper(STORED)
    assert stored.number == 13
    assert audit(stored) == audit(paper)
    assert evidence(stored) == pytest.approx(evidence(paper), rel=0.02)


def test_an_unknown_fault():
    with pytest.raises(ValueError, match=r"unknown fault 'typo'; known: .*patients"):
        make_paper(1, ["typo"])
