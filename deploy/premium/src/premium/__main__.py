"""The operator's command: prints an error as one line; Ctrl-C is no error."""

import logging
import sys

EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command."""
    for library in ("aiokafka", "asyncio"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # our own line reports errors
    try:
        from premium.cli import app  # noqa: PLC0415 - slow: Ctrl-C may come during the import

        command = app(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    try:
        command()
    except Exception as e:
        from premium.failure import line_for  # noqa: PLC0415 - slow, and most commands succeed

        line = line_for(e)
        if line is None:
            raise
        sys.stderr.write(f"premium: {line}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
