"""Positions in sentences: whether there is one, and the words around it that say nothing. Pure."""

from __future__ import annotations

import re

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)"
_COORDINATE = re.compile(
    rf"(?:{_NUMBER}(?:°|d|deg)?|\d{{1,2}}[h:]\d[\dhms:.]*|[+-]?\d{{1,2}}[d:°]\d[\ddms:.'\"°′″]*|"
    rf"\d{{1,2}}h[\d.ms]+[+-]\d{{1,2}}d[\d.ms]+)"
)
_POSITION_FILLERS = re.compile(
    r"^(?:(?:is|are|was|does|do|would|could|can|what|whats|about|where|how|likely|it|the|a|an|my|our"
    r"|this|that|i|we|you|me|us|tell|whether|if|know|please|hi|hello|dear|all"
    r"|source|object|positions?|coordinates?|candidate|transient|field|target|at|of|for|in|inside"
    r"|within)\s+)+",
    re.IGNORECASE,
)
_POSITION_TAIL = re.compile(
    r"(?:\s+(?:in|inside|within|on|of|for|from|at|part|consistent|compatible|with|covered|by|the|its|gw"
    r"|event|sky"
    r"|map|skymap|localization|localisation|region|contour)(?=\s|$))+\s*$",
    re.IGNORECASE,
)
_LABELLED_POSITION = re.compile(
    rf"\bra\b.{{0,12}}?[=: ]\s*{_NUMBER}.*\bdec\w*\b.{{0,12}}?[=: ]\s*{_NUMBER}"
    rf"|\b(?:l|glon)\s*=\s*{_NUMBER}[\s,;]+(?:b|glat)\s*=\s*{_NUMBER}"
    r"|(?<![\w.])J?\d{6}(?:\.\d+)?[+-]\d{6}(?:\.\d+)?(?!\w)",
    re.IGNORECASE,
)
_CONE = re.compile(rf"\bnear\b.*{_NUMBER}\s*(?:deg\w*|°|arcmin|arcsec|['\"])(?!\w)", re.IGNORECASE)


def has_position(sentence: str) -> bool:
    """Return whether a sentence contains a position on the sky, and not the circle of a filter."""
    if _CONE.search(sentence):
        # The filter's circle: "near 95.7 -10.96 5deg".
        return False
    if _LABELLED_POSITION.search(sentence):
        return True
    words = re.sub(r"[(),;]", " ", sentence).split()
    found = 0
    for word in words:
        if re.fullmatch(r"\d{1,2}[h:][\d:hms.]+[+-][\d:dms.°'\"′″]+", word):
            return True
        if _COORDINATE.fullmatch(word) and (re.search(r"[.:hd°+-]", word) or found):
            found += 1
    return found >= 2


def position_words(sentence: str) -> str:
    """Return the position and what belongs to it: a sentence without the words around them."""
    return (
        _POSITION_TAIL.sub("", _POSITION_FILLERS.sub("", f"{sentence} ").rstrip() + " ").strip() or sentence
    )
