"""Settings and fixtures of all tests.

How many random examples hypothesis tries, and the golden cases one after the other.
"""

import os
import signal

import pytest
from golden_cases import GoldenCase, parameters
from hypothesis import settings

# Processes that tests start import the installed package too, never the sources in the
# current directory, which hold no compiled modules.
os.environ["PYTHONSAFEPATH"] = "1"

# A shell starts what runs in its background with Ctrl-C ignored, and `nohup` ignores
# SIGHUP; so would this process start the commands that tests interrupt. A handler is
# not inherited.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda number, frame: None)

# Shared machines pause at will, so no deadline; fixed seeds, so no surprises.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.register_profile(
    "few",
    settings.get_profile("repeatable"),
    max_examples=10,  # slow builds
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", params=parameters())
def golden_case(request: pytest.FixtureRequest) -> GoldenCase:
    """Every run of lmplz that wrote a model of at least one sentence."""
    case: GoldenCase = request.param
    return case
