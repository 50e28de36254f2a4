"""The errors of a daemon, or of the connection to it, are told in words, not as a Python tuple."""

from __future__ import annotations

import http.client

import pytest
import requests
import urllib3
from docker.errors import APIError, DockerException

from pytest_dockercache.engines.daemon import in_words

ABORTED = urllib3.exceptions.ProtocolError(
    "Connection aborted.", http.client.RemoteDisconnected("Remote end closed connection")
)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (requests.ConnectionError(ABORTED), "Remote end closed connection"),
        (
            requests.ConnectionError(
                urllib3.exceptions.ProtocolError(
                    "Connection aborted.", ConnectionResetError(104, "Connection reset by peer")
                )
            ),
            "Connection reset by peer",
        ),
        (
            DockerException(
                "Error while fetching server API version: ('Connection aborted.', "
                "FileNotFoundError(2, 'No such file or directory'))"
            ),
            "Error while fetching server API version",
        ),
        (APIError("500 Server Error", explanation="disk full\nreally"), "disk full"),
        (requests.Timeout(), "Timeout"),
    ],
)
def test_the_innermost_words_are_told(problem: Exception, words: str) -> None:
    assert in_words(problem) == words
