"""JSON files carry their digest: those that are shipped, those of a user, and those of before."""

import ast
import hashlib
import json
import shutil

import pytest
from coursekit import tables
from coursekit.files import HERE, Tree
from fault_toys import ROOT, share_of_flips_noticed
from test_digests import record

from hqnn_utils.exercises.papers import read_paper
from hqnn_utils.records import (
    RecordError,
    load_all,
    load_family,
    load_json,
    load_record,
    save_family,
    save_record,
    write_json_atomically,
)
from hqnn_utils.records.__main__ import main, seal
from hqnn_utils.records.families import append_record, appended
from hqnn_utils.studies import StudyError, plans

# Minutes on the cards, which git joins from two people; no result rests on them.
NO_DIGEST = {HERE.timings}
SHIPPED = sorted(set(HERE.results.rglob("*.json")) - NO_DIGEST)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: str(p.relative_to(HERE.results)))
def test_every_shipped_file_is_what_was_written(path):
    content = load_json(path) if path.stat().st_size < 3e6 else {"read by": "test_digests"}
    assert content


def with_another_digit(text, after):
    """The text with one digit changed, the first one behind some words."""
    place = next(
        i for i in range(text.index(after) + len(after), len(text)) if text[i] in "0123456"
    )
    return text[:place] + str(int(text[place]) + 1) + text[place + 1 :]


SNAPSHOT = HERE.results / "12_shots_noise_hardware" / "device" / "snapshot.json"
BENCHMARK = HERE.results / "benchmarks" / "quantum_layer_cpu.json"
DIGITS = {
    "calibration snapshot of notebook 12": (SNAPSHOT, '"readout_error": [', load_json),
    "scaling that notebook 12 draws": (
        HERE.results / "benchmarks" / "qubit_scaling.json",
        '"seconds":',
        load_json,
    ),
    "first plan, of notebook 10": (
        plans.plans_dir() / "hypotheses.json",
        '"margin": 0.',
        load_json,
    ),
    "plan of a study": (plans.plans_dir() / "heads_28px.json", '"seed": [0, ', plans.read_table),
}


@pytest.mark.parametrize(("path", "after", "read"), DIGITS.values(), ids=DIGITS)
def test_one_changed_digit_in_a_shipped_file(tmp_path, path, after, read):
    assert read(path)
    changed = tmp_path / path.name
    changed.write_text(with_another_digit(path.read_text(encoding="utf-8"), after))
    with pytest.raises((RecordError, StudyError), match=r"its digest does not fit.*from git"):
        read(changed)


def test_one_changed_digit_in_the_speeds_of_the_readme(tmp_path):
    tree = Tree(tmp_path)
    path = tree.results / "benchmarks" / BENCHMARK.name
    path.parent.mkdir(parents=True)
    text = BENCHMARK.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    assert "Weakest ratio" in tables.bench_table(tree)
    path.write_text(with_another_digit(text, '"ms": '), encoding="utf-8")
    with pytest.raises(SystemExit, match="was changed after it was written: restore it from git"):
        tables.bench_table(tree)
    path.write_text(text.replace('"digest"', '"dgst"'), encoding="utf-8")
    with pytest.raises(SystemExit, match="is damaged"):
        tables.bench_table(tree)


@pytest.mark.parametrize("name", ["paper.md", "images.csv", "tests.csv", "claims.json"])
def test_one_changed_digit_in_a_paper(tmp_path, name):
    folder = tmp_path / "paper"
    shutil.copytree(HERE.results / "13_capstone" / "paper", folder)
    assert read_paper(folder).number == 13
    path = folder / name
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace("\n", "\r\n"), encoding="utf-8", newline="")
    assert read_paper(folder).number == 13, "as git on Windows has it"
    path.write_text(with_another_digit(whole, "\n"), encoding="utf-8")
    with pytest.raises(RecordError, match=rf"{name}.*changed after it was written"):
        read_paper(folder)


def test_a_table_of_your_own_needs_no_digest_until_it_has_one(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"seed": [0, 1]}')
    assert plans.read_table(path) == [{"seed": 0}, {"seed": 1}]
    assert seal(path)
    assert plans.read_table(path) == [{"seed": 0}, {"seed": 1}]
    path.write_text(path.read_text().replace("[0, 1]", "[0, 3]"))
    with pytest.raises(StudyError, match="its digest does not fit"):
        plans.read_table(path)


def test_a_table_of_the_course_without_its_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "plans_dir", lambda: tmp_path)
    (tmp_path / "heads_28px.json").write_text('{"seed": [0, 1]}')
    for read in (plans.read_table, plans.keeps_test_only):
        with pytest.raises(StudyError, match="carries no digest"):
            read(tmp_path / "heads_28px.json")


def test_flipped_bit_in_a_sealed_file_is_an_error_or_changes_nothing(tmp_path):
    path = write_json_atomically(tmp_path / "a.json", {"a": [1.5, 2], "b": {"c": "d"}})
    assert load_json(path) == {"a": [1.5, 2], "b": {"c": "d"}}
    assert share_of_flips_noticed(path, load_json, RecordError) > 0.5


# ------------------------------------------------------------------ of before there were digests


def old(path):
    """The file as an earlier version would have written it."""
    content = json.loads(path.read_text())
    del content["digest"]
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


READERS = {
    "record": (lambda at: save_record(record(), at), load_record),
    "family": (lambda at: save_family([record()], at / "f.json"), load_family),
    "folder": (lambda at: save_record(record(), at), lambda path: load_all(path.parent)),
    "another file": (lambda at: write_json_atomically(at / "x.json", {"a": 1}), load_json),
}


@pytest.mark.parametrize(("make", "read"), READERS.values(), ids=READERS)
def test_what_carries_no_digest_is_not_read_before_it_is_sealed(tmp_path, capsys, make, read):
    """It was read as it stood, and a changed digit in it was another result without a word."""
    path = make(tmp_path)
    wanted = read(path)
    old(path)
    with pytest.raises(RecordError, match=r"carries no digest.*hqnn_utils\.records seal") as said:
        read(path)
    command = str(said.value).rpartition("hqnn_utils.records ")[2].replace('"', "").split()
    before = path.read_text()
    main(command)
    assert capsys.readouterr().out.startswith("1 sealed")
    assert read(path) == wanted
    kept = [line for line in path.read_text().splitlines() if '"digest"' not in line]
    assert kept == before.splitlines(), "nothing else was touched"
    main(command)
    assert capsys.readouterr().out.startswith("0 sealed"), "once is enough"


def test_a_line_without_a_digest(tmp_path):
    path = tmp_path / "f.json"
    append_record(record(), path)
    line = json.loads(appended(path).read_text())
    del line["digest"]
    appended(path).write_text(json.dumps(line) + "\n")
    with pytest.raises(RecordError, match=r"line 1 of .*f\.json\.new carries no digest"):
        load_family(path)


def cut(content):
    content["predictions"]["test"]["probabilities"].pop()


NOT_SEALED = {
    "does not fit its images": (cut, "differ in length"),
    "changed behind its digest": (lambda c: c.update(digest="0" * 64), "its digest does not fit"),
    "of a later version": (lambda c: c.update(schema=99), "update hqnn_utils"),
    "a digest of nothing": (lambda c: c.update(digest=None), "its digest does not fit"),
}


@pytest.mark.parametrize(("change", "said"), NOT_SEALED.values(), ids=NOT_SEALED)
def test_what_cannot_be_right_is_not_sealed(tmp_path, change, said):
    good, bad = (save_record(record(name), tmp_path) for name in ("a", "b"))
    for path in (good, bad):
        old(path)
    content = json.loads(bad.read_text())
    change(content)
    bad.write_text(json.dumps(content))
    before = bad.read_bytes()
    with pytest.raises(SystemExit, match=rf"b\.json is not sealed.*{said}"):
        main(["seal", str(tmp_path)])
    assert bad.read_bytes() == before
    assert load_record(good)


@pytest.mark.parametrize("text", ["", "[]", "{", "[1]", "nothing", "\x00"])
def test_what_is_no_object_is_not_sealed(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(RecordError, match=r"a\.json is not sealed"):
        seal(path)
    assert path.read_text() == text


@pytest.mark.parametrize("text", ["{}", ' {"a":1}', '{\n "a": 1\n}\n', '{"a": {"digest": 1}}'])
def test_whatever_its_form_a_sealed_file_is_read(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    assert seal(path)
    assert load_json(path) == json.loads(text)


def test_three_places_make_one_digest():
    """The package, the tool of the course and the script of the device."""
    script = ast.parse((HERE.notebooks / "device" / "snapshot.py").read_text(encoding="utf-8"))
    functions = [s for s in script.body if isinstance(s, ast.FunctionDef)]
    wanted = [f for f in functions if f.name in ("digest_of", "circuit_of")]
    given = {"json": json, "hashlib": hashlib, "Path": type(ROOT)}
    exec(compile(ast.Module(wanted, []), "snapshot.py", "exec"), given)
    content = json.loads(SNAPSHOT.read_text())
    assert content.pop("digest") == given["digest_of"](content)
    assert given["circuit_of"](SNAPSHOT.with_name("circuit.json")).keys() >= {"weights", "angles"}
