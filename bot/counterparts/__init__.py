"""Counterpart candidates: reports of the same source merged, and their hosts' distances. Pure."""
