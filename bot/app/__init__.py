"""The composition root: the only package that builds the parts of a process, starts them and stops them."""
