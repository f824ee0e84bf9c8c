"""HEALPix sky maps: reading them from FITS bytes, and all that is measured on them; pure functions."""
