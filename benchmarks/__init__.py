"""What takes how long, beside others on the same work: ``python -m benchmarks --help``."""
