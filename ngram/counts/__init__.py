"""Counts: how often every n-gram occurs in a text, to keep, to add and to take away.

Input: a corpus. Output: `Counts`, which `ngram.train` takes in place of a text and
which a file holds (`docs/format.md`). Counts of parts of a text add up to the counts of
the whole, so a model can be trained in shards, grow with its text, or forget a part of
it. `table` has the class and its file, `counting` makes counts of text, `merging` adds
them. Read `ext/engine/counts/ngram_counts.hpp` for what is counted, then
`ngram/smoothing/__init__.py`.
"""

from ngram.counts.counting import count_ngrams
from ngram.counts.merging import merge_counts
from ngram.counts.table import Counts

__all__ = ["Counts", "count_ngrams", "merge_counts"]
