"""The operator's command: every error is one line, and Ctrl-C is no error."""

import logging
import sys

EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command."""
    for library in ("aiokafka", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # what is amiss, we say ourselves
    try:
        from premium.cli import app  # noqa: PLC0415 - takes a second, in which Ctrl-C may come
        from premium.stack import StackError  # noqa: PLC0415

        command = app(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    try:
        command()
    except StackError as e:
        sys.stderr.write(f"premium: {e}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
