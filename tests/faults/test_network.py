"""The cause is kept: only no network is "no network", and Ctrl-C is Ctrl-C."""

import errno
import hashlib
import signal
import socket
import ssl
import struct
import sys
import time
import urllib.error
import urllib.request

import medmnist
import pytest
import torch
import torchvision
from fault_toys import flip, reply, until

from hqnn_utils.data import load_breakhis, load_breastmnist
from hqnn_utils.models import WeightsError
from hqnn_utils.models.backbones.weights import imagenet_state
from hqnn_utils.runtime import DataError, fetching


@pytest.fixture
def official(monkeypatch, tmp_path):
    """``official(address, content)`` makes ``address`` the place of the official file."""
    monkeypatch.setenv("HQNN_DATA", str(tmp_path / "data"))

    def at(address, content=b"x"):
        about = {"url": f"{address}/f.npz", "MD5": hashlib.md5(content).hexdigest()}
        monkeypatch.setitem(medmnist.INFO, "breastmnist", {**medmnist.INFO["breastmnist"], **about})

    return at


PORTAL = b"<html><title>Welcome to the hotel</title></html>"


def stall(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    handler.wfile.write(b"PK")
    handler.wfile.flush()
    time.sleep(5)


SAID = {
    "captive portal": (lambda h: reply(h, body=PORTAL, kind="text/html"), "captive portal"),
    "captive portal that hides its type": (
        lambda h: reply(h, body=b" " + PORTAL),
        "captive portal",
    ),
    "another file": (lambda h: reply(h, body=b"PK another"), "it arrived damaged, MD5"),
    "cut short": (lambda h: reply(h, body=b"PK", length=99), "broke off"),
    "not found": (lambda h: reply(h, 404), "the server answered 404"),
    "server error": (lambda h: reply(h, 503), "the server answered 503"),
    "login wanted": (lambda h: reply(h, 511), "the server answered 511"),
    "hangs up": (lambda h: h.connection.close(), "hung up|broke off"),
    "never answers": (lambda h: time.sleep(5), "the server stalled"),
    "stalls midway": (stall, "the server stalled"),
}


@pytest.mark.parametrize(("answer", "said"), SAID.values(), ids=SAID)
def test_server_answers_something_else(serve, official, monkeypatch, tmp_path, answer, said):
    """Also with source="auto": there is a network, so no phantom stands in."""
    monkeypatch.setattr(fetching, "STALLED", 0.2)
    official(serve(answer), b"the file")
    with pytest.raises(DataError, match=rf"breastmnist.npz could not be downloaded: .*{said}"):
        load_breastmnist(source="auto")
    assert list((tmp_path / "data").iterdir()) == []


REASONS = {
    "no such host": (socket.gaierror(-2, "Name or service not known"), True),
    "no route": (OSError(errno.ENETUNREACH, "Network is unreachable"), True),
    "firewall drops": (TimeoutError("timed out"), True),
    "proxy refuses": (OSError("Tunnel connection failed: 403 Forbidden"), True),
    "certificate of a portal": (ssl.SSLCertVerificationError("self-signed certificate"), False),
    "handshake stalls": (TimeoutError("_ssl.c: The handshake operation timed out"), False),
    "too many open files": (OSError(errno.EMFILE, "Too many open files"), False),
}


@pytest.mark.parametrize(("reason", "is_no_network"), REASONS.values(), ids=REASONS)
def test_phantom_only_without_a_network(official, monkeypatch, reason, is_no_network):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError(reason)

    official("https://host.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: [])
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    if is_no_network:
        with pytest.warns(UserWarning, match="USING THE PHANTOM"):
            assert load_breastmnist(source="auto").is_phantom
    else:
        with pytest.raises(DataError, match="could not be downloaded"):
            load_breastmnist(source="auto")


def test_full_disk_is_no_missing_network(serve, official, small_disk):
    official(serve(lambda h: reply(h, body=b"P" * 200_000)))
    with pytest.raises(DataError, match=r"cannot be written \(the disk is full, .* are free\)"):
        load_breastmnist(source="auto", root=small_disk / "data")
    assert list((small_disk / "data").iterdir()) == []


LINK = pytest.param("a link to a disk that is gone", marks=pytest.mark.unix)


@pytest.mark.parametrize("what", [LINK, "a folder that may not be read"])
def test_data_that_cannot_be_seen_are_not_missing(tmp_path, monkeypatch, what):
    monkeypatch.setenv("HQNN_DATA", str(tmp_path))
    if what.startswith("a link"):
        for name in ("breakhis", "breastmnist.npz"):
            (tmp_path / name).symlink_to(tmp_path / "unplugged")
    else:
        stat = type(tmp_path).stat

        def refused(path, **options):
            if path.name in ("breakhis", "breastmnist.npz"):
                raise PermissionError(errno.EACCES, "Permission denied")
            return stat(path, **options)

        monkeypatch.setattr(type(tmp_path), "stat", refused)
    for load in (load_breakhis, load_breastmnist):
        with pytest.raises(DataError, match="set HQNN_DATA"):
            load()


CTRL_C = """
import signal, sys, medmnist
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from hqnn_utils.data import load_breastmnist
about = {"url": sys.argv[1] + "/f.npz", "MD5": "0" * 32}
medmnist.INFO["breastmnist"] = {**medmnist.INFO["breastmnist"], **about}
load_breastmnist(source="auto")
print("went on")
"""


@pytest.mark.unix
def test_ctrl_c_in_a_download_is_ctrl_c(serve, script, tmp_path):
    asked = []
    address = serve(lambda h: (asked.append(1), time.sleep(20)))
    process = script(CTRL_C, address, HQNN_DATA=str(tmp_path / "data"))
    until(lambda: asked, 120)  # the first import takes long on a busy machine
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=240)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in err
    assert "went on" not in out
    assert list((tmp_path / "data").iterdir()) == []


SLOW_DNS = """
import socket, sys, time, medmnist
from hqnn_utils.data import load_breastmnist
from hqnn_utils.runtime import fetching
fetching.STALLED = 0.5
socket.getaddrinfo = lambda *a, **k: time.sleep(600)
about = {"url": "https://data.example.org/f.npz", "MD5": "0" * 32}
medmnist.INFO["breastmnist"] = {**medmnist.INFO["breastmnist"], **about}
print("begun", time.monotonic(), flush=True)
try:
    load_breastmnist(source="auto")
except Exception as error:
    print(time.monotonic(), type(error).__name__, error, flush=True)
"""


@pytest.mark.parametrize("proxy", ["", "http://proxy.example.org:3128"], ids=["direct", "proxy"])
def test_name_server_that_hangs(script, tmp_path, proxy):
    """No timeout of urllib reaches it. An error in words, no phantom, and the process ends."""
    asked = "proxy.example.org" if proxy else "data.example.org"
    proxies = {"https_proxy": proxy, "HTTPS_PROXY": proxy, "no_proxy": "", "NO_PROXY": ""}
    process = script(SLOW_DNS, HQNN_DATA=str(tmp_path / "data"), **proxies)
    out, err = process.communicate(timeout=240)
    begun, said = out.splitlines()
    ended, kind, words = said.split(" ", 2)
    assert float(ended) - float(begun.split()[1]) < 60, "half a second, on a busy machine more"
    assert kind == "DataError"
    assert f"name server (DNS) has not answered for 0 seconds, asked for {asked}" in words
    assert "PHANTOM" not in out + err
    assert list((tmp_path / "data").iterdir()) == []


def test_names_that_are_not_known_are_asked_for_once(official, monkeypatch):
    asked = []

    def unknown(*arguments, **options):
        asked.append(arguments[0])
        raise socket.gaierror(-2, "Name or service not known")

    official("https://host.invalid")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.warns(UserWarning, match="USING THE PHANTOM"):
        assert load_breastmnist(source="auto").is_phantom
    assert asked == ["host.invalid"]


def drips(handler):
    """A header that never ends: each byte comes in time."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(100):
        handler.wfile.write(b"a")
        handler.wfile.flush()
        time.sleep(0.05)


def test_header_that_drips(serve, monkeypatch, tmp_path):
    monkeypatch.setattr(fetching, "MOST_SECONDS", 0.5)
    with pytest.raises(fetching.FetchError, match="no answer began within 0 seconds"):
        fetching.fetch(f"{serve(drips)}/f", tmp_path / "f", "md5", "0" * 32)


# ----------------------------------------------------------------------------------- weights


@pytest.fixture
def weights_at(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))

    def at(url):
        made = type("W", (), {"url": url})()
        monkeypatch.setattr(
            torchvision.models, "get_model_weights", lambda _: {"IMAGENET1K_V1": made}
        )

    return at


@pytest.mark.parametrize("fault", ["captive portal", "not found", "never answers", "stalls midway"])
def test_weights_server_answers_something_else(serve, weights_at, monkeypatch, tmp_path, fault):
    monkeypatch.setattr(fetching, "STALLED", 0.2)
    answer, said = SAID[fault]
    weights_at(f"{serve(answer)}/resnet18-f37072fd.pth")
    with pytest.raises(WeightsError, match=rf"are not reachable \(.*{said}"):
        imagenet_state("resnet18")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_weights_on_a_full_disk(serve, weights_at, monkeypatch, small_disk):
    weights_at(f"{serve(lambda h: reply(h, body=b'P' * 200_000))}/resnet18-f37072fd.pth")
    monkeypatch.setattr(torch.hub, "_hub_dir", str(small_disk))
    with pytest.raises(WeightsError, match=r"cannot be kept: .* the disk is full|disk is full"):
        imagenet_state("resnet18")


def test_weights_with_a_flipped_bit(weights_at, tmp_path):
    weights_at("https://host.invalid/resnet18-f37072fd.pth")
    kept = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    kept.parent.mkdir(parents=True)
    torch.save({"a": torch.zeros(99)}, kept)
    flip(kept, 500)
    with pytest.raises(WeightsError, match="is damaged"):
        imagenet_state("resnet18")


# ---------------------------------------------------------------------------------- addresses


LINGER = "hh" if sys.platform == "win32" else "ii"


def resets(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(LINGER, 1, 0))
    handler.connection.close()


def sends_elsewhere(place):
    def answer(handler):
        handler.send_response(302)
        handler.send_header("Location", place or f"/{time.time_ns()}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def wrong_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"zzz\r\n")


def answers_raw(content):
    return lambda handler: handler.wfile.write(content)


ODD = {
    "resets the connection": (resets, "hung up"),
    "sends on for ever": (sends_elsewhere(None), "302 .*infinite loop"),
    "sends to a file of this machine": (sends_elsewhere("file:///etc/hosts"), "302 .*not allowed"),
    "wrong chunks": (wrong_chunks, "broke off"),
    "speaks another language": (answers_raw(b"SSH-2.0-x\r\n"), "hung up"),
    "endless header": (answers_raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10**5), "hung up"),
    "nothing at all": (lambda h: reply(h, 204), "arrived damaged"),
    "an excuse as JSON": (
        lambda h: reply(h, body=b'{"error": 1}', kind="application/json"),
        "arrived damaged",
    ),
    "more than any file": (lambda h: reply(h, body=b"x" * 300_000), "more than 100.0 kB came"),
}


@pytest.mark.parametrize(("answer", "said"), ODD.values(), ids=ODD)
def test_server_of_an_odd_kind(serve, monkeypatch, tmp_path, answer, said):
    monkeypatch.setattr(fetching, "STALLED", 0.5)
    monkeypatch.setattr(fetching, "MOST_BYTES", 100_000)
    with pytest.raises(fetching.FetchError, match=said):
        fetching.fetch(f"{serve(answer)}/f", tmp_path / "new" / "f", "md5", "0" * 32)
    assert not list(tmp_path.rglob("f*"))


NO_WEB = ("file:///etc/hosts", "nonsense", "http://[::1", "http://a b/c", "http://\u2028/x", "")


@pytest.mark.parametrize("url", NO_WEB)
def test_address_that_is_none(tmp_path, url):
    with pytest.raises(fetching.FetchError, match="is no address on the web"):
        fetching.fetch(url, tmp_path / "f", "md5", "0" * 32)
