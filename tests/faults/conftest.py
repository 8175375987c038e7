"""What the fault suite needs: a server that can misbehave, a small disk, processes that are killed.

Every test here is a fault that an unlucky or hostile user can cause; its id is the fault's name.
``python -m pytest tests/faults`` runs the fast ones; ``make faults`` also those marked ``long``.
"""

import http.server
import os
import shutil
import subprocess
import sys
import threading

import pytest
from coursekit.files import HERE, Tree
from fault_toys import ROOT


def pytest_collection_modifyitems(items):
    """What takes long is left out of mutation testing too."""
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker("slow")
        fixtures = getattr(item, "fixturenames", ())  # a notebook's cell has none
        needs_unix = item.get_closest_marker("unix") or "small_disk" in fixtures
        if sys.platform == "win32" and needs_unix:
            item.add_marker(pytest.mark.skip(reason="forks, signals, links or make of Unix"))


@pytest.fixture
def serve():
    """``serve(answer)`` starts a server on the loopback address; ``answer(handler)`` answers."""
    started = []

    def start(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer(self)

            def log_message(self, *args):
                pass

        httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        httpd.daemon_threads = True
        httpd.block_on_close = False
        threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
        started.append(httpd)
        return f"http://127.0.0.1:{httpd.server_port}"

    yield start
    for httpd in started:
        httpd.shutdown()
        httpd.server_close()


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of 64 kB; skipped where no disk can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    # on a machine that is thrown away afterwards the small disk may be made as root
    as_root = ["sudo", "-n"] if os.environ.get("CI") == "true" and os.name == "posix" else []
    as_root = as_root if shutil.which("sudo") else []
    mount = [*as_root, "mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True)
    except OSError:
        pytest.skip("no mount here")
    if done.returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run([*as_root, "umount", "-l", str(folder)], capture_output=True)


@pytest.fixture
def script(tmp_path):
    """``script(text, *arguments)`` starts a Python process of its own and returns it."""
    started = []

    def start(text, *arguments, **environment):
        known = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "HQNN_CACHE": str(tmp_path / "c")}
        process = subprocess.Popen(
            [sys.executable, "-c", text, *map(str, arguments)],
            env={**os.environ, **known, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def hold(script):
    """``hold(path)``: the process that holds the lock of a file, from now on for a minute."""

    def start(path):
        holder = script(
            "import sys, time\n"
            "from hqnn_utils.runtime.files import locked\n"
            "with locked(sys.argv[1], 5, ''):\n"
            "    print('held', flush=True)\n"
            "    time.sleep(60)\n",
            path,
        )
        assert holder.stdout.readline() == "held\n"
        return holder

    return start


@pytest.fixture
def tree(tmp_path):
    """A course with its list of notebooks and nothing else."""
    tree = Tree(tmp_path / "course")
    tree.notebooks.mkdir(parents=True)
    shutil.copy(HERE.course_file, tree.course_file)
    return tree
