"""Who is being served at the moment, and whether newcomers are still let in."""

from typing import Protocol


class _Visit(Protocol):
    def dismiss(self): ...


class Traffic:
    """The requests and WebSockets under way in one server.

    Attributes:
        draining: True once the server shuts down: those who are here are served, others are sent away.
        requests: HTTP requests under way.
        sockets: Open WebSockets.
    """

    def __init__(self):
        self.draining = False
        self.requests: set[_Visit] = set()
        self.sockets: set[_Visit] = set()

    @property
    def quiet(self) -> bool:
        """Whether nobody is being served."""
        return not self.requests and not self.sockets

    def drain(self):
        """Let nobody in any more, and ask WebSockets to leave; each finishes the message that it is busy with."""
        self.draining = True
        for socket in list(self.sockets):
            socket.dismiss()

    def dismiss(self):
        """End what is still under way."""
        for visit in [*self.requests, *self.sockets]:
            visit.dismiss()
