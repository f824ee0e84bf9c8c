"""FITS bytes to a sky map, and all that is measured on it; pure but for the process that draws."""
