"""What the sources may not contain: it breaks on another system, or hides the cause of an error."""

import ast
import re
import subprocess
from collections import Counter
from pathlib import PurePosixPath

import pytest
from coursekit.files import read, tags
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
    "hqnn_utils/runtime/fetching.py": 1,  # a thread that hands on what it gets
    "hqnn_utils/exercises/grading.py": 2,
    "hqnn_utils/exercises": 99,
}
TEXT = ("read_text", "write_text")
RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))}
ONLY_UNIX = {
    "os": {
        *("fork", "getuid", "geteuid", "getgid", "mkfifo", "wait", "killpg", "setsid", "chown"),
        *("uname", "getloadavg", "sched_getaffinity", "statvfs", "symlink", "nice", "openpty"),
        "rename",  # fails on Windows where the other file is there; os.replace does not
    },
    "signal": {"SIGKILL", "SIGALRM", "SIGHUP", "SIGXFSZ", "SIGUSR1", "alarm", "setitimer"},
    "tempfile": {"NamedTemporaryFile", "mktemp"},  # Windows opens the first only once
}
MODULES_OF_UNIX = {"fcntl", "pwd", "grp", "resource", "termios", "pty", "posix", "crypt"}
# Folders of one system. Why they may stand there.
OF_ONE_SYSTEM = {"/sys/fs/cgroup"}  # read where it exists: the limit of a container
LONGEST_PATH = 150  # Windows takes 260, and the checkout lies in a folder of somebody's


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


# Files are read through doors that compare a digest: records, families, ``load_json``,
# ``read_sealed``. Who else reads data, and why that is right.
MAY_READ_DATA = {
    "hqnn_utils/runtime/files.py": "the doors themselves",
    "hqnn_utils/records/families.py": "a line of a journal, whose record has a digest",
    "hqnn_utils/records/record.py": "a door",
    "hqnn_utils/records/__main__.py": "gives old files their digest",
    "hqnn_utils/studies/plans.py": "a student's own table; ours go through load_json",
    "hqnn_utils/studies/own.py": "plan.jsonl, whose lines have digests",
    "hqnn_utils/studies/claimed.py": "what processes beside this one do just now",
    "hqnn_utils/studies/search.py": "text of a column, no file",
    "hqnn_utils/studies/run.py": "text of an argument, no file",
    "hqnn_utils/exercises/papers/paper.py": "tables whose digests were compared",
    "hqnn_utils/exercises/quiz.py": "a source that authors edit, as they do code",
    "hqnn_utils/training/checkpoint.py": "content whose digest was compared",
    "hqnn_utils/models/features.py": "content whose digest was compared",
    "hqnn_utils/models/backbones/weights.py": "checks the digest, or that of the zip inside",
    "hqnn_utils/data/medmnist_files.py": "compares MD5; the zip inside has checksums of its own",
    "hqnn_utils/data/breakhis_pixels.py": "a cache whose digest is compared",
    "hqnn_utils/data/archive.py": "the list of digests itself",
    "notebooks/coursekit/files.py": "the tool's door, and the times",
    "notebooks/coursekit/quizzes.py": "a source that authors edit, as they do code",
    "01_breast_ultrasound_data.ipynb": "the official file; a cell before compares its digest",
    "08_hybrid_training.ipynb": "what the cell itself has written",
    "09_breakhis_histopathology.ipynb": "a list beside a student's own images; a benchmark's time",
}
READS_DATA = {
    *(("json", name) for name in ("load", "loads")),
    *(("np", name) for name in ("load", "loadtxt", "genfromtxt", "fromfile")),
    *(("pd", f"read_{name}") for name in ("csv", "json", "pickle", "parquet", "table", "excel")),
    ("torch", "load"),
    ("pickle", "load"),
    ("joblib", "load"),
}


def data_readers(tree):
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        owner = getattr(getattr(node.func, "value", None), "id", "")
        if (owner, called(node)) in READS_DATA or (called(node) == "read_json" and not owner):
            yield node


def test_no_data_are_read_past_a_digest():
    found = {
        str(path.relative_to(ROOT).as_posix())
        for path in SOURCES
        if any(data_readers(ast.parse(path.read_text(encoding="utf-8"))))
    }
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = [c for c in read(path).cells if c.cell_type == "code"]
        trees = [ast.parse(c.source) for c in cells if "bootstrap" not in tags(c)]
        if any(any(data_readers(tree)) for tree in trees):
            found.add(path.name)
    assert found == set(MAY_READ_DATA)


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
        if isinstance(node.value, ast.Name) and node.attr in ONLY_UNIX.get(node.value.id, ())
    ]
    for place, node in nodes((ast.Import, ast.ImportFrom)):
        names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        if (names | {getattr(node, "module", None)}) & MODULES_OF_UNIX:
            bad.append(place)
    bad += [
        place
        for place, node in nodes(ast.keyword)
        if node.arg in ("preexec_fn", "start_new_session", "pass_fds")
    ]
    assert not bad


def test_no_folder_of_one_system():
    bad = [
        place
        for place, node in nodes(ast.Constant)
        if isinstance(node.value, str)
        and re.match(r"/(tmp|home|root|var|proc|sys|dev|etc|usr|opt|mnt)\b|C:\\", node.value)
        and node.value not in OF_ONE_SYSTEM
    ]
    assert not bad


def test_no_output_of_a_process_without_an_encoding():
    """Windows would take its own code page for what git says, names in it for instance."""
    bad = []
    for place, node in nodes(ast.Call):
        options = {k.arg for k in node.keywords}
        starts = called(node) in ("run", "Popen", "check_output")
        if starts and {"text", "universal_newlines"} & options and "encoding" not in options:
            bad.append(place)
    assert not bad


def test_no_time_of_day_in_a_name():
    """It holds colons; on Windows what stands behind one is a hidden stream of the file."""
    bad = []
    for place, node in nodes(ast.BinOp):  # folder / name
        if isinstance(node.op, ast.Div):
            parts = [n for n in ast.walk(node.right) if isinstance(n, ast.Constant)]
            texts = [n.value for n in parts if isinstance(n.value, str)]
            times = [n for n in ast.walk(node.right) if isinstance(n, ast.Call)]
            bad += [place for n in times if called(n) in ("isoformat", "now", "ctime", "strftime")]
            bad += [place for text in texts if re.search(r'[<>:"\\|?*]', text)]
    assert not bad


def test_paths_are_not_taken_apart_as_texts():
    """``str(path)`` has backslashes on Windows; ``parts``, ``name`` and ``as_posix`` do not."""
    bad = []
    for place, node in nodes(ast.Call):
        owner = getattr(node.func, "value", None)
        of_a_path = isinstance(owner, ast.Call) and called(owner) == "str"
        given = [a.value for a in node.args if isinstance(a, ast.Constant)]
        if of_a_path and any("/" in str(text) for text in given):
            bad.append(place)
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
        assert len(name) <= LONGEST_PATH, name
        for part in PurePosixPath(name).parts:
            assert not part.endswith((" ", ".")), name
            assert part.split(".")[0].lower() not in RESERVED, name
    twice = [n for n, k in Counter(n.lower() for n in names).items() if k > 1]
    assert not twice, "differ in capital letters only"
