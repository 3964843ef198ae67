"""The server: load, start, restarts, faults, an hour of requests, the cost of metrics, and other servers beside it."""
