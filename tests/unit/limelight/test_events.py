from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limelight.events import EventParser

STREAM = (
    "\ufeffretry: 1500\r\n: a comment\r\n\r\n"
    'event: progress\nid: 1-0\ndata: {"é":\ndata: 1}\n\n'
    "data:no space\rdata:  two spaces\r\r"
    "id: 3\n\n"
    "event: none\n\n"
    "unknown: field\ndata\n\n"
    "data: never ended"
).encode()


def read(parser: EventParser, *chunks: bytes) -> list[tuple[str, str]]:
    return [(event.name, event.data) for chunk in chunks for event in parser.feed(chunk)]


EXPECTED = [
    ("progress", '{"é":\n1}'),
    ("message", "no space\n two spaces"),
    ("message", ""),
]


def test_events_are_read_as_the_standard_says():
    parser = EventParser()
    assert read(parser, STREAM) == EXPECTED
    assert parser.last_id == "3"
    assert parser.retry_s == 1.5


@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_where_the_network_cuts_makes_no_difference(cuts):
    bounds = [0, *sorted(cuts), len(STREAM)]
    chunks = [STREAM[start:end] for start, end in pairwise(bounds)]
    assert read(EventParser(), *chunks) == EXPECTED


@given(st.binary(max_size=300))
def test_no_bytes_break_it(data):
    read(EventParser(), data, b"\n\n")


def test_half_an_event_does_not_reach_into_the_next_connection():
    parser = EventParser()
    read(parser, b"id: 1\ndata: whole\n\nevent: odd\ndata: half\nda")
    parser.reconnect()
    assert read(parser, b"data: next\n\n") == [("message", "next")]
    assert parser.last_id == "1"


@pytest.mark.parametrize("field", [b"retry: soon\n", b"retry: -1\n", b"id: a\0b\n"])
def test_fields_that_cannot_be_are_ignored(field):
    parser = EventParser()
    read(parser, field)
    assert (parser.retry_s, parser.last_id) == (None, None)
