"""The course tool: addresses, generated text, tidy outputs, student versions. Works on copies."""

import ast
import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from types import SimpleNamespace

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from coursekit import generated, running, tables
from coursekit import memory as memory_kit
from coursekit.alt import write_alts
from coursekit.comments import alt_texts, code_only
from coursekit.files import HERE, Tree, code_digest, read, tags, write
from coursekit.folding import fold
from coursekit.generated import memory_sentence
from coursekit.memory import PeakMemory, children, mebibytes
from coursekit.pages import to_html
from coursekit.student import student, student_version
from PIL import Image

from hqnn_utils.evaluation.metrics import scores
from hqnn_utils.exercises import exercise, known_exercises
from hqnn_utils.plots.player import player
from hqnn_utils.records import write_json_atomically
from hqnn_utils.studies import Record, save_record


@pytest.fixture
def tree(tmp_path):
    """A copy of the course's files that may be rewritten."""
    copy = Tree(tmp_path / "fork")
    ignore = shutil.ignore_patterns("my_results", "__pycache__", ".ipynb_checkpoints", "measured")
    shutil.copytree(HERE.notebooks, copy.notebooks, ignore=ignore)
    shutil.copy(HERE.readme, copy.readme)
    return copy


def notebooks(tree):
    return sorted(tree.notebooks.glob("*.ipynb"))


def cells(tree, tag):
    return [c for path in notebooks(tree) for c in read(path).cells if tag in tags(c)]


def forget_address(tree):
    """As the course is before its first push."""
    text = tree.course_file.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^repository: \S+", "repository: null", text)
    tree.course_file.write_text(text, encoding="utf-8")
    generated.sync_notebooks(tree)


# ----------------------------------------------------------------------------- addresses


def test_no_address_no_badge(tree):
    """A copy without an address names nobody's account; the install cell says what to do."""
    forget_address(tree)
    for cell in cells(tree, "badges"):
        assert "colab.research" not in cell.source
        assert "github.com" not in cell.source
    assert all("This copy has no address" in c.source for c in cells(tree, "bootstrap"))


ASKED = """
import builtins
import os
import sys

from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.register_magic_function(lambda line: print("PIP", line), magic_name="pip")
builtins.input = lambda prompt: print("ASKED", prompt) or "https://github.com/teacher/fork"
shell.run_cell(sys.argv[1]).raise_error()
os.environ["COLAB_RELEASE_TAG"] = "release"
shell.run_cell(sys.argv[1]).raise_error()
"""


def test_without_an_address_a_notebook_in_colab_asks_for_one_and_installs_from_it():
    """One sentence says what to do, and the line works with what the reader gives."""
    source = generated.bootstrap_source({"repository": None, "branch": "main"})
    hosted = {"COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"}
    env = {name: value for name, value in os.environ.items() if name not in hosted}
    command = [sys.executable, "-c", ASKED, source]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [  # and nothing outside Colab
        f"ASKED {generated.ASKS}",
        'PIP install -q "hqnn_utils @ git+https://github.com/teacher/fork"',
    ]


@pytest.mark.parametrize(
    "given",
    [
        "someone/course",
        "https://github.com/someone/course.git",
        "https://github.com/someone/course/",
        "git@github.com:someone/course.git",
    ],
)
def test_an_address_on_github_is_understood_in_all_its_forms(given):
    assert generated.clean_address(given) == "someone/course"


def test_retarget_rewrites_badges_and_install_cells(tree):
    assert generated.retarget(tree, "someone/course") == "someone/course"
    install = '%pip install --quiet "hqnn_utils @ git+https://github.com/someone/course@main"'
    assert all(install in cell.source for cell in cells(tree, "bootstrap"))
    badges = cells(tree, "badges")
    assert len(badges) == len(notebooks(tree))
    page = "someone/course/blob/main/notebooks/00_start_here.ipynb"
    assert f"(https://colab.research.google.com/github/{page})" in badges[0].source
    assert f"(https://kaggle.com/kernels/welcome?src=https://github.com/{page})" in badges[0].source
    assert f"(https://github.com/{page})" in badges[0].source
    assert generated.sync(tree, check=True) == [], "nothing is stale after it"
    assert generated.retarget(tree, "another/fork") == "another/fork"
    assert all("someone" not in c.source for c in cells(tree, "badges") + cells(tree, "bootstrap"))


def test_retarget_reads_the_git_remote(tree):
    with pytest.raises(SystemExit, match="no git remote called origin: say make retarget REPO="):
        generated.retarget(tree, None)
    run = dict(cwd=tree.root, check=True, capture_output=True)
    subprocess.run(["git", "init", "-q"], **run)
    subprocess.run(["git", "remote", "add", "origin", "git@github.com:teacher/fork.git"], **run)
    assert generated.retarget(tree, None) == "teacher/fork"
    assert tree.course()["repository"] == "teacher/fork"


def test_retarget_takes_other_hosts_and_refuses_nonsense(tree):
    address = "https://git.university.example/a/b"
    assert generated.retarget(tree, f"{address}.git") == address
    assert f"git+{address}@main" in cells(tree, "bootstrap")[0].source
    assert "colab.research" not in cells(tree, "badges")[0].source, "Colab opens GitHub only"
    with pytest.raises(SystemExit, match="'just a name' is no address: give owner/name, or a"):
        generated.retarget(tree, "just a name")


def test_retarget_keeps_stored_outputs_valid(tree):
    """The install cell is not part of the code digest: a fork's outputs stay as good."""
    before = [code_digest(read(path)) for path in notebooks(tree)]
    generated.retarget(tree, "someone/course")
    assert [code_digest(read(path)) for path in notebooks(tree)] == before


# ------------------------------------------------------------------------ what is generated


def test_nothing_generated_is_stale():
    assert generated.sync(HERE, check=True) == [], "run python notebooks/course.py sync"


def test_sync_finds_a_hand_edited_table(tree):
    generated.sync(tree)
    text = tree.readme.read_text()
    tree.readme.write_text(text.replace("| question |", "| riddle |"))
    assert generated.sync(tree, check=True) == ["README.md"]
    assert "| riddle |" in tree.readme.read_text(), "check changes nothing"
    assert generated.sync(tree) == ["README.md"]
    assert tree.readme.read_text() == text


def test_sync_can_be_kept_to_some_notebooks(tree):
    """``execute 00`` leaves the other notebooks as they are."""
    first, second = tree.course()["notebooks"][:2]
    for entry in (first, second):
        notebook = read(tree.path_of(entry))
        notebook.cells[1].source = "stale"
        write(notebook, tree.path_of(entry))
    stale = generated.sync(tree, entries=[second])
    assert [name for name in stale if name != "README.md"] == [f"{second['name']}.ipynb"]
    assert read(tree.path_of(first)).cells[1].source == "stale"


def test_sync_folds_solutions_and_writes_alt_texts(tree):
    path = tree.notebooks / "04_qubits_from_scratch.ipynb"
    generated.sync(tree)
    wanted = read(path)
    undone = read(path)
    for cell in undone.cells:
        cell.metadata.pop("jupyter", None)
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("image/png", None)
    assert undone != wanted
    write(undone, path)
    assert path.name in generated.sync(tree, check=True)
    assert read(path) == undone, "check changes nothing"
    generated.sync(tree)
    assert read(path) == wanted


def test_sync_names_what_is_missing(tree):
    notebooks(tree)[0].unlink()
    with pytest.raises(SystemExit, match=r"course.yml names 00_start_here.ipynb, which does not"):
        generated.sync(tree)
    with pytest.raises(SystemExit, match=r"README.md lacks the markers <!-- course:start --> and"):
        generated.replace_between("no marker here", "course", "table")


def test_times_are_shown_as_measured():
    measured = {"smoke": {"seconds": 89.4}, "laptop": {"seconds": 90.0}}
    assert generated.minutes(measured) == {
        "smoke": "89 s",
        "laptop": "1.5 min",
        "full": "not measured yet",
    }


def test_the_course_table_links_from_the_readme():
    entry = dict(
        name="08_x", title="X", question="Why?", needs="[06](06_y.ipynb), [03](03_z.ipynb)"
    )
    row = generated.course_table({"notebooks": [entry]}, {}).splitlines()[2]
    assert row.startswith("| [08 X](notebooks/08_x.ipynb) | Why? |")
    assert row.endswith("| [06](notebooks/06_y.ipynb), [03](notebooks/03_z.ipynb) |")


def bench(tree, record):
    path = tree.results / "benchmarks" / "quantum_layer_cpu.json"
    write_json_atomically(path, record | {"device": "cpu", "date": "2026-11-23"})
    return tables.bench_table(tree)


def test_the_bench_table_sorts_sizes_and_contenders(tmp_path):
    tree = Tree(tmp_path)
    assert tables.bench_table(tree) == "No record yet: `make bench` makes it."
    timings = {
        "10,4,64": {"slow": {"skipped": "too long"}, "ours": {"ms": 2.0, "ratio": 1}},
        "4,2,32": {"slow": {"ms": 30.0, "ratio": 60}, "ours": {"ms": 0.5, "ratio": 1}},
    }
    record = {"timings": {"basic": timings}, "threads": 2}
    head, _, first, second, *_ = bench(tree, record).splitlines()
    assert head.endswith("| 4,2,32 | 10,4,64 |")
    assert first == "| ours | 0.5 (1) | 2 (1) |"
    assert second == "| slow | 30 (60) | – |"


def test_the_bench_table_tells_the_whole_truth(tmp_path):
    """Both families, first calls, what was not ready, and the weakest ratio of all."""
    ours = {"ms": 0.5, "ratio": 1, "first_s": 0.7}
    small = {"jit": {"ms": 0.25, "ratio": 0.5, "first_s": 14.0}, "ours": ours}
    large = {"jit": {"skipped": "not ready after 45 s"}, "ours": ours}
    calm = {"4,2,32": {"jit": {"ms": 1.2, "ratio": 2.4, "first_s": 12.0}, "ours": ours}}
    families = {"basic": calm, "strong": {"8,3,32": large, "4,2,32": small}}
    record = {
        "by_threads": {"2": families, "1": {"basic": calm}},
        "warm_up": {"never ran here": 12.3, "ran here before": 0.61},
        "load_average": [0.31, 0.2, 0.1],
    }
    lines = bench(Tree(tmp_path), record).splitlines()
    assert lines[0].startswith("Weakest ratio")
    opens = lines.index(tables.FOLDED)
    assert lines[opens + 2].startswith("| the study's circuit: ms")
    assert "| ours | 0.5 (1.0) | 0.7 to 0.7 |" in lines
    assert "| jit | 1.2 (2.4) | 12 to 12 |" in lines
    assert "| jit | 0.25 (0.5) | not ready after 45 s | 14 to 14 |" in lines
    weakest = next(line for line in lines if line.startswith("Weakest"))
    assert weakest.startswith("Weakest ratio: 0.5 (jit; a general circuit, 4,2,32, 2 threads)")
    assert "0.61 s in a fresh process, and 12 s on a machine where it never ran" in lines[-3]
    assert lines[-3].endswith("Load average before: 0.3.")
    assert lines[-1] == "</details>"


def test_the_bench_table_compares_like_with_like(tmp_path):
    """A class each for torch layers and for arrays; the number across them is said too."""
    cells = {
        "peer as a layer": {"class": "layer", "ms": 1.0, "ratio": 4.0, "across": 4.0},
        "ours": {"class": "layer", "ms": 0.25, "ratio": 1.0, "across": 1.0},
        "peer in JAX": {"class": "arrays", "ms": 0.125, "ratio": 3.125, "across": 0.5},
        "ours in arrays": {"class": "arrays", "ms": 0.04, "ratio": 1.0, "across": 0.16},
        "never": {"class": "layer", "skipped": "too slow"},
    }
    timed = {n: {**c, "first_s": 1.0} if "ms" in c else c for n, c in cells.items()}
    record = {
        "by_threads": {"2": {"strong": {"4,2,32": timed}}},
        "warm_up": {"never ran here": 12.3, "ran here before": 0.61},
        "load_average": [0.31, 0.2, 0.1],
    }
    lines = bench(Tree(tmp_path), record).splitlines()
    where = "a general circuit, 4,2,32, 2 threads"
    assert lines[0] == (
        f"Weakest ratio, a torch layer, autograd included: 4.0 (peer as a layer; {where})."
    )
    assert lines[2] == (
        f"Weakest ratio, arrays in, gradients out (no autograd): 3.1 (peer in JAX; {where})."
    )
    assert lines[4].startswith("Across the classes, our torch layer against a peer without torch")
    assert lines[4].endswith(f"0.5 (peer in JAX; {where}); below 1 it is faster than ours.")
    rows = [line.split(" | ")[0] for line in lines if line.startswith("| ")]
    assert rows == [
        "| a general circuit, a torch layer, autograd included: ms, forward + backward "
        "(times ours)",
        "| ours",
        "| peer as a layer",
        "| never",
        "| a general circuit, arrays in, gradients out (no autograd): ms, forward + backward "
        "(times ours)",
        "| ours in arrays",
        "| peer in JAX",
    ]


# ------------------------------------------------------------------------------- running


def record(head, seed, phantom=False):
    labels, chances = [0, 1, 0, 1, 1], [0.1 + 0.05 * seed, 0.9, 0.6, 0.7, 0.4]
    part = {"ids": [f"test/{i}" for i in range(5)], "labels": labels, "probabilities": chances}
    return Record(
        name=f"00-small_cnn28-{head}-s{seed}",
        settings={"backbone": "small_cnn", "head": head, "seed": seed},
        data={"name": "breastmnist", "size": 28, "phantom": phantom},
        scores={},
        predictions={"test": part},
        provenance={},
    )


def test_the_report_of_a_run_has_both_tables(tmp_path):
    assert tables.report(tmp_path) == ""
    for head in ("linear", "dressed"):
        for seed in (0, 1):
            save_record(record(head, seed), tmp_path)
    report = tables.report(tmp_path)
    part = record("linear", 0).predictions["test"]
    auc = scores(part["labels"], part["probabilities"])["auc"]
    assert f"{auc:.3f} (" in report
    assert f"{auc:.3f} ± 0.000" in report
    assert "Data: breastmnist, 28 px, 5 test images" in report
    assert "00-small_cnn28-dressed " in report
    assert "PHANTOM" not in report
    save_record(record("mlp", 0, phantom=True), tmp_path)
    assert "PHANTOM breastmnist" in tables.report(tmp_path)
    assert "PHANTOM: these are synthetic images" in tables.report(tmp_path)


def test_the_report_of_single_runs_has_no_table_over_seeds(tmp_path):
    for head in ("linear", "dressed"):
        save_record(record(head, 0), tmp_path)
    report = tables.report(tmp_path)
    assert "intervals over test images" in report
    assert "over seeds" not in report
    assert "±" not in report


def test_the_environment_is_put_back(monkeypatch):
    monkeypatch.setenv("HQNN_A", "before")
    monkeypatch.delenv("HQNN_B", raising=False)
    with running.environment({"HQNN_A": "during", "HQNN_B": "during"}):
        assert os.environ["HQNN_A"] == os.environ["HQNN_B"] == "during"
    assert os.environ["HQNN_A"] == "before"
    assert "HQNN_B" not in os.environ


def test_tidy_keeps_the_last_state_of_a_progress_bar():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x")])
    # a kernel sends them one by one
    pieces = ["before\n", "\rbar 0%", "\rbar 50%", "\rbar 100%", "\n", "after\n"]
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=text) for text in pieces]
    outputs.append(nbformat.v4.new_output("stream", name="stderr", text="else"))
    notebook.cells[0].outputs = outputs
    tidied = running.tidy(notebook).cells[0].outputs
    assert [(o.name, o.text) for o in tidied] == [
        ("stdout", "before\nbar 100%\nafter\n"),
        ("stderr", "else"),
    ]


def test_what_is_stored_has_a_digest_and_no_dataset_images(tmp_path):
    shown = nbformat.v4.new_output("stream", name="stdout", text="shown")
    plain, images, injected = (nbformat.v4.new_code_cell("1", outputs=[shown]) for _ in range(3))
    images.metadata["tags"] = ["draws-images"]
    injected.metadata["tags"] = ["injected-parameters"]
    notebook = nbformat.v4.new_notebook(cells=[plain, images, injected])
    solution = drawing("# alt: what is seen\n1", {}).cells[1]
    solution.metadata["tags"] = ["solution"]
    notebook.cells.append(solution)
    notebook.metadata["papermill"] = {"duration": 1}
    running.store_outputs(notebook, tmp_path / "stored.ipynb")
    stored = read(tmp_path / "stored.ipynb")
    assert [len(cell.outputs) for cell in stored.cells] == [1, 0, 2]
    assert stored.cells[2].outputs[1].metadata["image/png"]["alt"] == "what is seen"
    assert stored.cells[2].metadata["cellView"] == "form"
    assert stored.metadata["hqnn"]["code_digest"] == code_digest(stored)
    assert stored.metadata["hqnn"]["profile"] == "laptop"
    assert "papermill" not in stored.metadata


def test_stored_figures_are_smaller_and_look_the_same(tmp_path):
    with io.BytesIO() as file:
        made, axis = plt.subplots(figsize=(4, 3))
        axis.imshow([[0, 1, 2], [3, 4, 5]])
        made.savefig(file)
        plt.close(made)
        full = base64.b64encode(file.getvalue()).decode()
    notebook = drawing("draw()", {}, {})
    first, second = notebook.cells[1].outputs[1:]
    first.data["image/png"] = full
    running.store_outputs(notebook, tmp_path / "stored.ipynb")
    small = read(tmp_path / "stored.ipynb").cells[1].outputs[1].data["image/png"]
    assert len(small) < 0.6 * len(full)
    before, after = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(s))).convert("RGB"), dtype=int)
        for s in (full, small)
    )
    assert np.abs(before - after).max() <= 16
    assert second.data["image/png"] == PNG, "one that would grow stays as it is"


def test_times_of_other_profiles_stay(tmp_path):
    tree = Tree(tmp_path)
    running.store_times(tree, "00_x", full=100)
    running.store_times(tree, "00_x", smoke=1.26, laptop=2)
    found = tree.times()["00_x"]
    assert {name: row["seconds"] for name, row in found.items()} == dict(
        full=100, smoke=1.3, laptop=2
    )
    assert set(found["smoke"]) == {"seconds", "cores", "date", "python"}
    running.store_memory(tree, "00_x", laptop=1536.04)
    found = tree.times()["00_x"]
    assert (found["laptop"]["seconds"], found["laptop"]["peak_mib"]) == (2, 1536.0)
    running.store_memory(tree, "01_y", laptop=512)
    assert "1.5 GiB, is taken by notebook 00." in memory_sentence(tree.times())
    assert memory_sentence({"00_x": {"smoke": {"peak_mib": 9e9}}}) == ""


def test_memory_of_a_child_and_of_its_child_is_seen():
    takes = "held = bytearray(b'1') * (64 << 20); import time; time.sleep(2)"
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {takes!r}])"
    before = mebibytes(children())  # of whatever earlier tests have left running
    with PeakMemory() as memory:
        subprocess.run([sys.executable, "-c", starts], check=True)
    assert 64 < memory.mebibytes - before < 400


def test_memory_of_a_process_that_has_only_been_started_is_not_its_own(monkeypatch):
    class Process:
        def __init__(self, gibibytes):
            self.memory_full_info = lambda: SimpleNamespace(
                rss=gibibytes << 31, pss=gibibytes << 30
            )

    stays, passes = Process(1), Process(3)
    looks, looked = iter([[stays], [stays, passes], [stays]]), threading.Event()

    def look():
        found = next(looks, None)
        if found is None:
            looked.set()
        return found or [stays]

    monkeypatch.setattr(memory_kit, "EVERY", 0)
    monkeypatch.setattr(memory_kit, "children", look)
    with PeakMemory() as memory:
        assert looked.wait(60)
    assert memory.mebibytes == 1024


def test_every_notebook_leaves_a_small_machine_room():
    """A laptop of 8 GB, or a quarter of Colab's 12."""
    for name, found in HERE.times().items():
        assert found["laptop"].get("peak_mib", 0) <= 2048, name


def test_unknown_notebook_is_clear(tmp_path):
    with pytest.raises(SystemExit, match="no notebook '77_x'; known: 00_start_here"):
        running.run(HERE, "77_x", "smoke", tmp_path)
    with pytest.raises(SystemExit, match=r"no notebook among \['77'\]"):
        running.execute(HERE, ["77"])


# ------------------------------------------------------------------- alt texts and folding

# one pixel
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGA"
    "WjR9awAAAABJRU5ErkJggg=="
)


def drawing(source, *figures):
    """A notebook of one code cell that drew figures, each with its own metadata."""
    made = nbformat.v4.new_code_cell(source)
    made.outputs = [nbformat.v4.new_output("stream", name="stdout", text="first")]
    for metadata in figures:
        data = {"image/png": PNG, "text/plain": "<Figure>"}
        made.outputs.append(nbformat.v4.new_output("display_data", data, metadata=metadata))
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# alt: no code"), made])


def test_alt_texts_are_read_from_comments():
    source = "# alt: a curve\n#   that falls\n# alt:  bars \n# a reason\n#   too\nx = '# alt: no'"
    assert alt_texts(source) == ["a curve that falls", "bars"]
    assert alt_texts("x = 1") == []


def test_alt_texts_go_to_the_pictures_in_their_order():
    notebook = drawing("# alt: left\n# alt: right\ndraw()", {"image/png": {"width": 3}}, {})
    assert write_alts(notebook)
    stream, first, second = notebook.cells[1].outputs
    assert first.metadata["image/png"] == {"width": 3, "alt": "left"}
    assert second.metadata["image/png"] == {"alt": "right"}
    assert "metadata" not in stream
    nbformat.validate(notebook)
    assert not write_alts(notebook), "nothing left to do"
    notebook.cells[1].source = "# alt: other\ndraw()"
    assert write_alts(notebook)
    assert first.metadata["image/png"]["alt"] == "other"


def test_a_player_is_labelled_with_the_alt_text():
    notebook = drawing('# alt: "bars" & more\nexplore()', {})
    bundle = player("t", ["t = 1"], [plt.figure(figsize=(2, 1))])._repr_mimebundle_()
    output = notebook.cells[1].outputs[1]
    output.data.update(bundle)
    assert write_alts(notebook)
    group = BeautifulSoup(output.data["text/html"], "html.parser").find("div")
    assert group["aria-label"] == '"bars" & more'
    assert group.img["alt"] == "t = 1", "each frame keeps its own"
    assert not write_alts(notebook)
    notebook.cells[1].source = "# alt: other\nexplore()"
    assert write_alts(notebook)
    assert 'aria-label="other"' in output.data["text/html"]
    plt.close("all")


def test_the_page_has_the_alt_texts(tmp_path):
    notebook = drawing('# alt: "a" < b & c\ndraw()', {"image/png": {"width": 30}})
    page = BeautifulSoup(to_html(notebook, tmp_path / "07_page.html").read_text(), "html.parser")
    (image,) = page.find_all("img")
    assert image["alt"] == '"a" < b & c'
    assert image["width"] == "30"
    assert page.title.text == "07_page"
    assert "# alt:" not in page.text, "it is said once, to those who need it"
    assert notebook.cells[1].outputs[1].metadata == {"image/png": {"width": 30}}, "left alone"
    assert not page.find_all("details")


def folded(source="check('00.x', 3)", *marks):
    notebook = notebook_of(source, "text")
    notebook.cells[1].metadata["tags"] = list(marks)
    return notebook, notebook.cells[1]


def test_solutions_are_folded_for_each_reader():
    notebook, cell = folded("check('00.x', 3)", "solution", "other")
    digest = code_digest(notebook)
    assert fold(notebook)
    assert cell.metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
    assert cell.metadata["cellView"] == "form"
    assert cell.metadata["tags"] == ["solution", "other", "hide-cell"]
    assert cell.source == "# @title Solution\ncheck('00.x', 3)"
    assert code_digest(notebook) == digest
    assert not fold(notebook), "nothing left to do"


def test_of_a_drawing_function_the_code_is_folded():
    notebook, cell = folded("def draw(): ...", "hide-input")
    assert fold(notebook)
    assert cell.metadata == {"tags": ["hide-input"], "jupyter": {"source_hidden": True}}
    assert cell.source == "def draw(): ..."
    notebook, cell = folded("x = 1", "exercise")
    assert not fold(notebook)


def test_the_page_folds_solutions_and_drawing_functions(tmp_path):
    notebook, _ = folded("secret = 1", "solution")
    drawn, cell = folded("def draw(): ...", "hide-input")
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="drawn picture")]
    notebook.cells += [*drawn.cells, nbformat.v4.new_code_cell("shown = 1")]
    fold(notebook)
    page = to_html(notebook, tmp_path / "page.html").read_text()
    inside = re.findall(r"<details.*?</details>", page, re.S)
    assert ["secret" in part for part in inside] == [True, False]
    assert "How it is drawn" in inside[1]
    outside = re.sub(r"<details.*?</details>", "", page, flags=re.S)
    assert "secret" not in outside
    assert "drawn picture" in outside, "the output stays in sight"
    assert "shown" in outside


# ------------------------------------------------------------------------ files, students


def notebook_of(code, text):
    cells = [nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(code)]
    return nbformat.v4.new_notebook(cells=cells)


def test_code_digest_sees_code_and_nothing_else():
    digest = code_digest(notebook_of("a", "x"))
    assert digest == code_digest(notebook_of("a", "y"))
    assert digest != code_digest(notebook_of("b", "x"))


def test_code_digest_ignores_comments_for_pages():
    """Neither an alt text nor a fold makes stored outputs stale; other comments are code."""
    code = "x = 1\n# a reason\ny = 2"
    digest = code_digest(notebook_of(code, "x"))
    for same in (
        f"# alt: one line\n{code}",
        f"# alt: two\n#   lines\n# alt: another figure\n{code}",
        f"# @title Solution\n{code}",
        f"# @title Solution\n# alt: a figure\n{code}",
        "x = 1\n# alt: further down\n# a reason\ny = 2",
    ):
        assert code_digest(notebook_of(same, "x")) == digest, same
    for other in (f"# Alt: {code}", f"#   indented\n{code}", f"\n# @title Solution\n{code}"):
        assert code_digest(notebook_of(other, "x")) != digest, other


def test_an_invalid_notebook_is_not_written(tmp_path):
    broken = notebook_of("a", "x")
    broken.cells[0]["cell_type"] = "poem"
    with pytest.raises(nbformat.ValidationError):
        write(broken, tmp_path / "broken.ipynb")
    assert not (tmp_path / "broken.ipynb").exists()


@pytest.fixture
def students(tree, tmp_path):
    """The student versions of a course whose address is set, and their folder."""
    generated.retarget(tree, "someone/course")
    out = tmp_path / "students"
    student(tree, out)
    return {path.stem: read(path) for path in sorted((out / "notebooks").glob("*.ipynb"))}, out


def test_student_version_has_no_solution_and_no_output(tree, students):
    made, _ = students
    assert list(made) == [path.stem for path in notebooks(tree)]
    for notebook in made.values():
        assert not any("solution" in tags(cell) for cell in notebook.cells)
        assert any("exercise" in tags(cell) for cell in notebook.cells)
        assert all(not cell.get("outputs") for cell in notebook.cells)
        assert "hqnn" not in notebook.metadata
        nbformat.validate(notebook)


def an_exercise(stub, solution, *later):
    """A notebook of one exercise and what comes behind it."""
    cells = [nbformat.v4.new_code_cell(source) for source in (stub, solution, *later)]
    cells[0].metadata["tags"], cells[1].metadata["tags"] = ["exercise"], ["solution"]
    fold(notebook := nbformat.v4.new_notebook(cells=cells))
    return notebook


STUB = "def f(x):\n    return ...\n\n\ncheck('04.x', f, data=[1])"
SOLUTION = STUB.replace("...", "x + 1")


def test_a_student_version_goes_on_where_a_solution_is_needed(tree):
    notebook = an_exercise(STUB, SOLUTION, "print(f(3))")
    entry = tree.course()["notebooks"][0]
    made = student_version(notebook, tree.course(), entry, {})
    stub, instead, _ = made.cells
    assert stub.source == STUB
    assert instead.source.splitlines()[-1] == 'f = carry_on("04.x", f, data=[1])'
    assert instead.metadata == {"tags": ["carry-on"]}, "in sight"
    assert "x + 1" not in json.dumps(made)


@pytest.mark.parametrize(
    "later",
    ["print(3)", "f = 3\nprint(f)", "def f(x): ...\n\n\nf(3)", "# f(3)", "g.f(3)"],
)
def test_a_solution_that_nobody_uses_is_gone(tree, later):
    notebook = an_exercise(STUB, SOLUTION, later)
    made = student_version(notebook, tree.course(), tree.course()["notebooks"][0], {})
    assert [cell.source for cell in made.cells] == [STUB, later]


def test_badges_of_a_student_version_open_student_versions(students):
    """None leads to the course's own branch, where the solutions are; the helpers come from it."""
    made, _ = students
    for name, notebook in made.items():
        text = "\n".join(cell.source for cell in notebook.cells if "bootstrap" not in tags(cell))
        leads_to = re.findall(r"someone/course/(\S+?)\)", text)
        assert leads_to == [f"blob/student/notebooks/{name}.ipynb"] * 3, name
        (install,) = (c.source for c in notebook.cells if "bootstrap" in tags(c))
        assert "git+https://github.com/someone/course@main" in install


def test_the_branch_of_student_versions_has_another_name(tree):
    course = tree.course()
    assert course["student_branch"] not in ("", course["branch"])


def answers_of(notebook):
    """Lines of the solutions that are neither in their exercise nor in its task."""
    for i, cell in enumerate(notebook.cells):
        if "solution" not in tags(cell):
            continue
        task, stub = (notebook.cells[i - k].source for k in (2, 1))
        for line in map(str.strip, code_only(cell.source).splitlines()):
            usual = line.startswith(("import ", "from ", "return ")) or line.endswith(":")
            if len(line) >= 15 and not usual and line not in task + stub:
                yield line


def test_answers_stand_in_solutions_only(tree, students):
    """Neither the student version nor a hint gives one away."""
    made, _ = students
    for path in notebooks(tree):
        number = path.stem[:2]
        # the task of a later exercise, such as a faulty version, may look like the answer of one
        text = "\n".join(
            cell.source for cell in made[path.stem].cells if "### Exercise" not in cell.source
        )
        for name in known_exercises():
            if name.startswith(number):
                text += "\n".join(["", *exercise(name).hints])
        for line in answers_of(read(path)):
            assert line not in text, f"{path.stem}: {line}"


def test_predictions_are_open(students):
    made, _ = students
    for name, notebook in made.items():
        for cell in notebook.cells:
            if cell.cell_type != "code" or "predict(" not in cell.source:
                continue
            for call in ast.walk(ast.parse(code_only(cell.source))):
                if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "predict":
                    assert len(call.args) == 1 or ast.unparse(call.args[1]) == "...", name


def test_student_versions_can_be_published_as_their_branch(tree, tmp_path, capsys):
    """The printed commands, run as they are: for a course with a remote, again and again."""
    remote = tmp_path / "remote.git"
    settings = ("user.name=A", "user.email=a@b.c", "init.defaultBranch=main")
    given = {f"GIT_CONFIG_KEY_{i}": s.split("=")[0] for i, s in enumerate(settings)}
    given |= {f"GIT_CONFIG_VALUE_{i}": s.split("=")[1] for i, s in enumerate(settings)}
    env = dict(os.environ, GIT_CONFIG_COUNT=str(len(settings)), **given)

    def sh(command, folder=tree.root):
        done = subprocess.run(
            command, shell=True, cwd=folder, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout

    sh(f"git init -q --bare {remote}")
    sh(f"git init -q && echo build/ > .gitignore && git remote add origin {remote}")
    sh("git add -A && git commit -qm course && git push -q origin HEAD:main")
    for cleaned in (False, False, True):
        if cleaned:
            shutil.rmtree(tree.root / "build")
        student(tree, tree.root / "build" / "student")
        printed = capsys.readouterr().out
        commands = printed[printed.index("git -C build/student") :]
        sh(f"set -e\n{commands}")
    assert sh("git status --porcelain") == ""
    found = sh("git ls-tree -r --name-only student", remote).split()
    names = [path.name for path in notebooks(tree)]
    made = ["glossary.md", *names]
    assert found == sorted(["README.md", *(f"notebooks/{name}" for name in made)])
    assert '"solution"' not in sh(f"git show student:notebooks/{names[0]}", remote)
    assert sh("git log --format=%s main", remote) == "course\n"


def test_command_line_lists_its_commands():
    command = [sys.executable, str(HERE.notebooks / "course.py"), "-h"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(word in shown for word in ("run", "execute", "retarget", "sync", "student"))
