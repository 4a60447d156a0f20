"""The time of a stream: never a machine's own."""

from __future__ import annotations


class StreamClock:
    """Stream time after the last message read: its log's time in a replay, else the broker's append time.

    It never goes back. now: epoch seconds, 0 before the first message. position: sequence of the last
    message. set_at: sequence of the message that brought `now`; who reads from there has the same time.
    """

    __slots__ = ("now", "position", "set_at")

    def __init__(self) -> None:
        self.now = 0.0
        self.position = 0
        self.set_at = 0

    def advance(self, log_time: float | None, append_time: float, position: int) -> float:
        """Move on to a message and return the stream time. Raises ValueError if it is no later one."""
        if position <= self.position:
            raise ValueError(f"message {position} after message {self.position}")
        self.position = position
        time = append_time if log_time is None else log_time
        if time >= self.now:
            self.now = time
            self.set_at = position
        return self.now
