"""Ctrl-C and SIGTERM, answered between two rounds."""

import signal
import threading
from pathlib import Path
from types import FrameType

from gmlib import ranks


class Interrupts:
    """Answer Ctrl-C and SIGTERM between two rounds; a second one acts at once.

    Outside the main thread Python sets no handlers, and nothing changes.

    Attributes
    ----------
    caught : int or None
        The signal that has come.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.caught: int | None = None
        self._before = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                self._before[number] = signal.signal(number, self._answer)
        return self

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if self.caught is not None:
            raise KeyboardInterrupt
        self.caught = number

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def exception(
        self, done: int, rounds: int, path: str | Path | None
    ) -> BaseException:
        """Return the exception that ends an interrupted training."""
        kept = (
            f"saved to {path}: run this again to go on from there"
            if path
            else "the networks keep their present weights"
        )
        message = f"stopped after round {done} of {rounds}; {kept}"
        if self.caught == signal.SIGTERM:
            ranks.say(message)
            return SystemExit(128 + signal.SIGTERM)
        return KeyboardInterrupt(message)
