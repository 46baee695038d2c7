"""`python -m ngram.cli`: the same as the command `ngram`."""

from ngram.cli import main

main()
