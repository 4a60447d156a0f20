"""The world outside: simulated people, replays of real logs, benchmarks."""
