"""Whatever goes wrong on the way to MNIST: the right data, or a clear word.

A server in a thread plays the mirrors; the archives are four tiny ones.
"""

import socket
import threading

import pytest
from fake_archives import PACKED, enter, files_under, forget, is_the_data
from fake_mirrors import Stalling, serving

from gmlib import data
from gmlib.data import fetch


@pytest.fixture(autouse=True)
def small_world(monkeypatch, tmp_path):
    enter(monkeypatch, tmp_path)
    # A server in a busy machine's thread is not silent because it is late.
    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 600)
    monkeypatch.setattr(fetch, "STALL_SECONDS", 600)


@pytest.fixture
def serve():
    with serving() as start:
        yield start


# ------------------------------------------------------------------- it works


def test_a_download_is_kept_and_read_without_the_network(serve, monkeypatch, tmp_path):
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve().address}/good")
    assert is_the_data(data.mnist("train", strict=True))
    assert is_the_data(data.mnist("test", strict=True), "test")
    assert files_under(tmp_path / "cache") == sorted(PACKED)
    forget()
    monkeypatch.setenv("GMLIB_MIRRORS", "")
    assert is_the_data(data.mnist("train", strict=True))


def test_the_archives_are_fetched_once_a_process(serve, monkeypatch):
    server = serve()
    monkeypatch.setenv("GMLIB_MIRRORS", f"{server.address}/good")
    for _ in range(3):
        data.mnist("train", strict=True)
        data.mnist("test", strict=True)
    assert sorted(path.split("/")[-1] for path in server.asked) == sorted(PACKED)


# ------------------------------------------------------------ it goes wrong


FAULTS = {
    "403": "403 Forbidden",
    "html": "a web page instead of the file",
    "wrong": "the wrong SHA-256",
    "longer": "more than the",
    "shorter": "bytes instead of",
    "damaged": "a damaged archive",
    "truncated": "cut short",
    "short": "cut short",
    "endless": "a damaged archive",
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
    assert f"{address}/{how}/MNIST/raw/{PACKED[0]}" in message
    assert f"{address}/{how}/2/MNIST/raw/{PACKED[0]}" in message
    assert "GMLIB_DATA" in message
    assert files_under(tmp_path) == []


@pytest.mark.parametrize("how", [*FAULTS, "silent"])
def test_the_second_mirror_steps_in(serve, monkeypatch, tmp_path, how):
    address = serve().address
    monkeypatch.setenv("GMLIB_MIRRORS", f"{address}/{how} {address}/good")
    assert is_the_data(data.mnist("train", strict=True))
    assert files_under(tmp_path / "cache") == sorted(PACKED)


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


# ---------------------------------------------------------------- no network


def words_of_the_failure():
    """Fail, and return why: what waits here for a silent partner never returns."""
    with pytest.raises(data.Unavailable) as caught:
        data.mnist(strict=True)
    return str(caught.value)


def test_without_a_network_it_says_so(monkeypatch):
    with socket.socket() as free:  # a port on which nobody listens
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("GMLIB_MIRRORS", f"http://127.0.0.1:{port}/a")
    assert "refused" in words_of_the_failure()


def test_a_network_that_is_switched_off_is_not_asked(monkeypatch):
    monkeypatch.setattr(fetch, "urlopen", None)
    assert "http" not in words_of_the_failure()


def test_silent_mirrors_are_left_and_asked_only_once(serve, monkeypatch):
    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 0.2)
    server = serve()
    address = f"{server.address}/silent"
    monkeypatch.setenv("GMLIB_MIRRORS", f"{address} {address}/2")
    message = words_of_the_failure()
    assert message.count("no answer in 0.2 s") == 2
    asked = len(server.asked)
    assert words_of_the_failure() == message
    assert len(server.asked) == asked


def test_a_silent_name_server_does_not_hold_us_up(monkeypatch):
    """`getaddrinfo` knows no time limit."""
    over = threading.Event()

    def never(*_, **__):
        over.wait()
        raise socket.gaierror("Temporary failure in name resolution")

    monkeypatch.setattr(fetch, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", never)
    monkeypatch.setenv("GMLIB_MIRRORS", "http://mirror.invalid/a")
    try:
        assert "no answer" in words_of_the_failure()
    finally:
        over.set()


def test_a_download_that_stalls_half_way_is_given_up(serve, monkeypatch, tmp_path):
    monkeypatch.setattr(fetch, "STALL_SECONDS", 0.3)
    monkeypatch.setenv("GMLIB_MIRRORS", f"{serve(Stalling).address}/x")
    assert "timed out" in words_of_the_failure()
    assert files_under(tmp_path) == []
