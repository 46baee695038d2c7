"""Count-based (n-gram) language models: raw text in, a fast model out.

`train` makes a `Model` from text, `load` opens a saved one, `read_arpa` one that
another toolkit wrote. The modules are the pipeline, in reading order: text, vocabulary,
counts, smoothing, arpa, scoring, prediction, model, filtering, estimate, classes, skip,
mixture, demo, cli. Public names are imported when they are first used, so that `import
ngram` and the command start at once.
"""

from importlib import import_module

from ngram.version import __version__

TYPE_CHECKING = False  # the module typing would double the time of this import
if TYPE_CHECKING:
    from ngram.classes import ClassModel, WordClasses, cluster_words
    from ngram.comparison import compare_smoothings
    from ngram.counts import Counts, count_ngrams, merge_counts
    from ngram.errors import (
        DiscountError,
        DiscountWarning,
        InputError,
        MemoryBudgetError,
        MissingDependencyError,
        ModelFileError,
        NgramError,
    )
    from ngram.estimate import train
    from ngram.filtering import (
        FilterResult,
        document_perplexities,
        filter_documents,
    )
    from ngram.mixture import Cache, Mixture, adapt
    from ngram.model import Model, load, read_arpa
    from ngram.pruning import prune
    from ngram.scoring import PerplexityResult, State
    from ngram.skip import Recent, SkipModel
    from ngram.smoothing import reference_estimate
    from ngram.text import Tokenizer
    from ngram.vocabulary import Vocabulary

_MODULES = {
    "ClassModel": "classes",
    "Counts": "counts",
    "FilterResult": "filtering",
    "Cache": "mixture",
    "DiscountError": "errors",
    "DiscountWarning": "errors",
    "InputError": "errors",
    "MemoryBudgetError": "errors",
    "MissingDependencyError": "errors",
    "Mixture": "mixture",
    "Model": "model",
    "ModelFileError": "errors",
    "NgramError": "errors",
    "PerplexityResult": "scoring",
    "Recent": "skip",
    "SkipModel": "skip",
    "State": "scoring",
    "Tokenizer": "text",
    "Vocabulary": "vocabulary",
    "compare_smoothings": "comparison",
    "WordClasses": "classes",
    "cluster_words": "classes",
    "count_ngrams": "counts",
    "document_perplexities": "filtering",
    "filter_documents": "filtering",
    "adapt": "mixture",
    "load": "model",
    "merge_counts": "counts",
    "prune": "pruning",
    "read_arpa": "model",
    "reference_estimate": "smoothing",
    "train": "estimate",
}

__all__ = [
    "Cache",
    "ClassModel",
    "Counts",
    "DiscountError",
    "DiscountWarning",
    "FilterResult",
    "InputError",
    "MemoryBudgetError",
    "MissingDependencyError",
    "Mixture",
    "Model",
    "ModelFileError",
    "NgramError",
    "PerplexityResult",
    "Recent",
    "SkipModel",
    "State",
    "Tokenizer",
    "Vocabulary",
    "WordClasses",
    "__version__",
    "adapt",
    "cluster_words",
    "compare_smoothings",
    "count_ngrams",
    "document_perplexities",
    "filter_documents",
    "load",
    "merge_counts",
    "prune",
    "read_arpa",
    "reference_estimate",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'ngram' has no attribute {name!r}")
    value = getattr(import_module(f"ngram.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
