"""The only rooms in which a driver or a service is imported."""
