"""The criteria sets that are built in: Rubin's rules, and others' criteria as filters, with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from bot.criteria.rubin_2026 import RUBIN_GRADES, RUBIN_SOURCE
from formatters.models.criteria_set import CriteriaSet, Grade
from formatters.models.filter import DEFAULT_MIN_PROBABILITY, Compare, Op

RUBIN = "rubin-2026"
"""Name of the set whose grades `bot.criteria.rubin_2026` decides."""

_NEUTRON_STAR = Compare("NS", Op.GE, DEFAULT_MIN_PROBABILITY)
_READ_AS = 'gwevent reads "BNS or NSBH" as BNS and NSBH having at least 50 % together'
_NEAR_AND_SMALL = Compare("distance", Op.LT, 200.0) & Compare("area90", Op.LT, 200.0)
_MEAN = "the distance is the sky map's mean"

_SETS = (
    CriteriaSet(
        slug=RUBIN,
        grades=tuple(Grade(name, None) for name in RUBIN_GRADES),
        is_built_in=True,
        judges_initial=True,
        source=RUBIN_SOURCE,
    ),
    CriteriaSet(
        slug="grandma",
        grades=(Grade("Go", _NEUTRON_STAR & _NEAR_AND_SMALL),),
        is_built_in=True,
        source=(
            "GRANDMA's criteria: BNS or NSBH, 90 % area below 200 deg², nearer than 200 Mpc; then a person"
            f" decides go or stop, which gwevent can't know; {_READ_AS}, and {_MEAN}."
        ),
    ),
    CriteriaSet(
        slug="tarot",
        grades=(Grade("Trigger", _NEAR_AND_SMALL),),
        is_built_in=True,
        judges_initial=True,
        source=(
            "TAROT's criteria: nearer than 200 Mpc and 90 % area below 200 deg², as the INITIAL states them;"
            f" {_MEAN}."
        ),
    ),
    CriteriaSet(
        slug="lasair",
        grades=(Grade("Watch", _NEUTRON_STAR),),
        is_built_in=True,
        source=f"Lasair's criterion: BNS or NSBH only; {_READ_AS}.",
    ),
)

BUILT_IN: Mapping[str, CriteriaSet] = MappingProxyType({one.slug: one for one in _SETS})
"""The sets by name, in the order in which they are listed."""
