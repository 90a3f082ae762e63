"""Errors as TensorFlow Serving reports them: a canonical code, and what that is in HTTP.

Source of the mapping: tensorflow_serving/model_servers/http_server.cc (ToHTTPStatusCode), TensorFlow Serving 2.x.
"""

HTTP = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}


class ServingError(Exception):
    """A request that cannot be answered.

    Attributes:
        code: canonical name, one of `HTTP`.
        http: status code of the REST answer.
    """

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.http = HTTP[code]


def invalid(message):
    """Returns the `ServingError` for a request that is wrong in itself."""
    return ServingError("INVALID_ARGUMENT", message)
