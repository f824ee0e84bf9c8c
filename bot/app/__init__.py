"""The composition root: the only place that builds objects, starts them and stops them."""
