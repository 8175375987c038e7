"""What the README shows of studies runs: the same lines, with smaller numbers."""

import re

import pytest
from coursekit.files import HERE

from hqnn_utils.studies import Study

README = (HERE.root / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.S | re.M)


def run_block(about: str, smaller: dict[str, str]) -> dict:
    """The names that a block makes, after some of its numbers were made smaller."""
    (block,) = [block for block in BLOCKS if about in block]
    for text, other in smaller.items():
        assert block.count(text) == 1, text
        block = block.replace(text, other)
    names = {}
    exec(block, names)
    return names


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_table_of_settings():
    few = 'seed=range(1), source="phantom", epochs=1, max_train=32'
    done = run_block("run_study", {"seed=range(10)": few, "workers=2": "workers=1"})["done"]
    assert isinstance(done, Study)
    assert [r.settings["head"] for r in done.records] == ["linear", "dressed", "matched"]
    assert not done.failures


def test_a_question_of_ones_own(tmp_path, capsys):
    plan = run_block("OwnPlan", {"seeds=10": "seeds=5", "epochs=30": "epochs=1"})["plan"]
    said = capsys.readouterr().out
    assert said.startswith(f"# {plan.question}")
    for part in ("**Plan.** plan ", "**Verdict.** ", "**Controls of the study.** ", "**Leaks.** "):
        assert part in said
    kept = {path.name for path in (tmp_path / "my_study").glob("*.json*")}
    assert kept == {"plan.jsonl", "main.json", "shuffled.json", "planted.json", "tuning.json"}
