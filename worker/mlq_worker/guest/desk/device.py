"""Which moves of a keyboard's or mouse's counter are touches, and which it makes by itself.

Pure. Three kinds of moves are nobody's hands: those of a device that has just been plugged in,
while the kernel and the desktop get to know it; those of a device that chatters; and those that
come at a regular beat, as when fwupd asks a wireless receiver every 30 s whether its keyboard is
awake. The last two are found out only while nobody is logged in at the desk: until then, and of
whoever is logged in, each move is a touch.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

CHATTER_S = 600.0
# A device that chattered is listened to again after so long without a move.
QUIET_S = 60.0
# A device that was plugged in counts once more when the kernel suspends it, some 3 s later; looks
# are up to 2 s apart.
SETTLE_S = 6.0

# So many equal intervals while nobody is logged in are a beat; programs take 30 s to two minutes.
BEATS = 10
_SHORTEST_BEAT_S, _LONGEST_BEAT_S = 20.0, 130.0
_JITTER_S = 2.0  # looks are a second apart
_LEFT_OUT = 3  # beats that may be missing
# Question and answer may be seen in several looks.
_BURST_GAP_S = 3.0
_BURST_S = 5.0


class Device:
    """The counter of one keyboard or mouse.

    Args:
        value: what it shows.
        at: when that was seen, in s of boot time.

    It counts from the start; `settle` it if it has just been plugged in.
    """

    def __init__(self, value: int, at: float) -> None:
        self._value, self._chatters = value, False
        self._settled_at, self._moved_at = at, at
        self._moving_since: float | None = None  # in every look while nobody was logged in
        self._beat = _Beat()

    def restart(self, value: int, at: float) -> None:
        """Start from a value that cannot be compared with the one before."""
        self._value, self._moved_at = value, at
        self._moving_since, self._beat = None, _Beat()
        self.settle(at)

    def settle(self, at: float) -> None:
        """Take its moves for nobody's hands for a while: kernel or screen get to know it."""
        self._settled_at = at + SETTLE_S

    def is_before(self, value: int) -> bool:
        """Return whether the counter can have moved on to this value."""
        return self._value <= value

    @property
    def ignored(self) -> str | None:
        """Which of its moves are ignored: "" for all, `every 30s`; None: it does as it should."""
        if self._chatters:
            return ""
        return self._beat.words

    def count(self, value: int, at: float, *, nobody: bool, streak: bool) -> bool:
        """Take in a value; return whether the device was touched.

        Args:
            value: what the counter shows.
            at: when, in s of boot time.
            nobody: whether nobody is logged in at the desk.
            streak: whether the look before was recent.
        """
        moved, self._value = value != self._value, value
        if not moved:
            self._moving_since = None
            self._chatters &= at - self._moved_at < QUIET_S
            self._beat.end(at)
            return False
        self._moved_at = at
        if not nobody or not streak:
            self._moving_since = None
        elif self._moving_since is None:
            self._moving_since = at
        elif at - self._moving_since >= CHATTER_S:
            self._chatters = True
        beats = self._beat.move(at, is_telling=nobody and streak)
        return not self._chatters and not beats and at >= self._settled_at


class _Beat:
    """Finds moves that come at a regular interval; what moves in between is still a touch."""

    def __init__(self) -> None:
        self._starts: deque[float] = deque(maxlen=BEATS + 1)  # of bursts of moves
        self._moved_at = float("-inf")
        self._interval_s: float | None = None
        self._beat_at = 0.0
        self._is_beat = False

    @property
    def words(self) -> str | None:
        """The interval: `every 30s`; None if there is none."""
        return None if self._interval_s is None else f"every {self._interval_s:.0f}s"

    def move(self, at: float, *, is_telling: bool) -> bool:
        """Take in a move; return whether the device made it by itself.

        Args:
            at: when it was seen, in s of boot time.
            is_telling: whether it was made just before, and nobody is logged in.
        """
        self.end(at)
        if not is_telling:
            self._starts.clear()
        if at - self._moved_at > _BURST_GAP_S:
            self._starts.append(at)
            self._is_beat = self._is_expected(at) or self._is_found()
            if self._is_beat:
                self._beat_at = at
        elif self._starts and at - self._starts[-1] > _BURST_S:  # hands move for longer
            self._starts.clear()
            self._is_beat = False
        self._moved_at = at
        return self._is_beat

    def end(self, at: float) -> None:
        """Forget the interval if too many beats are missing."""
        if self._interval_s and at - self._beat_at > (_LEFT_OUT + 1) * self._interval_s:
            self._interval_s = None
            self._starts.clear()

    def _is_expected(self, at: float) -> bool:
        if self._interval_s is None:
            return False
        passed = (self._beat_at + beats * self._interval_s for beats in range(1, _LEFT_OUT + 2))
        return any(abs(at - due) <= _JITTER_S for due in passed)

    def _is_found(self) -> bool:
        """Find the interval, if all are equal; return whether they are."""
        gaps = [after - before for before, after in pairwise(self._starts)]
        if len(gaps) < BEATS or max(gaps) - min(gaps) > _JITTER_S:
            return False
        interval_s = sum(gaps) / len(gaps)
        if not _SHORTEST_BEAT_S <= interval_s <= _LONGEST_BEAT_S:
            return False
        self._interval_s = interval_s
        return True
