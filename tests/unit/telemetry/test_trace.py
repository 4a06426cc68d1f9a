"""W3C Trace Context: what is taken from others, and what is made of it."""

import pytest

from worker.telemetry.trace import Trace, current, working_on

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID = "00f067aa0ba902b7"


def test_a_valid_header_is_read_and_written_again():
    trace = Trace.parse(f"00-{TRACE_ID}-{SPAN_ID}-01")
    assert trace == Trace(TRACE_ID, SPAN_ID, is_sampled=True)
    assert str(trace) == f"00-{TRACE_ID}-{SPAN_ID}-01"


def test_a_header_of_a_later_version_is_read_as_far_as_it_is_known():
    assert Trace.parse(f"cc-{TRACE_ID}-{SPAN_ID}-03-what-comes-later") == Trace(
        TRACE_ID, SPAN_ID, is_sampled=True
    )


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"00-{TRACE_ID}-{SPAN_ID}-01\n",
        f"00-{TRACE_ID}-{SPAN_ID}",
        f"00-{TRACE_ID}-{SPAN_ID}-01, 00-{TRACE_ID}-{SPAN_ID}-01",
        f"cc-{TRACE_ID}-{SPAN_ID}-01-{'x' * 10_000}",
    ],
)
def test_what_is_not_valid_is_no_trace(text):
    assert Trace.parse(text) is None


def test_a_child_stays_in_its_trace_under_an_id_of_its_own():
    parent = Trace.parse(f"00-{TRACE_ID}-{SPAN_ID}-01")
    child = parent.child()
    assert (child.trace_id, child.is_sampled) == (TRACE_ID, True)
    assert child.span_id != SPAN_ID
    assert Trace.parse(str(child)) == child


def test_new_traces_differ():
    assert Trace.new().trace_id != Trace.new().trace_id


def test_the_current_trace_is_that_of_the_innermost_block():
    outer, inner = Trace.new(), Trace.new()
    assert current() is None
    with working_on(outer):
        with working_on(inner):
            assert current() == inner
        assert current() == outer
    assert current() is None
