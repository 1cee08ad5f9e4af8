"""Processes that watch each other: one that dies is noticed by all, one that leaves by itself by none."""

import contextlib
import socket
import threading

import pytest

from diffmidi_core.errors import BrokenPluginError, DiffmidiError
from diffmidi_core.machine import peers
from diffmidi_core.machine.peers import LostError, Peers


class Process:
    """One of three: what it is ended for, if it is."""

    def __init__(self, rank, connections):
        self.ended, self.lost = threading.Event(), None
        self.connections = connections
        self.peers = Peers(rank, connections, self.end)

    def end(self, lost):
        self.lost = lost
        self.ended.set()

    def die(self):
        """As the others see it: from here on this one does nothing."""
        self.peers._leaving.set()
        for connection in self.connections.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def three(monkeypatch):
    monkeypatch.setattr(peers, "GRACE", 0.01)
    monkeypatch.setattr(peers, "LEAVING", 0.01)
    (main_1, one), (main_2, two) = socket.socketpair(), socket.socketpair()
    processes = [Process(0, {1: main_1, 2: main_2}), Process(1, {0: one}), Process(2, {0: two})]
    yield processes
    for process in processes:
        process.die()
        process.peers.thread.join()
        for connection in process.connections.values():
            connection.close()


@pytest.mark.parametrize("killed", [0, 1, 2])
def test_all_others_notice_who_was_killed(three, killed):
    three[killed].die()
    for number, process in enumerate(three):
        if number != killed:
            assert process.ended.wait(30)
            assert (process.lost.rank, process.lost.code) == (killed, None)
            assert f"rank {killed} was killed" in str(process.lost)


def test_who_leaves_with_an_error_is_named_with_its_exit_code(three):
    three[2].peers.leave(2)
    three[2].die()
    for process in three[:2]:
        assert process.ended.wait(30)
        assert "rank 2 left with exit code 2" in str(process.lost)


def test_who_is_done_is_not_missed(three):
    for process in three[::-1]:
        process.peers.leave(0)
        process.die()
    assert all(process.peers.lost(0.1) is None for process in three)
    assert not any(process.ended.is_set() for process in three)


def test_who_leaves_by_itself_in_time_is_not_ended(three, monkeypatch):
    monkeypatch.setattr(peers, "GRACE", 30)
    three[1].die()
    assert three[0].peers.lost(30).rank == 1
    three[0].peers.leave(1)
    assert not three[0].ended.is_set()


def test_only_an_error_that_may_come_of_it_is_put_down_to_a_lost_process(three, monkeypatch):
    assert peers.cause_of(RuntimeError("one process")) is None
    monkeypatch.setattr(peers, "_peers", three[0].peers)
    three[1].die()
    assert three[0].ended.wait(30)
    assert isinstance(peers.cause_of(RuntimeError("connection closed by peer")), LostError)
    assert isinstance(peers.cause_of(BrokenPluginError("a process failed")), LostError)
    assert peers.cause_of(DiffmidiError("the disk is full")) is None
