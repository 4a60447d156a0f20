"""What the stages of ranking requests took, kept and removed, and what came of it, as Prometheus reads it.

A request has some thirty stages; the client library's own counters would take a fiftieth of its time. So they
are counted in plain numbers here, many requests at a time, and become series only where somebody reads them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from serve_app.pipeline.stage_trace import StageRecord

_BUCKETS = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""Seconds, each bucket up to and with its bound."""

_LABELS = ("kind", "stage")

_MOST_UNCOUNTED = 64
"""Requests. Counting one between two rankings takes several times as long as among others: its code and
numbers have left the processor's caches."""


class _Stage:
    __slots__ = ("counts", "kept", "removed", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS) + 1)
        self.seconds = 0.0
        self.kept = 0
        self.removed = 0


class StageMetrics(Collector):
    """One series for each stage that has run and for each source that was served from; one thread."""

    def __init__(self) -> None:
        self._stages: dict[tuple[str, str], _Stage] = {}
        self._served: Counter[str] = Counter()
        self._uncounted: list[tuple[Iterable[StageRecord], Iterable[str]]] = []

    def observe(self, records: Iterable[StageRecord], sources: Iterable[str]) -> None:
        """Take note of the stages of one request and of the source of each content served; neither changes
        any more."""
        self._uncounted.append((records, sources))
        if len(self._uncounted) == _MOST_UNCOUNTED:
            self._count()

    def _count(self) -> None:
        uncounted, self._uncounted = self._uncounted, []
        for records, sources in uncounted:
            self._count_one(records)
            self._served.update(sources)

    def _count_one(self, records: Iterable[StageRecord]) -> None:
        stages = self._stages
        for kind, name, seconds, num_in, num_out in records:
            stage = stages.get((kind, name))
            if stage is None:
                stage = stages[kind, name] = _Stage()
            stage.counts[bisect_left(_BUCKETS, seconds)] += 1
            stage.seconds += seconds
            stage.kept += num_out
            if num_in > num_out:
                stage.removed += num_in - num_out

    def collect(self) -> Iterable[Metric]:
        """Yield the four families."""
        self._count()
        seconds = HistogramMetricFamily(
            "foryou_stage_seconds", "Time of one stage of a ranking request.", labels=_LABELS
        )
        kept = CounterMetricFamily("foryou_stage_kept", "Contents that a stage let pass.", labels=_LABELS)
        removed = CounterMetricFamily("foryou_stage_removed", "Contents that it removed.", labels=_LABELS)
        for labels, stage in self._stages.items():
            seconds.add_metric(labels, _cumulative(stage.counts), stage.seconds)
            kept.add_metric(labels, stage.kept)
            removed.add_metric(labels, stage.removed)
        served = CounterMetricFamily("foryou_items_served", "Contents in answers.", labels=("source",))
        for source, count in self._served.items():
            served.add_metric((source,), count)
        yield from (seconds, kept, removed, served)


def _cumulative(counts: Sequence[int]) -> list[tuple[str, float]]:
    bounds = [*map(floatToGoString, _BUCKETS), "+Inf"]
    return list(zip(bounds, map(float, accumulate(counts)), strict=True))
