"""What is exposed of stages is what the client library's own histogram and counters would say."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serve_app.pipeline.stage_trace import StageRecord
from serve_app.stage_metrics import _BUCKETS, _MOST_UNCOUNTED, StageMetrics

RECORDS = st.builds(
    StageRecord,
    st.sampled_from(["source", "filter"]),
    st.sampled_from(["fresh", "age"]),
    st.one_of(st.floats(0, 0.3), st.sampled_from(_BUCKETS)),
    st.integers(0, 9),
    st.integers(0, 9),
)


def exposed(registry: CollectorRegistry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


SOURCES = st.lists(st.sampled_from(["fresh", "two_tower"]), max_size=3)


@given(st.lists(st.tuples(st.lists(RECORDS, max_size=5), SOURCES), max_size=2 * _MOST_UNCOUNTED))
def test_stages_and_sources_are_counted_as_the_client_library_counts(
    requests: list[tuple[list[StageRecord], list[str]]],
) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    metrics = StageMetrics()
    ours.register(metrics)
    labels = ["kind", "stage"]
    seconds = Histogram("foryou_stage_seconds", "", labels, buckets=_BUCKETS, registry=theirs)
    kept = Counter("foryou_stage_kept", "", labels, registry=theirs)
    removed = Counter("foryou_stage_removed", "", labels, registry=theirs)
    served = Counter("foryou_items_served", "", ["source"], registry=theirs)

    for records, sources in requests:
        metrics.observe(records, sources)
    for source in itertools.chain.from_iterable(sources for _, sources in requests):
        served.labels(source).inc()
    for record in itertools.chain.from_iterable(records for records, _ in requests):
        of_stage = record.kind, record.name
        seconds.labels(*of_stage).observe(record.seconds)
        kept.labels(*of_stage).inc(record.num_out)
        removed.labels(*of_stage).inc(max(record.num_in - record.num_out, 0))

    assert exposed(ours) == exposed(theirs)


def test_what_is_read_is_counted_up_to_now_and_each_request_once() -> None:
    registry, metrics = CollectorRegistry(), StageMetrics()
    registry.register(metrics)
    kept = []
    for _ in range(_MOST_UNCOUNTED + 2):
        metrics.observe([StageRecord("source", "fresh", 0.001, 0, 1)], ["fresh"])
        kept.append(exposed(registry)["foryou_stage_kept_total", (("kind", "source"), ("stage", "fresh"))])
    assert kept == list(range(1, _MOST_UNCOUNTED + 3))
