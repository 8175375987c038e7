"""What the sources may not contain: it breaks on another system, or hides the cause of an error."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import PurePosixPath

import pytest
from fault_toys import ROOT

SOURCES = sorted(
    p
    for folder in ("hqnn_utils", "notebooks/coursekit")
    for p in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in p.parts
)
# Whatever a run, a student's function or an import fails of is the finding there.
MAY_CATCH_ALL = {
    "hqnn_utils/studies/workers.py": 2,  # a run, and a thread that hands on what it gets
    "hqnn_utils/exercises/grading.py": 2,
    "hqnn_utils/exercises": 99,
}
TEXT = ("read_text", "write_text")
RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))}
ONLY_UNIX = ("fork", "getuid", "geteuid", "mkfifo", "wait", "killpg", "setsid", "chown")


def nodes(kind):
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, kind):
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node


def called(node):
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def test_no_text_without_an_encoding():
    """Windows would take its own code page for it."""
    bad = []
    for place, node in nodes(ast.Call):
        options = {k.arg for k in node.keywords}
        texts = [a.value for a in node.args if isinstance(a, ast.Constant)]
        binary = any(re.fullmatch(r"[rwax+]*b[rwax+]*", str(t)) for t in texts)
        of_a_path = isinstance(node.func, ast.Attribute) and called(node) in TEXT
        if of_a_path and "encoding" not in options:
            bad.append(place)
        is_open = isinstance(node.func, ast.Name) and node.func.id == "open"
        if is_open and "encoding" not in options and not binary:
            bad.append(place)
    assert not bad


def test_no_broad_except():
    found = Counter()
    for place, node in nodes(ast.ExceptHandler):
        names = [getattr(n, "id", "") for n in ast.walk(node.type)] if node.type else ["everything"]
        reraises = any(isinstance(n, ast.Raise) and n.exc is None for n in ast.walk(node))
        if {"Exception", "everything"} & set(names) or ("BaseException" in names and not reraises):
            found[place.partition(":")[0]] += 1
    allowed = {
        file: n
        for file, n in found.items()
        if n <= MAY_CATCH_ALL.get(file, MAY_CATCH_ALL.get(str(PurePosixPath(file).parent), 0))
    }
    assert found == allowed


def test_no_call_that_only_unix_has():
    bad = [
        place
        for place, node in nodes(ast.Attribute)
        if isinstance(node.value, ast.Name) and node.value.id == "os" and node.attr in ONLY_UNIX
    ]
    assert not bad


def test_no_folder_of_one_system():
    bad = [
        place
        for place, node in nodes(ast.Constant)
        if isinstance(node.value, str) and re.match(r"(/tmp|/home|/root|/var|C:\\)", node.value)
    ]
    assert not bad


def test_no_shell_and_no_eval():
    bad = [
        place
        for place, node in nodes(ast.Call)
        if called(node) in ("eval", "exec", "system", "popen")
        and isinstance(node.func, (ast.Name, ast.Attribute))
        and not (called(node) in ("eval", "exec") and isinstance(node.func, ast.Attribute))
    ]
    bad += [
        place
        for place, node in nodes(ast.keyword)
        if node.arg == "shell" and getattr(node.value, "value", False) is True
    ]
    bad += [
        place
        for place, node in nodes(ast.keyword)
        if node.arg == "allow_pickle" and getattr(node.value, "value", True) is not False
    ]
    assert not bad


def tracked():
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [f for f in listing.stdout.split("\0") if f]


def test_file_names_that_every_system_can_have():
    names = tracked()
    for name in names:
        assert not re.search(r'[<>:"\\|?*\x00-\x1f]', name), name
        assert len(name) <= 240, name
        for part in PurePosixPath(name).parts:
            assert not part.endswith((" ", ".")), name
            assert part.split(".")[0].lower() not in RESERVED, name
    twice = [n for n, k in Counter(n.lower() for n in names).items() if k > 1]
    assert not twice, "differ in capital letters only"
