"""A file from a server: checked, in a limited time, and with the real cause where it fails."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

from hqnn_utils.runtime.files import StorageError, cause, in_bytes, whole_file

STALLED = 30.0  # seconds without a byte, or without an answer of the name server
MOST_SECONDS = 300.0  # until a server's answer begins, whatever it sends before
SLOWEST = 1000  # bytes a second, on average, once a minute has gone by
BLOCK = 2**16
MOST_BYTES = 20 * 10**9  # the largest set of MedMNIST has 12 GB


class UnreachableError(ConnectionError):
    """There is no way to the server: no network, no such host, refused, no answer at all."""


class FetchError(RuntimeError):
    """A server that answered, but not with the file; the message says what came instead."""


def fetch(url: str, path: str | os.PathLike, algorithm: str, wanted: str) -> None:
    """Get a file, compare its digest, and give it its name when all of it is there.

    Parameters
    ----------
    url : of the file.
    path : its name here.
    algorithm, wanted : ``"md5"`` or ``"sha256"``, and how the digest begins, in hexadecimal digits.

    Raises
    ------
    UnreachableError : the server was never reached.
    FetchError : it answered with an error, stalled, hung up, or sent something else.
    StorageError : the folder cannot be written, or is full.
    """
    path = Path(path)
    found = hashlib.new(algorithm)
    try:
        with _opened(url) as answer, whole_file(path) as stream:
            first = _copy(answer, stream, found, url)
            if not found.hexdigest().startswith(wanted):
                raise FetchError(_what_came(answer, first, algorithm, wanted, found.hexdigest()))
    except (UnreachableError, StorageError):
        raise
    except OSError as error:  # of the file system: those of the network were named before
        raise StorageError(f"{path.parent} cannot be written ({cause(error, path)})") from None


def _opened(url: str):
    """The answer of the server."""
    if not url.lower().startswith(("https://", "http://")):
        raise FetchError(f"{url!r} is no address on the web")
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "hqnn_utils"})
        _look_up(request)
        return _in_time(
            lambda: urllib.request.urlopen(request, timeout=STALLED),
            MOST_SECONDS,
            f"no answer began within {MOST_SECONDS:.0f} seconds, try again later",
        )
    except FetchError:
        raise
    except urllib.error.HTTPError as error:
        raise FetchError(f"the server answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise _named(error.reason) from error
    except TimeoutError:
        raise FetchError(_stalled()) from None
    except (ValueError, http.client.InvalidURL) as error:
        raise FetchError(f"{url!r} is no address on the web ({error})") from None
    except (http.client.HTTPException, OSError) as error:
        raise FetchError(f"the server hung up ({_words(error)})") from None


def _look_up(request: urllib.request.Request) -> None:
    """Ask the name server: the system may wait for it for ever, and no timeout of ours reaches it.

    Behind a proxy it is the proxy that asks.
    """
    place = urllib.parse.urlsplit(request.full_url)
    proxies = urllib.request.getproxies()
    if place.scheme in proxies and not urllib.request.proxy_bypass(place.netloc):
        place = urllib.parse.urlsplit(proxies[place.scheme])
    if not place.hostname or any(
        c.isspace() for c in place.hostname
    ):  # urlopen says what is wrong with it
        return
    try:
        _in_time(
            lambda: socket.getaddrinfo(place.hostname, None),
            STALLED,
            f"the name server (DNS) has not answered for {STALLED:.0f} seconds, asked for "
            f"{place.hostname}: look at the network's settings, or try again later",
        )
    except socket.gaierror as error:
        raise urllib.error.URLError(error) from None
    except (OSError, UnicodeError):
        return  # urlopen says what it is


def _in_time(work: Callable[[], Any], seconds: float, said: str):
    """What ``work`` gives; FetchError with ``said`` if it takes longer. It is left behind then."""
    done: Future = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # whatever it is: it is raised where somebody waits
            done.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    if not wait([done], seconds).done:
        raise FetchError(said)
    return done.result()


def _named(reason) -> Exception:
    """Why no connection was made."""
    if isinstance(reason, ssl.SSLError) or "handshake" in str(reason):
        return FetchError(
            f"no trusted connection ({_words(reason)}): something stands between here and the "
            "server, such as the login page of a wireless network"
        )
    no_way = (errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
    never_reached = (
        isinstance(reason, (socket.gaierror, TimeoutError))
        or getattr(reason, "errno", None) in no_way
        or "Tunnel connection failed" in str(reason)  # a proxy that lets nothing through
    )
    kind = UnreachableError if never_reached else FetchError
    return kind(_words(reason))


def _copy(answer, stream, found, url: str) -> bytes:
    """Write what comes; returns its beginning."""
    first, total, began = b"", 0, time.monotonic()
    while True:
        try:
            block = answer.read(BLOCK)
        except TimeoutError:
            raise FetchError(_stalled()) from None
        except (http.client.HTTPException, OSError) as error:
            raise FetchError(f"the connection broke off ({_words(error)})") from None
        if not block:
            break
        stream.write(block)
        found.update(block)
        first, total = first or block[:512], total + len(block)
        if total > MOST_BYTES:
            raise FetchError(f"more than {in_bytes(MOST_BYTES)} came, no file of ours is so large")
        passed = time.monotonic() - began
        if passed > 60 and total < SLOWEST * passed:
            raise FetchError(_stalled())
    said = answer.headers.get("Content-Length")
    if said is not None and said.isdecimal() and total < int(said):
        raise FetchError(f"the connection broke off after {total} of {said} bytes")
    return first


def _what_came(answer, first: bytes, algorithm: str, wanted: str, found: str) -> str:
    kind = answer.headers.get_content_type()
    if kind == "text/html" or first.lstrip()[:1] == b"<":
        return (
            "a web page came instead of the file: a captive portal or a proxy answers in its "
            "place, so open a browser and log in first"
        )
    return f"it arrived damaged, {algorithm.upper()} {found}, expected {wanted}"


def _stalled() -> str:
    return f"the server stalled: nothing came for {STALLED:.0f} seconds, try again later"


def _words(error) -> str:
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
