"""Every photograph on every network, by a process a core, and the figures of them all."""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product

from tests.bench.accuracy import networks, scores
from tests.bench.accuracy.comparing import Comparison, compare
from tests.bench.accuracy.photographs import PHOTOGRAPHS
from tests.bench.accuracy.runs import SEEDS
from tests.bench.figure import Figure

ROWS = scores.DIRECTORY.parent / "accuracy.jsonl"


def measure() -> Iterator[Figure]:
    """Compare all; a line a photograph goes to ``ROWS`` and to stderr."""
    networks.build()
    rows = sorted(_all(), key=lambda row: (row.network, row.photograph))
    ROWS.write_text("".join(f"{json.dumps(row.as_row())}\n" for row in rows), encoding="utf-8")
    yield from _as_fine(rows)
    yield from _calls("calls_to_match_lime", [row.calls_to_match for row in rows], worst=800)
    counted = [row for row in rows if row.counts]
    yield Figure(
        name="photographs cut as finely as by lime and ranked no worse",
        value=len(counted) / len(rows),
        unit="share",
    )
    yield from _calls(
        "calls_to_match_lime on these", [row.calls_to_match for row in counted], worst=800
    )
    yield from _calls("calls_same_segments", [row.calls_same_segments for row in rows])
    yield from _stability(rows)
    yield from _right(rows)


def _all() -> Iterator[Comparison]:
    # Spawned: TensorFlow must not be forked.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=context) as pool:
        cases = product(networks.NETWORKS, PHOTOGRAPHS)
        for done in as_completed([pool.submit(compare, *case) for case in cases]):
            row = done.result()
            print(f"# {json.dumps(row.as_row())}", file=sys.stderr, flush=True)
            yield row


def _as_fine(rows: Sequence[Comparison]) -> Iterator[Figure]:
    """Whether ours asks as much of the pictures as lime and ranks no worse, in the middle."""
    ours, lime = ([getattr(row, name) for row in rows] for name in ("segments", "lime_segments"))
    yield Figure(
        name="our median number of segments / lime's",
        value=statistics.median(ours) / statistics.median(lime),
        unit="x",
        goal=0.8,
        goal_is="at least",
    )
    yield Figure(
        name="insertion AUC, ours less lime's, median",
        value=statistics.median(row.insertion_auc - row.lime_insertion_auc for row in rows),
        unit="score",
        goal=0.0,
        goal_is="at least",
    )
    yield Figure(
        name="deletion AUC, ours less lime's, median",
        value=statistics.median(row.deletion_auc - row.lime_deletion_auc for row in rows),
        unit="score",
        goal=0.0,
    )


def _calls(
    name: str, found: Sequence[int | None], *, worst: float | None = None
) -> Iterator[Figure]:
    # A photograph that needs more than the limit counts as infinitely many.
    numbers = [float("inf") if one is None else float(one) for one in found]
    if not numbers:
        return
    yield Figure(name=f"{name}, median", value=statistics.median(numbers), unit="calls", goal=500)
    yield Figure(name=f"{name}, worst", value=max(numbers), unit="calls", goal=worst)


def _stability(rows: Sequence[Comparison]) -> Iterator[Figure]:
    for name, values in (
        ("ours at our default", [row.stability_at_default for row in rows]),
        ("ours at 1000 calls", [row.stability_at_limit for row in rows]),
        ("lime's at 1000 calls", [row.lime_stability for row in rows]),
    ):
        yield Figure(
            name=f"stability (Jaccard@5 between seeds), {name}",
            value=statistics.median(values),
            unit="share",
            goal=0.9 if name == "ours at our default" else None,
            goal_is="at least",
        )
    above = [row.stability_at_limit > row.lime_stability for row in rows]
    yield Figure(
        name="photographs on which ours is more stable than lime at 1000 calls",
        value=statistics.fmean(above),
        unit="share",
        goal=1.0,
        goal_is="at least",
    )


def _right(rows: Sequence[Comparison]) -> Iterator[Figure]:
    """How often each of the five shown first belongs there, within the tolerance."""
    for rule in ("certified", "settled"):
        runs = sum(getattr(row, rule) for row in rows)
        yield Figure(name=f"runs {rule} within 1000 calls", value=runs, unit="runs")
        if runs:
            yield Figure(
                name=f"{rule} top five that are right",
                value=sum(getattr(row, f"{rule}_right") for row in rows) / runs,
                unit="share",
                goal=0.95 if rule == "certified" else None,
                goal_is="at least",
            )
    yield Figure(
        name="top five of lime that are right after 1000 calls",
        value=sum(row.lime_right for row in rows) / (len(SEEDS) * len(rows)),
        unit="share",
    )
