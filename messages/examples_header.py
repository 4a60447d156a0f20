"""Which stretch of FEED an EXAMPLES message releases, and who appended it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from messages.codec import MalformedMessageError


@dataclass(frozen=True, slots=True)
class ExamplesHeader:
    """Who appended an EXAMPLES message and which stretch of FEED it releases; travels in NATS headers.

    writer: the joiner incarnation. feed_position: the last FEED sequence covered. watermark: the stream time,
    epoch seconds, up to which everything of this partition is released. replay_from: the FEED sequence from
    which a new joiner must read to know every open impression. previous: the EXAMPLES sequence of the message
    before on this subject, 0 for the first: a reader that does not stand there has lost something.
    """

    writer: str
    feed_position: int
    watermark: float
    replay_from: int
    previous: int

    def to_headers(self) -> dict[str, str]:
        return {
            "Foryou-Writer": self.writer,
            "Foryou-Feed-Position": str(self.feed_position),
            "Foryou-Watermark": repr(self.watermark),
            "Foryou-Replay-From": str(self.replay_from),
            "Foryou-Previous": str(self.previous),
        }

    @classmethod
    def from_headers(cls, headers: Mapping[str, str] | None) -> ExamplesHeader:
        """Raises MalformedMessageError where a header is missing or no number."""
        try:
            assert headers is not None
            return cls(
                writer=headers["Foryou-Writer"],
                feed_position=int(headers["Foryou-Feed-Position"]),
                watermark=float(headers["Foryou-Watermark"]),
                replay_from=int(headers["Foryou-Replay-From"]),
                previous=int(headers["Foryou-Previous"]),
            )
        except (AssertionError, KeyError, ValueError) as error:
            raise MalformedMessageError(f"EXAMPLES message without usable headers: {error!r}") from error
