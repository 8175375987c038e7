"""Mutation testing covers what it says it covers; the measured scores are high enough."""

import json

import pytest
from measure import ROOMS, ROOT, SCORES, WANTED

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
    scores = json.loads(SCORES.read_text(encoding="utf-8"))
    assert set(scores) == set(ROOMS)
    for name, score in scores.items():
        assert score["score"] >= WANTED, name
        assert score["killed"] + score["unclear"] + score["survived"] == score["mutants"]
        assert score["unclear"] + score["survived"] == len(score["not_killed"])
