"""The compiled core: one binding per topic."""
