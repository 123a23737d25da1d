"""The operators' Qt dashboard: a process of its own, beside the station."""
