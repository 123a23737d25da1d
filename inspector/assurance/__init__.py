"""Statistics of the promise: certificates, guardrail, drift, A/B. Pure functions and values."""
