"""Whatever goes wrong on the way to MNIST: the right data, or a clear word.

A server in a thread plays the mirrors; the archives are four tiny ones.
"""

import gzip
import hashlib
import http.server
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from gmlib import data

KIND = "MNIST"
FILES = tuple(data.ARCHIVES[KIND])
rng = np.random.default_rng(0)


def idx(values, *shape):
    """A gzipped idx file of bytes, as LeCun's page describes it."""
    sizes = b"".join(n.to_bytes(4, "big") for n in shape)
    head = bytes([0, 0, 8, len(shape)]) + sizes
    return gzip.compress(head + values.tobytes(), mtime=0)


PIXELS = {
    split: rng.integers(0, 256, (n, 28, 28), np.uint8)
    for split, n in (("train", 6), ("t10k", 3))
}
LABELS = {
    split: rng.integers(0, 10, n, np.uint8) for split, n in (("train", 6), ("t10k", 3))
}
GOOD = {}
for _split in ("train", "t10k"):
    GOOD[f"{_split}-images-idx3-ubyte.gz"] = idx(PIXELS[_split], *PIXELS[_split].shape)
    GOOD[f"{_split}-labels-idx1-ubyte.gz"] = idx(LABELS[_split], len(LABELS[_split]))


class Handler(http.server.BaseHTTPRequestHandler):
    """/HOW/MNIST/raw/FILE answers in the way HOW says."""

    def do_GET(self):
        _, how, *_, file = self.path.split("/")
        self.server.asked.append(self.path)
        body, length = GOOD[file], None
        if how == "403":
            return self.send_error(403)
        if how == "silent":
            self.server.stop.wait(20)
            return None
        if how == "html":
            body = b"<!doctype html><title>Please log in</title>"
        if how == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if how == "truncated":  # the connection breaks half-way
            body, length = body[: len(body) // 2], len(body)
        if how == "short":  # the file itself is cut
            body = body[: len(body) // 2]
        if how == "endless":
            body = body + b"more"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *_):
        pass


class Stalling(Handler):
    """Half of the body, then nothing, with the connection open."""

    def do_GET(self):
        self.server.asked.append(self.path)
        body = GOOD[self.path.split("/")[-1]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        self.server.stop.wait(20)


@pytest.fixture
def serve():
    servers = []

    def start(handler=Handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        server.asked, server.stop = [], threading.Event()
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        server.address = f"http://127.0.0.1:{server.server_port}"
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop.set()
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def small_world(monkeypatch, tmp_path):
    """Tiny archives, an empty cache, no memory of other tests, no proxy."""
    facts = {f: (len(b), hashlib.sha256(b).hexdigest()) for f, b in GOOD.items()}
    assert set(facts) == set(FILES)
    monkeypatch.setitem(data.ARCHIVES, KIND, {f: facts[f] for f in FILES})
    monkeypatch.setattr(data, "_tried", {})
    monkeypatch.delenv("GMLIB_DATA", raising=False)
    monkeypatch.setenv("GMLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GMLIB_MIRRORS", "")
    monkeypatch.setenv("no_proxy", "*")


def forget():
    data._tried.clear()


def files_under(folder):
    return sorted(path.name for path in Path(folder).rglob("*") if path.is_file())


def lay_out(root, files=FILES):
    folder = Path(root) / KIND / "raw"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_bytes(GOOD[file])
    return folder


def is_the_data(law, split="train"):
    name = "train" if split == "train" else "t10k"
    pixels = torch.from_numpy(PIXELS[name])[:, None].float() / 255
    return (
        law.name == "mnist"
        and torch.equal(law.x, pixels)
        and law.y.tolist() == LABELS[name].tolist()
    )


# ------------------------------------------------------------------- it works


def test_a_download_is_kept_and_read_without_the_network(serve, monkeypatch, tmp_path):
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist("train", strict=True))
    assert is_the_data(data.mnist("test", strict=True), "test")
    assert files_under(tmp_path / "cache") == sorted(FILES)
    forget()
    monkeypatch.setenv("GMLIB_MIRRORS", "")
    assert is_the_data(data.mnist("train", strict=True))


def test_the_archives_are_fetched_once_a_process(serve, monkeypatch):
    server = serve()
    monkeypatch.setenv("GMLIB_MIRRORS", f"{server.address}/good")
    for _ in range(3):
        data.mnist("train", strict=True)
        data.mnist("test", strict=True)
    assert sorted(path.split("/")[-1] for path in server.asked) == sorted(FILES)


def test_a_local_root_is_read_without_the_network(monkeypatch, tmp_path):
    lay_out(tmp_path / "local")
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    assert is_the_data(data.images("train"))
    assert not (tmp_path / "cache").exists()


def test_a_local_root_that_is_half_there_is_filled_from_a_mirror(
    serve, monkeypatch, tmp_path
):
    lay_out(tmp_path / "local", FILES[:2])
    server = serve()
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    monkeypatch.setenv("GMLIB_MIRRORS", f"{server.address}/good")
    assert is_the_data(data.mnist("test", strict=True), "test")
    assert files_under(tmp_path / "local") == sorted(FILES[:2])
    assert files_under(tmp_path / "cache") == sorted(FILES[2:])


def test_the_cache_is_a_root_of_torchvision(serve, monkeypatch, tmp_path):
    """torchvision finds our archives, and reads in them what we read."""
    datasets = pytest.importorskip("torchvision.datasets")
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    ours = data.mnist("train", strict=True)
    md5 = [(file, hashlib.md5(GOOD[file]).hexdigest()) for file in FILES]
    reader = type("MNIST", (datasets.MNIST,), {"resources": md5, "mirrors": [""]})
    theirs = reader(tmp_path / "cache", train=True, download=True)
    assert torch.equal(ours._x[:, 0], theirs.data)
    assert torch.equal(ours.y, theirs.targets)


@pytest.mark.parametrize(
    ("kind", "name"), [("MNIST", "MNIST"), ("FashionMNIST", "FashionMNIST")]
)
def test_names_and_first_mirror_are_those_of_torchvision(kind, name):
    datasets = pytest.importorskip("torchvision.datasets")
    theirs = getattr(datasets, name)
    assert list(data.ARCHIVES[kind]) == [file for file, _ in theirs.resources]
    assert data.MIRRORS[kind][0] == theirs.mirrors[0]
    assert len(data.MIRRORS[kind]) == 2


# ------------------------------------------------------------ it goes wrong


FAULTS = {
    "403": "403 Forbidden",
    "html": "a web page instead of the file",
    "wrong": "the wrong SHA-256",
    "truncated": "bytes instead of",
    "short": "bytes instead of",
    "endless": "bytes instead of",
}


@pytest.mark.parametrize(("how", "word"), FAULTS.items())
def test_a_fault_is_named_and_nothing_of_it_is_kept(
    serve, monkeypatch, tmp_path, how, word
):
    address = serve().address
    monkeypatch.setenv("GMLIB_MIRRORS", f"{address}/{how} {address}/{how}/2")
    with pytest.raises(data.Unavailable) as caught:
        data.mnist("train", strict=True)
    message = str(caught.value)
    assert message.count(word) == 2, message
    assert f"{address}/{how}/MNIST/raw/{FILES[0]}" in message
    assert f"{address}/{how}/2/MNIST/raw/{FILES[0]}" in message
    assert "GMLIB_DATA" in message
    assert files_under(tmp_path) == []


@pytest.mark.parametrize("how", [*FAULTS, "silent"])
def test_the_second_mirror_steps_in(serve, monkeypatch, tmp_path, how):
    address = serve().address
    monkeypatch.setattr(data, "ANSWER_SECONDS", 1.0)
    monkeypatch.setenv("GMLIB_MIRRORS", f"{address}/{how} {address}/good")
    assert is_the_data(data.mnist("train", strict=True))
    assert files_under(tmp_path / "cache") == sorted(FILES)


@pytest.mark.parametrize("how", FAULTS)
def test_otherwise_the_digits_stand_in_and_one_message_says_so(
    serve, monkeypatch, capsys, how
):
    server = serve()
    monkeypatch.setenv("GMLIB_MIRRORS", f"{server.address}/{how}")
    assert data.images("train").name == "digits"
    said = capsys.readouterr().out
    assert FAULTS[how] in said
    assert said.count("Going on with the scikit-learn digits") == 1
    asked = len(server.asked)
    assert data.images("test").name == "digits"
    assert data.mnist("train").name == "digits"
    assert capsys.readouterr().out == ""
    assert len(server.asked) == asked, "a failure is remembered"
    with pytest.raises(data.Unavailable, match=FAULTS[how]):
        data.images("train", which="mnist")


def test_fashion_mnist_stops_or_goes_on_in_the_same_way(capsys):
    assert data.fashion_mnist("test").name == "digits"
    assert "FashionMNIST cannot be had" in capsys.readouterr().out
    with pytest.raises(data.Unavailable, match="FashionMNIST"):
        data.fashion_mnist(strict=True)


def test_the_local_root_alone_can_fail_too(monkeypatch, tmp_path):
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(data.Unavailable, match=r"nowhere.*No such file"):
        data.mnist(strict=True)


def test_train_and_test_come_from_one_data_set(monkeypatch, tmp_path):
    """With the training half of MNIST alone, both splits are digits."""
    lay_out(tmp_path / "local", FILES[:2])
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    assert {data.images(split).name for split in ("train", "test")} == {"digits"}


def test_a_broken_local_archive_is_passed_over_but_left_alone(
    serve, monkeypatch, tmp_path
):
    broken = lay_out(tmp_path / "local") / FILES[0]
    broken.write_bytes(b"not mine to delete")
    monkeypatch.setenv("GMLIB_DATA", str(tmp_path / "local"))
    with pytest.raises(data.Unavailable, match="18 bytes instead of"):
        data.mnist(strict=True)
    forget()
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist(strict=True))
    assert broken.read_bytes() == b"not mine to delete"


def test_a_broken_archive_in_the_cache_is_replaced(serve, monkeypatch, tmp_path):
    broken = lay_out(tmp_path / "cache") / FILES[0]
    broken.write_bytes(GOOD[FILES[0]][:10])
    with pytest.raises(data.Unavailable, match="10 bytes instead of"):
        data.mnist(strict=True)
    assert not broken.exists()
    forget()
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist(strict=True))
    assert broken.read_bytes() == GOOD[FILES[0]]


# ---------------------------------------------------------------- no network


def seconds_to_fail():
    start = time.monotonic()
    with pytest.raises(data.Unavailable) as caught:
        data.mnist(strict=True)
    return time.monotonic() - start, str(caught.value)


def test_without_a_network_it_gives_up_at_once(monkeypatch):
    with socket.socket() as free:  # a port on which nobody listens
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("GMLIB_MIRRORS", f"http://127.0.0.1:{port}/a")
    seconds, message = seconds_to_fail()
    assert seconds < 1
    assert "refused" in message


def test_a_network_that_is_switched_off_is_not_asked():
    seconds, message = seconds_to_fail()
    assert seconds < 0.5
    assert "http" not in message


def test_silent_mirrors_cost_less_than_three_seconds_and_only_once(serve, monkeypatch):
    address = serve().address
    monkeypatch.setenv("GMLIB_MIRRORS", f"{address}/silent {address}/silent/2")
    seconds, message = seconds_to_fail()
    assert seconds < 3
    assert message.count("no answer in 2.5 s") == 2
    seconds, _ = seconds_to_fail()
    assert seconds < 0.1


def test_a_silent_name_server_does_not_hold_us_up(monkeypatch):
    """`getaddrinfo` knows no time limit."""
    over = threading.Event()

    def never(*_, **__):
        over.wait(20)
        raise socket.gaierror("Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setenv("GMLIB_MIRRORS", "http://mirror.invalid/a")
    try:
        seconds, message = seconds_to_fail()
    finally:
        over.set()
    assert seconds < 3
    assert "no answer" in message


def test_a_download_that_stalls_half_way_is_given_up(serve, monkeypatch, tmp_path):
    monkeypatch.setattr(data, "STALL_SECONDS", 0.3)
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve(Stalling).address}/x")
    seconds, message = seconds_to_fail()
    assert seconds < 3
    assert "timed out" in message
    assert files_under(tmp_path) == []


# ------------------------------------------------------- a cache that refuses


def test_a_cache_that_cannot_be_made_is_no_error(serve, monkeypatch, tmp_path):
    """A file stands where the folder should be: that stops root as well."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("GMLIB_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist("train", strict=True))
    assert is_the_data(data.mnist("test", strict=True), "test")


@pytest.mark.parametrize("step", ["write", "replace"])
def test_a_full_disk_is_no_error_and_leaves_nothing(serve, monkeypatch, tmp_path, step):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    if step == "replace":
        monkeypatch.setattr(data.os, "replace", full)
    else:
        real = data.tempfile.NamedTemporaryFile

        def broken(*arguments, **keywords):
            stream = real(*arguments, **keywords)
            stream.write = full
            return stream

        monkeypatch.setattr(data.tempfile, "NamedTemporaryFile", broken)
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist(strict=True))
    assert files_under(tmp_path / "cache") == []


def test_the_default_cache_is_the_user_s_own(monkeypatch, tmp_path):
    monkeypatch.delenv("GMLIB_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    for platform, where in (
        ("linux", tmp_path / ".cache"),
        ("darwin", tmp_path / "Library" / "Caches"),
        ("win32", tmp_path / "Local"),
    ):
        monkeypatch.setattr(data.sys, "platform", platform)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
        assert data._roots() == (where / "gmlib",)
    monkeypatch.setattr(data.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert data._roots() == (tmp_path / "mine" / "gmlib",)
