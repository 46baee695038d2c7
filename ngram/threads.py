"""The number of threads: what a caller asks for, or all processors.

Read next: `ngram/text.py`. Results never depend on the number.
"""

import os

from ngram.arguments import checked_integer

MAX_THREADS = 1024


def thread_count(threads: int | None) -> int:
    """Return how many threads to use; None stands for all processors.

    Raises
    ------
    InputError
        If the number is not an integer from 1 to 1024.
    """
    if threads is None:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    return checked_integer(
        "threads",
        threads,
        least=1,
        most=MAX_THREADS,
        advice="Leave it out for all processors.",
    )
