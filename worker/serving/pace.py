"""How fast one job may ask a model: its users come first, explanations take what is left.

What a foreground request waits for is the call that is being computed when it arrives. So a call
gets as many images as the server scores in ``target_s`` and no more. A second call beside the first
is tried, and stays if calls take no longer for it. Both are lowered at once when the server becomes
slower than it recently was or says that it has too much, and raised again step by step.

Pure bookkeeping: it is told of calls and of the time, and asks nobody.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

# Sizes of calls. Few, because a server prepares itself for each size that it meets anew.
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
# The first call of a model of which nothing is known.
FIRST_SIZE = 8
# How much slower than its floor an image may get before we give way.
SLOWER = 1.8
# How much slower calls may get by a second one beside them. On a server that computes one after
# another they get twice as slow, and a second call wins nothing.
SLOWER_BESIDE = 1.4
# Calls in a row that have to be slow: a single one may be the system's doing.
CONVINCING = 3
# Calls by whose median a trial of one more call in flight is judged.
TRIAL = 6
# The weight of the newest call in the mean.
NEWEST = 0.3
# What a call has to take less after it was made smaller, or it was in vain: most of its time then
# goes to the network, or to what a call costs whatever is in it, and small ones cost it more often.
IN_VAIN = 0.8
# How long a floor is remembered: a server that became slower for good is believed after that.
FLOOR_S = 60.0
# How long after giving way nothing is raised, and the longest time between two attempts to have a
# second call in flight.
QUIET_S = 5.0
LONGEST_WAIT_S = 120.0
# When polite, the target for one call and the share of time in which we have one in flight.
POLITE_TARGET_S = 0.025
POLITE_SHARE = 0.05

# Statuses by which a server says that it has too much to do.
PUSH_BACK = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What the next job need not find out again.

    Attributes
    ----------
    images : int
        In one call.
    in_flight : int
        Calls at once.
    """

    images: int
    in_flight: int


@dataclass(frozen=True)
class _Shrunk:
    """What calls were before they were made smaller, until it is known what that won."""

    images: int
    seconds: float


class _Trial:
    """One more call in flight than is known to cost nothing."""

    def __init__(self) -> None:
        self._each_s: list[float] = []

    def verdict(self, each_s: float, *, bearable_s: float) -> bool | None:
        """Take a call in; say whether one more is bearable, once there are enough of them."""
        self._each_s.append(each_s)
        return median(self._each_s) <= bearable_s if len(self._each_s) == TRIAL else None


class _Floor:
    """The least value of a recent while: of the window before and of this one."""

    def __init__(self) -> None:
        self._before = self._least = math.inf
        self._since = -math.inf

    def lowest(self, value: float, *, now: float) -> float:
        """Take a value in; return the floor."""
        if now - self._since > FLOOR_S:
            self._before, self._least, self._since = self._least, value, now
        self._least = min(self._least, value)
        return min(self._before, self._least)


class Pace:
    """Decides how many images the next call has, and how many calls are in flight.

    Parameters
    ----------
    most_images, most_in_flight : int
        Bounds from the model's profile.
    target_s : float
        Seconds that one call may take.
    polite : bool
        Leave the model server to its users for most of the time: one small call, then a pause.
    learned : Learned or None
        What an earlier job found out.
    clock : callable
        Monotonic seconds.

    Attributes
    ----------
    images, in_flight : int
        Of the next call, and calls at once.
    proven : int
        Calls at once that were found to cost the server nothing.
    gave_way : int
        How often the server was found to be slower than it was, or pushed back.
    """

    def __init__(
        self,
        *,
        most_images: int,
        most_in_flight: int,
        target_s: float,
        polite: bool = False,
        learned: Learned | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most_images = most_images
        self._most_in_flight = 1 if polite else most_in_flight
        self._target_s = min(target_s, POLITE_TARGET_S) if polite else target_s
        self._polite = polite
        self._clock = clock
        self._floors: dict[int, _Floor] = {}
        self._mean: dict[int, float] = {}
        self._slow = 0
        self._shrunk: _Shrunk | None = None
        self._trial: _Trial | None = None
        # Seconds an image took when calls were last made one at a time.
        self._alone_s = math.inf
        self._steady = self._stragglers = 0
        self._judged = 0
        self._least, self._least_until = 1, clock()
        # From when on calls may become larger, and one more in flight may be tried.
        self._larger_from = self._more_from = clock()
        self._wait_s = QUIET_S
        self._pause_s = 0.0
        self._calls = 0
        self._allowed = self._most_in_flight
        self.proven = 1
        self.gave_way = 0
        first = FIRST_SIZE if learned is None else learned.images
        self.images = _size(min(1 if polite and learned is None else first, most_images))
        self.in_flight = 1 if learned is None else min(learned.in_flight, self._most_in_flight)

    @property
    def learned(self) -> Learned:
        """What is worth telling the next job."""
        return Learned(images=self.images, in_flight=self.in_flight)

    def take_over(self, learned: Learned) -> None:
        """Begin with what another worker found out, unless something is known here already."""
        if not self._calls:
            self.images = _size(min(learned.images, self._most_images))
            self.in_flight = min(learned.in_flight, self._most_in_flight)

    def at_once(self, allowed: int) -> int:
        """Tell how many calls may be in flight, where other jobs leave room for ``allowed``."""
        self._allowed = max(1, allowed)
        return min(self.in_flight, self._allowed)

    @property
    def pause_s(self) -> float:
        """Seconds to leave the server alone before the next call; 0 unless polite."""
        return self._pause_s

    def observe(self, *, rows: int, seconds: float, status: str) -> None:
        """Learn from a call that ended.

        Parameters
        ----------
        rows : int
            Images in it.
        seconds : float
            From sending to the end of the answer.
        status : str
            Name of the gRPC status code.
        """
        now = self._clock()
        self._calls += 1
        self._pause_s = seconds * (1.0 / POLITE_SHARE - 1.0) if self._polite else 0.0
        if status in PUSH_BACK:
            self._give_way(now)
        if status != "OK":
            return
        if rows > self.images or self._stragglers:
            # Sent before calls were made smaller or fewer.
            self._stragglers = max(0, self._stragglers - 1)
            return
        # Calls of about the same size are held against each other: a small one costs more an image.
        size, each_s = _size(rows), seconds / rows
        mean_s = self._mean.get(size, each_s)
        mean_s = self._mean[size] = (1.0 - NEWEST) * mean_s + NEWEST * each_s
        self._steady += 1
        bearable_s = self._bearable_s(size, each_s, now)
        self._slow = self._slow + 1 if each_s > bearable_s else 0
        borne = None
        # While others leave no room for the call that is tried, nothing is learned of it.
        if self._trial is not None and self.in_flight <= self._allowed:
            borne = self._trial.verdict(each_s, bearable_s=bearable_s)
        if self._slow >= CONVINCING or borne is False:
            self._give_way(now)
        elif borne:
            self._trial, self.proven = None, self.in_flight
        elif self._shrunk is not None:
            self._judge(self._shrunk, size, size * mean_s, now)
        elif (
            self._trial is None
            and rows * mean_s > 1.25 * self._target_s
            and rows > self._least_images(now)
        ):
            # Of a call that takes too long nobody has to be convinced: the next is smaller.
            self._shorten(size, mean_s, now)
        elif self._slow == 0 and 2 * rows > self.images:
            self._raise(size, now)

    def _bearable_s(self, size: int, each_s: float, now: float) -> float:
        """Tell how long an image may take in a call like the one that took ``each_s``."""
        if min(self.in_flight, self._allowed) > 1:
            return SLOWER_BESIDE * self._alone_s
        return SLOWER * self._floors.setdefault(size, _Floor()).lowest(each_s, now=now)

    def _shorten(self, size: int, mean_s: float, now: float) -> None:
        if self.in_flight > 1:
            self._give_way(now)
        else:
            self._shrunk, self._judged = _Shrunk(size, size * mean_s), 0
            self._resize(int(self._target_s / mean_s))

    def _judge(self, before: _Shrunk, size: int, call_s: float, now: float) -> None:
        """Say whether smaller calls are quicker ones, or were made smaller in vain."""
        if size != self.images:
            # Sent before.
            return
        self._judged += 1
        if call_s <= IN_VAIN * before.seconds:
            self._shrunk = None
        elif self._judged >= CONVINCING:
            self._shrunk = None
            self._least, self._least_until = before.images, now + FLOOR_S
            self._resize(before.images)

    def _least_images(self, now: float) -> int:
        """Tell below which size calls are not made smaller for the time that they take."""
        return self._least if now < self._least_until else 1

    def _foreseen_s(self, images: int, *, size: int) -> float:
        """Tell what a larger call than those of now, of a ``size``, would take.

        A call costs something whatever is in it. Were that left out, calls of one image that take
        a little more than half of the target would never become larger.
        """
        now_s = self._mean[size] * size
        each_s = self._mean[size] / 2
        if others := [other for other in self._mean if other < size]:
            less = max(others)
            each_s = max(0.0, now_s - self._mean[less] * less) / (size - less)
        return now_s + each_s * (images - size)

    def _raise(self, size: int, now: float) -> None:
        bigger = _bigger(self.images)
        if (
            now >= self._larger_from
            and self.images < bigger <= self._most_images
            and self._foreseen_s(bigger, size=size) <= self._target_s
        ):
            self._resize(bigger)
        elif (
            now >= self._more_from
            and self.in_flight < min(self._most_in_flight, self._allowed)
            and self._trial is None
            and self._steady >= CONVINCING
        ):
            if self.in_flight == 1:
                self._alone_s = self._mean[size]
            self.in_flight += 1
            self._trial = _Trial()
            self._more_from = now + QUIET_S

    def _give_way(self, now: float) -> None:
        self._slow = self._steady = 0
        self._shrunk = self._trial = None
        self.gave_way += 1
        if self.in_flight > 1:
            self._stragglers = self.in_flight - 1
            self.in_flight = max(1, self.in_flight // 2)
            self.proven = min(self.proven, self.in_flight)
            self._wait_s = min(2.0 * self._wait_s, LONGEST_WAIT_S)
            self._more_from = now + self._wait_s
            # What calls took beside others says nothing of one at a time.
            self._mean.clear()
        else:
            self._resize(self.images // 2)
            self._larger_from = now + QUIET_S

    def _resize(self, images: int) -> None:
        self.images = _size(max(1, min(images, self._most_images)))
        self._steady = 0
        # What was measured of calls of this size belongs to another time.
        self._mean.pop(self.images, None)


def _size(images: int) -> int:
    """Return the largest size of a call that is not above ``images``."""
    return SIZES[max(bisect_right(SIZES, images) - 1, 0)]


def _bigger(images: int) -> int:
    return SIZES[min(bisect_right(SIZES, images), len(SIZES) - 1)]
