"""Mixtures: several models as one, the way to a domain, a style or a persona.

Input: models (`ngram.train`, `ngram.load`), caches of the text so far, and a little
text to fit weights to. Output: a `Mixture`, which is queried like a model, or the one
back-off model that `Mixture.flatten` makes of it. In reading order: `components`
(models over one vocabulary), `cache` (the text so far), `union` (the n-grams of all
models), `weights` (how they are fitted), `loglinear` (products instead of sums),
`flatten`, `draws`, `reading`, `mixing` (the class), `adaptation` (a base model and a
small text).
"""

from ngram.mixture.adaptation import adapt
from ngram.mixture.cache import Cache
from ngram.mixture.mixing import KINDS, Mixture
from ngram.mixture.weights import Fit

__all__ = ["KINDS", "Cache", "Fit", "Mixture", "adapt"]
