"""A client's socket: what it waits for, and how a wait ends."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from web.patience import PatientSocket, Stalled
from web.slots import Slots

pytestmark = pytest.mark.integration

MORE_THAN_A_BUFFER = b"x" * 10_000_000


@pytest.fixture
def slots():
    return Slots(1, most_bytes=10**9)


@pytest.fixture
def ends(slots):
    ours, theirs = socket.socketpair()
    with theirs, PatientSocket.instead_of(ours, patience_s=0.3, slots=slots) as patient:
        yield patient, theirs


def test_who_says_nothing_is_given_up(slots, ends):
    patient, _theirs = ends
    began = time.monotonic()
    with slots.taken(), pytest.raises(Stalled):
        patient.recv(10)
    assert 0.2 < time.monotonic() - began < 5


def test_only_the_time_counts_in_which_the_client_is_waited_for(slots, ends):
    patient, theirs = ends
    with slots.taken():
        for _ in range(3):
            time.sleep(0.2)
            theirs.sendall(b"slow")
            assert patient.recv(10) == b"slow"


def test_who_reads_nothing_is_given_up(slots, ends):
    patient, _theirs = ends
    with slots.taken(), pytest.raises(Stalled):
        patient.sendall(MORE_THAN_A_BUFFER)


@pytest.mark.parametrize(
    "step",
    [
        lambda patient: patient.recv(10),
        lambda patient: patient.sendall(MORE_THAN_A_BUFFER),
        lambda patient: patient.send(MORE_THAN_A_BUFFER),
    ],
    ids=["to send", "to read", "to read a little"],
)
def test_a_thread_without_a_slot_does_not_wait_for_a_client(ends, step):
    patient, _theirs = ends
    patient.setblocking(True)
    began = time.monotonic()
    with pytest.raises(Stalled):
        step(patient)
    assert time.monotonic() - began < 0.2


def test_everything_comes_to_who_reads_slowly(slots, ends):
    patient, theirs = ends
    read = []

    def take():
        while data := theirs.recv(200_000):
            read.append(len(data))
            time.sleep(0.005)

    reader = threading.Thread(target=take)
    reader.start()
    with slots.taken():
        patient.sendall(MORE_THAN_A_BUFFER)
    patient.shutdown(socket.SHUT_WR)
    reader.join()
    assert sum(read) == len(MORE_THAN_A_BUFFER)


def test_the_slowest_client_is_disconnected_where_too_much_is_held():
    slots = Slots(2, most_bytes=15_000_000)
    pairs = [socket.socketpair() for _ in range(2)]
    ended = []

    def answer(connection):
        with slots.taken():
            try:
                connection.sendall(MORE_THAN_A_BUFFER)
            except OSError as error:
                ended.append((connection, type(error)))

    patient = [PatientSocket.instead_of(ours, patience_s=30, slots=slots) for ours, _ in pairs]
    threads = [threading.Thread(target=answer, args=(one,)) for one in patient]
    threads[0].start()
    time.sleep(0.2)
    threads[1].start()
    threads[0].join(10)
    assert ended == [(patient[0], BrokenPipeError)]
    for _, theirs in pairs:
        theirs.close()
    threads[1].join(10)
    for one in patient:
        one.close()
