"""Shared by all tests: the course tool on the path, parallel runs, small data files."""

import functools
import gc
import http.server
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))  # for `from coursekit import ...`

# tqdm's own lock is shared by forked processes: one that is killed while it holds the lock would
# stop all others for ever (mutation testing forks and kills).
tqdm.set_lock(threading.RLock())
tqdm.monitor_interval = 0


def keep():
    """What is there now stays until the end: Python need not look for garbage in it any more.

    It is a million objects and more: libraries, tests, their cases. statsmodels collects all
    garbage in each call of ``multipletests``, which took most of the time of some tests.
    """
    gc.collect()
    gc.freeze()


def pytest_collection_finish():
    keep()


def pytest_sessionfinish():
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="module")
def what_a_file_has_loaded_stays():
    """Libraries that are imported by a first test, records that are kept in a cache."""
    yield
    keep()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """How ``pytest -n 2`` deals out the tests: see ``NotebooksWhole``.

    ``--dist loadgroup`` would be the usual way, but pytest 9.2 silently ignores its groups
    (pytest-xdist, issue 1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    class NotebooksWhole(LoadScopeScheduling):
        """The cells of a notebook stay together, since they share a kernel; tests go anywhere."""

        def _split_scope(self, nodeid):
            file, _, _ = nodeid.partition("::")
            return file if file.endswith(".ipynb") else nodeid

    return NotebooksWhole(config, log)


@pytest.fixture
def medmnist_arrays():
    """Six small arrays in MedMNIST's format, raw labels 0 = malignant."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, n in (("train", 12), ("val", 6), ("test", 8)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        arrays[f"{split}_labels"] = (np.arange(n) % 3 > 0).astype(np.uint8)[:, None]
    return arrays


@pytest.fixture
def medmnist_file(tmp_path, medmnist_arrays):
    path = tmp_path / "mine.npz"
    np.savez_compressed(path, **medmnist_arrays)
    return path


@pytest.fixture
def server(tmp_path):
    """Serves ``tmp_path/served`` on the loopback address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
