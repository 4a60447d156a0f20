"""Which figures of the benchmarks are drawn side by side, and what their bars are called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """figure: its name in the report. is_peer: what ours is measured against."""

    figure: str
    label: str
    is_peer: bool = False


@dataclass(frozen=True, slots=True)
class BarPlot:
    """One picture of figures of one unit. has_bounds: draw what is promised of each, where sizes allow it."""

    file: str
    title: str
    unit: str
    bars: tuple[Bar, ...]
    has_bounds: bool = False


BAR_PLOTS: dict[str, tuple[BarPlot, ...]] = {
    "table": (
        BarPlot(
            "table-ratios.png",
            "Parameter server: beside its peers",
            "ratio to the peer in brackets",
            (
                Bar("pull_vs_take", "speed of a pull (numpy's take)"),
                Bar("push_vs_fbgemm", "speed of a push (FBGEMM)"),
                Bar("index_cost", "time with ids looked up (places known)"),
                Bar("ray_pull_vs_echo", "time of a pull from actors (actors that only answer)"),
                Bar("memory_ratio", "memory (the numbers in it)"),
                Bar("find_8m_vs_100k", "time to find an id in a large table (a small one)"),
            ),
            has_bounds=True,
        ),
    ),
    "learn": (
        BarPlot(
            "learn-rates.png",
            "Learning: how many examples a second",
            "examples per second",
            (
                Bar("examples_per_s", "learned, through the system"),
                Bar("joined_events_per_s", "joined, through the system"),
                Bar("feed_to_shard_events_per_s", "joined and learned at once, through the system"),
                Bar("one_process_examples_per_s", "learned, in one process"),
                Bar("in_memory_examples_per_s", "the same model on plain arrays", is_peer=True),
                Bar("vw_rows_per_s", "Vowpal Wabbit, the same rows", is_peer=True),
            ),
        ),
    ),
    "serve": (
        BarPlot(
            "serve-rates.png",
            "Serving: answers a second at the peak",
            "answers per second",
            (
                Bar("requests_per_s", "feeds"),
                Bar("noop_requests_per_s", "the deployment that does nothing", is_peer=True),
            ),
        ),
        BarPlot(
            "serve-latency.png",
            "Serving: how long an answer takes, and how it grows with the catalogue",
            "milliseconds until answered",
            (
                Bar("noop_p50_ms_c1", "the deployment that does nothing, median", is_peer=True),
                Bar("p50_ms_c1_small", "a feed from the small catalogue, median"),
                Bar("p50_ms_c1", "a feed from the whole catalogue, median"),
                Bar("p99_ms_c1", "the same, 99th percentile"),
                Bar("p50_ms", "a feed at the peak, median"),
                Bar("p99_ms", "the same, 99th percentile"),
            ),
        ),
    ),
    "freshness": (
        BarPlot(
            "freshness-latency.png",
            "Freshness: how long until an event changes what is served",
            "milliseconds from accepted to served",
            (
                Bar("p50_ms", "median"),
                Bar("p95_ms", "95th percentile"),
                Bar("p99_ms", "99th percentile"),
            ),
        ),
    ),
    "models": (
        BarPlot(
            "models-learning.png",
            "A second model: what learning an event costs",
            "microseconds of processor time, all learners together",
            (Bar("learner_cpu_us_one", "one model", is_peer=True), Bar("learner_cpu_us_two", "two models")),
        ),
        BarPlot(
            "models-serving.png",
            "A second model: how long a feed takes, one connection",
            "milliseconds until answered",
            (
                Bar("p50_ms_alone", "without a canary, median", is_peer=True),
                Bar("p50_ms_canary", "with a canary, median"),
                Bar("p99_ms_alone", "without a canary, 99th percentile", is_peer=True),
                Bar("p99_ms_canary", "with a canary, 99th percentile"),
            ),
        ),
    ),
    "durability": (
        BarPlot(
            "durability-rates.png",
            "The broker: events a second, 64 under way at once",
            "events per second",
            (
                Bar("default_events_per_s", "synced every two minutes (default)"),
                Bar("always_events_per_s", "synced before each answer (always)"),
            ),
        ),
        BarPlot(
            "durability-latency.png",
            "The broker: how long one event takes alone",
            "milliseconds until acknowledged, median",
            (
                Bar("default_ms_median", "synced every two minutes (default)"),
                Bar("always_ms_median", "synced before each answer (always)"),
            ),
        ),
    ),
}
