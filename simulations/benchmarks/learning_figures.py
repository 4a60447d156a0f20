"""The figures of the benchmarks of learning: the tables, joining and learning, the broker."""

from __future__ import annotations

from simulations.benchmarks.benchmark_figures import Benchmark, Figure
from simulations.benchmarks.table_benchmark import AT_LEAST, AT_MOST

_LESS, _MORE, _NEITHER = False, True, None
_BOUNDS = AT_LEAST | AT_MOST


def _of_table(name: str, unit: str, more_is_better: bool | None, meaning: str) -> Figure:
    return Figure(name, unit, more_is_better, meaning, _BOUNDS.get(name))


TABLE = Benchmark(
    name="table",
    title="Parameter server",
    about="One shard's tables in one process: rows of 32 numbers, row-wise Adagrad, batches of 4,096 ids, "
    "popular ones often (Zipf 1.1). What is compared takes turns in one run; medians.",
    figures=(
        _of_table(
            "pull_vs_take", "ratio", _MORE, "speed of a pull by id; 1: numpy's take, which looks up no id"
        ),
        _of_table("push_vs_fbgemm", "ratio", _MORE, "speed of a push; 1: FBGEMM's table on the CPU"),
        _of_table(
            "index_cost", "ratio", _LESS, "time of pull and push by id; 1: the same without looking ids up"
        ),
        _of_table(
            "ray_pull_vs_echo", "ratio", _LESS, "time of a pull from two actors; 1: actors that only answer"
        ),
        _of_table(
            "memory_ratio", "ratio", _LESS, "memory of the grown table; 1: the numbers in it and no more"
        ),
        _of_table(
            "find_8m_vs_100k", "ratio", _LESS, "time to find an id in the grown table; 1: in 100,000 rows"
        ),
        _of_table("pull_us", "µs", _LESS, "a pull of one batch"),
        _of_table("unique_push_us", "µs", _LESS, "a push of the unique ids of one batch"),
        _of_table("growth_rows", "rows", _NEITHER, "rows to which the table grew from nothing"),
        _of_table("growth_max_ms", "ms", _LESS, "the longest that a push took while it grew"),
        _of_table(
            "snapshot_stall_ms", "ms", _LESS, "the longest that a pull waited while a snapshot was taken"
        ),
        _of_table("restore_s", "s", _LESS, "to restore a shard from that snapshot"),
        _of_table("delta_rows", "rows", _NEITHER, "rows that changed since a version, for replicas"),
        _of_table("delta_ms", "ms", _LESS, "to collect those rows"),
    ),
    small={"rows": 20_000, "grown": 100_000},
)

LEARN = Benchmark(
    name="learn",
    title="Joining and learning",
    about="From impressions and what came of them to learned weights: through the system (broker, Ray, "
    "a joiner, a learner, shards), then the same work in one process, beside the same model on plain "
    "arrays and Vowpal Wabbit on the same rows.",
    figures=(
        Figure("examples", "examples", _NEITHER, "examples learned in one process"),
        Figure("examples_per_s", "1/s", _MORE, "examples learned, through the system, while nobody joins"),
        Figure("joined_events_per_s", "1/s", _MORE, "events joined, through the system, while nobody learns"),
        Figure(
            "feed_to_shard_events_per_s",
            "1/s",
            _MORE,
            "events joined and learned at once, through the system",
        ),
        Figure(
            "one_process_examples_per_s",
            "1/s",
            _MORE,
            "examples learned in one process, counters and positions kept",
        ),
        Figure("join_pairs_per_s", "1/s", _MORE, "impressions joined with their event in one process"),
        Figure(
            "in_memory_examples_per_s", "1/s", _NEITHER, "examples learned by the same model on plain arrays"
        ),
        Figure("vw_rows_per_s", "1/s", _NEITHER, "rows learned by Vowpal Wabbit: another, smaller model"),
        Figure("vs_in_memory", "ratio", _MORE, "pace through the system; 1: the same model on plain arrays"),
        Figure("vs_vw", "ratio", _MORE, "pace through the system; 1: Vowpal Wabbit"),
        Figure("one_process_vs_in_memory", "ratio", _MORE, "pace in one process; 1: plain arrays"),
        Figure("step_ms", "ms", _LESS, "a training step of 256 rows or a few more"),
        Figure("accepted_events_per_s", "1/s", _NEITHER, "events taken while the next two were measured"),
        Figure(
            "event_to_shard_p50_ms", "ms", _LESS, "from the offer of an event until shards have it, median"
        ),
        Figure("event_to_shard_p95_ms", "ms", _LESS, "the same, 95th percentile"),
        Figure("users_many", "people", _NEITHER, "people with a row in the table, for the next line"),
        Figure("cost_many_vs_few_users", "ratio", _LESS, "time of an example with so many; 1: with few"),
    ),
    small={"pairs": 2_000, "users": 500, "many-users": 5_000, "offered": 200, "seconds": 3},
    has_settings=True,
)

_SYNC = {"default": "synced every two minutes", "always": "synced before each answer"}

DURABILITY = Benchmark(
    name="durability",
    title="Durability of the broker",
    about="Events published to NATS JetStream with each setting of services.nats_sync, and what is lost when "
    "its process is killed midway. A killed process leaves what it wrote to the operating system: only a "
    "loss of power can take what was not synced.",
    figures=(
        Figure("events", "events", _NEITHER, "events in each part of the measurement"),
        *(
            figure
            for sync, said in _SYNC.items()
            for figure in (
                Figure(f"{sync}_ms_median", "ms", _LESS, f"a lone publish, {said} ({sync}), median"),
                Figure(f"{sync}_events_per_s", "1/s", _MORE, f"64 publishes under way at once, {said}"),
                Figure(
                    f"{sync}_lost_by_sigkill",
                    "events",
                    _LESS,
                    f"events acknowledged and lost by SIGKILL, {sync}",
                    0.0,
                ),
            )
        ),
    ),
    small={"events": 500},
)
