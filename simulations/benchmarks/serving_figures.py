"""The figures of the benchmarks of serving: feeds, one request, freshness, a second model."""

from __future__ import annotations

from simulations.benchmarks.benchmark_figures import Benchmark, Figure

_LESS, _MORE, _NEITHER = False, True, None

SERVE = Benchmark(
    name="serve",
    title="Serving feeds",
    about="A whole system, asked for feeds of 20 contents over HTTP from another process, in turns with a "
    "deployment that does nothing behind the same proxy. Each feed ranks some 500 candidates and is recorded "
    "before it is answered.",
    figures=(
        Figure("contents", "contents", _NEITHER, "size of the catalogue"),
        Figure("candidates", "contents", _NEITHER, "contents ranked for a feed, mean"),
        Figure("requests_per_s", "1/s", _MORE, "feeds served at the peak, all connections busy"),
        Figure("noop_requests_per_s", "1/s", _NEITHER, "answers of the deployment that does nothing"),
        Figure("ratio", "ratio", _MORE, "feeds served; 1: what the deployment that does nothing answers"),
        Figure("p50_ms", "ms", _LESS, "until a feed is answered at the peak, median"),
        Figure("p99_ms", "ms", _LESS, "the same, 99th percentile"),
        Figure("p50_ms_c1", "ms", _LESS, "until a feed is answered, one connection, median"),
        Figure("p99_ms_c1", "ms", _LESS, "the same, 99th percentile"),
        Figure("noop_p50_ms_c1", "ms", _NEITHER, "until the deployment that does nothing answers, median"),
        Figure("contents_small", "contents", _NEITHER, "size of the small catalogue of the next two lines"),
        Figure("p50_ms_c1_small", "ms", _LESS, "until a feed is answered from it, one connection, median"),
        Figure("p50_growth", "ratio", _LESS, "median in the whole catalogue; 1: in the small one"),
        Figure("ann_recall", "share", _MORE, "share of the nearest contents that the index finds"),
        Figure("imported_per_s", "1/s", _MORE, "contents imported in bulk, until they are served"),
        Figure("errors", "answers", _LESS, "answers that failed or were refused"),
        Figure(
            "client_cpu",
            "share",
            _NEITHER,
            "share of a core that the asking process took; near 1 that is the limit",
        ),
    ),
    small={
        "contents": 2_000,
        "small": 500,
        "users": 200,
        "seconds": 2,
        "rounds": 1,
        "connections": 4,
    },
    has_settings=True,
)

REQUEST = Benchmark(
    name="request",
    title="One request",
    about="Processor time of one feed request in a process set up as a replica is: no proxy, store or "
    "broker. Other work on the machine hardly shows in it.",
    figures=(
        Figure("contents", "contents", _NEITHER, "size of the catalogue"),
        Figure("candidates", "contents", _NEITHER, "contents ranked for a feed, mean"),
        Figure("cpu_ms", "ms", _LESS, "processor time from call to answer, mean"),
        Figure("cpu_p50_ms", "ms", _LESS, "the same, median"),
        Figure("cpu_p99_ms", "ms", _LESS, "the same, 99th percentile"),
        Figure("ann_recall", "share", _MORE, "share of the nearest contents that the index finds"),
        Figure("impression_bytes", "bytes", _LESS, "size of what is recorded of one feed"),
    ),
    small={"contents": 3_000, "requests": 100},
)

FRESHNESS = Benchmark(
    name="freshness",
    title="Freshness",
    about="How long an event takes to change what is served by a whole system under load, seen from outside: "
    "from the 202 to the first answer that covers the event and scores its content otherwise.",
    figures=(
        Figure("contents", "contents", _NEITHER, "size of the catalogue"),
        Figure("events_per_s", "1/s", _NEITHER, "events taken meanwhile"),
        Figure("feeds_per_s", "1/s", _NEITHER, "feeds served meanwhile"),
        Figure("p50_ms", "ms", _LESS, "from accepted to served, median"),
        Figure("p95_ms", "ms", _LESS, "the same, 95th percentile"),
        Figure("p99_ms", "ms", _LESS, "the same, 99th percentile"),
        Figure("probes", "events", _NEITHER, "events that were followed so"),
        Figure("missed", "events", _LESS, "of them those that no answer showed within ten seconds"),
        Figure("errors", "answers", _LESS, "requests that were refused"),
        Figure(
            "client_cpu",
            "share",
            _NEITHER,
            "share of a core that the asking process took; near 1 that is the limit",
        ),
    ),
    small={"contents": 2_000, "users": 200, "events": 100, "feeds": 10, "seconds": 5},
    has_settings=True,
)

MODELS = Benchmark(
    name="models",
    title="A second model",
    about="What a candidate beside the production model costs: the learners' processor time for each event, "
    "and the time of an answer while half of all people see a canary.",
    figures=(
        Figure("contents", "contents", _NEITHER, "size of the catalogue"),
        Figure("learner_cpu_us_one", "µs", _LESS, "processor time of the learner of one model, an event"),
        Figure("learner_cpu_us_two", "µs", _LESS, "processor time of the learners of two models, an event"),
        Figure("learner_cpu_ratio", "ratio", _LESS, "processor time of learners of two models; 1: of one"),
        Figure(
            "p50_ms_alone", "ms", _LESS, "until a feed is answered without a canary, one connection, median"
        ),
        Figure("p50_ms_canary", "ms", _LESS, "the same with a canary"),
        Figure("p99_ms_alone", "ms", _LESS, "the same without a canary, 99th percentile"),
        Figure("p99_ms_canary", "ms", _LESS, "the same with a canary, 99th percentile"),
        Figure("canary_p50_ratio", "ratio", _LESS, "median with a canary; 1: without"),
        Figure("freshness_p50_ms_one", "ms", _LESS, "from accepted to served with one model, median"),
        Figure("freshness_p50_ms_two", "ms", _LESS, "the same with two"),
        Figure("errors_of_feeds", "answers", _LESS, "feeds that failed or were refused"),
        Figure("errors_of_loads", "answers", _LESS, "answers that refused while learners were measured"),
    ),
    small={"contents": 1_000, "events": 100, "seconds": 5, "rounds": 1},
    has_settings=True,
)
