"""Word classes, and models that predict the class first and then the word.

Read in this order: `clustering.py` (words in classes, and their file), `class_model.py`
(n-grams of classes). `ngram/skip.py` takes classes in its contexts.
"""

from ngram.classes.class_model import ClassModel, class_ids_of
from ngram.classes.clustering import WordClasses, cluster_words

__all__ = ["ClassModel", "WordClasses", "class_ids_of", "cluster_words"]
