"""The words of a model and their ids.

Input: words, in the order in which `ngram.text.read_corpus` met them. Output: ids from
0 on, of which 0, 1 and 2 are `<unk>`, `<s>` and `</s>`. The class is compiled, see
`ext/engine/text/vocabulary.hpp`. Read `ngram/smoothing/__init__.py` next.
"""

from ngram._core.vocabulary import Vocabulary

__all__ = ["Vocabulary"]
