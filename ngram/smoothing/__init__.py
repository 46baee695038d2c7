"""Smoothing: how counts become probabilities. One file for each method.

Input: counts of counts, and for some methods what counts say about held-out text.
Output: the numbers that the compiled engine smooths with; or, from sentences, the
`ReferenceModel` in plain dictionaries, which defines what the engine must compute.
Probabilities are float32 in the order of operations written here: another order gives
other last bits. Read `contract.py` first, then any method, then `reference.py`; and
`ngram/model.py` for how a model is stored and asked.
"""

from ngram.smoothing.absolute_discounting import (
    AbsoluteDiscounting,
    AbsoluteDiscountingBackoff,
)
from ngram.smoothing.additive import Additive, AdditiveBackoff, Dirichlet
from ngram.smoothing.contract import (
    COUNTED,
    ContextSums,
    HeldoutCounts,
    SmoothingMethod,
)
from ngram.smoothing.discounting import Discounting
from ngram.smoothing.discounts import (
    FIXED_DISCOUNTS,
    Discounts,
    discounts_from_counts,
    one_discount_from_counts,
)
from ngram.smoothing.jelinek_mercer import JelinekMercer
from ngram.smoothing.katz import Katz
from ngram.smoothing.kneser_ney import KneserNey, KneserNeyBackoff
from ngram.smoothing.maximum_likelihood import MaximumLikelihood
from ngram.smoothing.methods import ALIASES, DEFAULT, METHODS, smoothing_method
from ngram.smoothing.modified_kneser_ney import (
    ModifiedKneserNey,
    ModifiedKneserNeyBackoff,
    TunedModifiedKneserNey,
)
from ngram.smoothing.reference import (
    Entry,
    ReferenceModel,
    pruning_thresholds,
    reference_estimate,
)
from ngram.smoothing.stupid_backoff import StupidBackoff
from ngram.smoothing.witten_bell import WittenBell, WittenBellBackoff

__all__ = [
    "ALIASES",
    "COUNTED",
    "DEFAULT",
    "FIXED_DISCOUNTS",
    "METHODS",
    "AbsoluteDiscounting",
    "AbsoluteDiscountingBackoff",
    "Additive",
    "AdditiveBackoff",
    "ContextSums",
    "Dirichlet",
    "Discounting",
    "Discounts",
    "Entry",
    "HeldoutCounts",
    "JelinekMercer",
    "Katz",
    "KneserNey",
    "KneserNeyBackoff",
    "MaximumLikelihood",
    "ModifiedKneserNey",
    "ModifiedKneserNeyBackoff",
    "ReferenceModel",
    "SmoothingMethod",
    "StupidBackoff",
    "TunedModifiedKneserNey",
    "WittenBell",
    "WittenBellBackoff",
    "discounts_from_counts",
    "one_discount_from_counts",
    "pruning_thresholds",
    "reference_estimate",
    "smoothing_method",
]
