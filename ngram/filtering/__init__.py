"""Keep the documents of a corpus that a model finds likely, at any size.

Reading order: `perplexities` (documents to numbers), `documents` (formats to documents
and back), `outputs` (parts that survive a kill), `run` (the whole job).
"""

from ngram.filtering.perplexities import FORMULAS, document_perplexities
from ngram.filtering.run import FilterResult, filter_documents

__all__ = ["FORMULAS", "FilterResult", "document_perplexities", "filter_documents"]
