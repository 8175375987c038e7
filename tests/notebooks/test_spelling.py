"""Spelling: what counts as running text. ``make spelling`` runs codespell on it."""

import re
import subprocess
import sys

import pytest
from coursekit.files import HERE
from coursekit.spelling import BOTH, KNOWN, british, check, gather, prose_of


def test_running_text_has_no_code_formulas_addresses_or_references():
    text = "The colour `color=` of $colour$ at https://color.example/x.\n\n```\ncolor\n```\n"
    text += "## References\n\n- Color vision.\n\n## Next\n\nEnd."
    left = prose_of(text)
    assert "olor" not in left.replace("colour", "")
    assert "Next" in left
    assert "End." in left


def test_lists_of_words_are_lists_of_words():
    assert all(re.fullmatch("[a-z]+", word) for word in (*KNOWN.split(","), *BOTH))


def test_american_words_are_found_in_prose_and_not_in_code(monkeypatch, tmp_path, capfd):
    pytest.importorskip("codespell_lib", reason="make spelling installs codespell")
    assert "color->colour" in british().splitlines()
    made = gather(HERE, tmp_path / "spelling")
    (made / "prose" / "wrong.md").write_text("The color of the recieved image.")
    command = [sys.executable, "-m", "codespell_lib", "-D", "-", "-D", str(made / "british.txt")]
    done = subprocess.run([*command, str(made / "prose")], capture_output=True, text=True)
    assert "color ==> colour" in done.stdout
    assert "recieved ==> received" in done.stdout
    monkeypatch.setattr("coursekit.spelling.CODE", ())
    check(HERE, tmp_path / "again")
    assert "nothing is misspelt" in capfd.readouterr().out
