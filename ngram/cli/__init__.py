"""The command `ngram`: one file per subcommand, each thin (parse, call, print).

Results go to stdout, everything else to stderr. Exit status: 0 done, 1 error, 2 wrong
usage, 130 interrupted by Ctrl-C, 129 and 143 ended by SIGHUP and SIGTERM, 141 nobody
reads stdout any more. Nothing heavy is imported before a command needs it.
"""

import signal
import sys

INTERRUPTED = 130
# `kill`, a time limit, a closed terminal: they end a command as Ctrl-C does, so that
# nothing partial stays.
ENDING = [
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
]


def main() -> None:
    """Run the command line of this process and exit."""
    received: list[int] = []

    def end(number: int, _: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    try:
        for number in ENDING:
            if signal.getsignal(number) == signal.SIG_DFL:  # `nohup` ignores SIGHUP
                signal.signal(number, end)
        from ngram.cli.group import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        status = INTERRUPTED
    for number in (signal.SIGINT, *ENDING):
        signal.signal(number, signal.SIG_IGN)  # it is done: too late to interrupt
    if status == INTERRUPTED and received:
        status = 128 + received[0]
    sys.exit(status)
