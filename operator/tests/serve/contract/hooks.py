"""Answers must not depend on how busy the machine is that runs the tests: whoever waits waits long."""

import re

import schemathesis

DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")


@schemathesis.hook
def before_call(context, case, kwargs):
    headers = case.headers or {}
    if DURATION.fullmatch(str(headers.get("x-request-timeout", ""))):
        headers["x-request-timeout"] = "30s"
