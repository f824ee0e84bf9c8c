"""Catalogues of galaxies, and which of their galaxies a sky map makes worth looking at."""
