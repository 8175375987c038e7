"""Mutation testing covers what it says it covers."""

import pytest
from measure import ROOMS, ROOT

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
