"""The figures of the campaigns in `benchmarks/never_naked`."""
