"""The command `ngram`: one file per subcommand, each thin (parse, call, print).

Results go to stdout, everything else to stderr. Exit status: 0 done, 1 error, 2 wrong
usage, 130 interrupted by Ctrl-C, 141 nobody reads stdout any more. Nothing heavy is
imported before a command needs it.
"""

import signal
import sys


def main() -> None:
    """Run the command line of this process and exit."""
    try:
        from ngram.cli.group import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is done: too late to interrupt
    sys.exit(status)
