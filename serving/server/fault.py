"""What a client is told of something that went wrong."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """An answer that is no answer.

    Attributes:
        status: HTTP status.
        code: A word for programs, such as `"invalid_input"`.
        message: For people: what was wrong and what to mend. Holds nothing of the server's file system.
        headers: Further headers of the response, in lower case.
    """

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()

    def body(self, request_id: str) -> dict[str, str]:
        """The JSON object that goes to the client.

        >>> Fault(404, "not_found", "There is no model 'x'.").body("3f-1")
        {'error': "There is no model 'x'.", 'code': 'not_found', 'request_id': '3f-1'}
        """
        return {"error": self.message, "code": self.code, "request_id": request_id}
