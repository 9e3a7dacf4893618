"""The figures of the benchmarks, and what they may not become."""
