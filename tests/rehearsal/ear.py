"""A listener that keeps what it is told, for tests without a socket."""

import json
from typing import Any

from qt_protections.rehearsal.streams.hub import Listener, Streams
from tests.rehearsal.stage import Stage


class Ear(Listener):
    """Hears streams of a stage's venue."""

    def __init__(self, streams: Streams, *names: str, combined: bool = False) -> None:
        """Subscribe."""
        super().__init__(combined=combined)
        self.heard: list[Any] = []
        streams.join(self)
        streams.subscribe(self, names)

    def send(self, text: str) -> None:
        """Keep a message."""
        self.heard.append(json.loads(text))

    def take(self) -> list[Any]:
        """Return what was heard since the last call."""
        heard, self.heard = self.heard, []
        return heard


def open_ear(stage: Stage) -> Ear:
    """Return a listener of the account's user data stream."""
    return Ear(Streams(stage.venue), stage.venue.listen_keys.open())
