"""Health checks, incidents, metrics, the operators' webhook, and the comparison of clocks."""
