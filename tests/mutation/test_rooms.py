"""Mutation testing covers what it says it covers; the measured scores are high enough."""

import json

import pytest
from measure import ROOMS, ROOT, SCORES, interval, is_enough, line_of, unexplained

FOLDERS = ("training", "evaluation", "data/splits", "studies", "records")


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_source_file_is_in_one_room(folder):
    for path in sorted((ROOT / "hqnn_utils" / folder).rglob("*.py")):
        rooms = [name for name, room in ROOMS.items() if path in room.files()]
        assert len(rooms) == 1, f"{path.relative_to(ROOT)} is in {rooms or 'no room'}"


@pytest.mark.parametrize("name", ROOMS)
def test_what_a_room_names_is_there(name):
    room = ROOMS[name]
    for pattern in room.sources:
        assert list(ROOT.glob(pattern)), pattern
    for path in (*room.tests, *room.without):
        assert (ROOT / path).exists(), path


def test_each_room_is_measured_and_killed_its_mutants():
    """Of a drawn sample the lower end of its interval counts."""
    scores = json.loads(SCORES.read_text(encoding="utf-8"))
    assert set(scores) == set(ROOMS)
    for name, score in scores.items():
        assert is_enough(score), line_of(name, score)
        assert score["killed"] + score["unclear"] + score["survived"] == score["mutants"]
        assert score["unclear"] + score["survived"] == len(score["not_killed"])
        if "sampled" in score:
            assert score["killed_at_first"] <= score["killed"]
            assert score["interval"] == interval(score["killed_at_first"], score["mutants"])


def test_every_survivor_is_of_a_kind_that_may_stay_or_has_a_reason():
    scores = json.loads(SCORES.read_text(encoding="utf-8"))
    assert not [mutant for score in scores.values() for mutant in unexplained(score)]


def test_the_interval_of_a_draw_is_wilsons():
    """By hand: (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n) with z = 1.959964."""
    n, z = 200, 1.959964
    for killed in (0, 170, 185, 200):
        p = killed / n
        middle, reach = p + z**2 / (2 * n), z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
        ends = [(middle + sign * reach) / (1 + z**2 / n) for sign in (-1, 1)]
        assert interval(killed, n) == pytest.approx(ends, abs=5.1e-4)


@pytest.mark.parametrize(
    ("score", "enough"),
    [
        ({"score": 0.85}, True),
        ({"score": 0.849}, False),
        ({"score": 0.95, "sampled": "40 of 900", "interval": [0.84, 0.99]}, False),
        ({"score": 0.85, "sampled": "900 of 1,000", "interval": [0.85, 0.9]}, True),
    ],
)
def test_a_draw_must_be_sure(score, enough):
    assert is_enough(score) is enough


def test_a_room_in_a_line():
    score = dict(killed=95, mutants=100, score=0.95, unclear=1, minutes=2.5)
    assert line_of("toy", score) == "toy: 95 of 100 noticed, 95.0%, 1 unclear, 2.5 minutes"
    score |= dict(sampled="100 of 1,000", interval=[0.888, 0.978])
    assert line_of("toy", score) == (
        "toy: 95 of 100 noticed, 95.0% (drawn 100 of 1,000: 95 % interval 88.8% to 97.8%), "
        "1 unclear, 2.5 minutes"
    )
