"""What services do with a client of OPA for Python, asked of the server whose host and port are given."""

import asyncio
import sys
import urllib.request

import requests
from opa_client import AsyncOpaClient, OpaClient
from opa_client.errors import (
    DeleteDataError,
    DeletePolicyError,
    PatchDataError,
    PolicyNotFoundError,
    QueryExecuteError,
)

HOST, PORT = sys.argv[1], int(sys.argv[2])
ANN = {"user": "ann"}
BOB = {"user": "bob"}


def fails(kind, call):
    """The error that a call ends with."""
    try:
        found = call()
    except kind as error:
        return error
    raise AssertionError(f"{kind} was expected, not {found}")


def send(method, path):
    request = urllib.request.Request(f"http://{HOST}:{PORT}{path}", method=method)
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def asks(client):
    # The server.
    assert client.check_connection()
    assert client.check_health()
    assert client.check_health({"bundles": True, "plugins": True})
    assert client.wait_for_ready()
    assert client.get_config()["result"]["default_decision"] == "/system/main"
    assert "tasks/authz@1.0" in client.get_status()["result"]["bundles"]

    # Modules.
    assert "tasks/authz@1.0/policy.rego" in client.get_policies_list()
    assert "tasks/authz@1.0/policy.rego" in client.get_policies_info()
    module = client.get_policy("tasks/authz@1.0/policy.rego")
    assert module["result"]["raw"].startswith("package tasks.authz")
    missing = fails(PolicyNotFoundError, lambda: client.get_policy("unknown.rego"))
    assert missing.expression == "resource_not_found"

    # Documents.
    assert client.get_data("tasks/limits/table/one")["result"]["two"]["three"][0] == 1
    assert "authz" in client.get_data("tasks", {"pretty": True})["result"]
    assert "tasks" in client.get_data()["result"]
    assert fails(PolicyNotFoundError, lambda: client.get_data("unknown/data"))
    assert client.query_rule(ANN, "tasks.authz", "allow")["result"] is True
    assert client.query_rule(BOB, "tasks.authz", "allow")["result"] is False
    whole = client.query_rule(ANN, "tasks.authz", query_params={"metrics": True})
    assert whole["result"]["greeting"] == "hello ann"
    assert whole["metrics"]["timer_server_handler_ns"] > 0
    assert "result" not in client.query_rule(ANN, "tasks.authz", "never")

    # Queries.
    assert client.ad_hoc_query("x = data.tasks.authz.allow", ANN)["result"] == [{"x": True}]
    assert client.ad_hoc_query("data.tasks.limits.names[name]")["result"][2] == {"name": "c"}
    assert client.bulk_query_rule([ANN, BOB, ANN], "tasks.authz", "allow") == [True, False, True]
    named = client.bulk_query_rule({"a": ANN, "b": BOB}, "tasks.authz", "allow")
    assert named == {"a": True, "b": False}
    fails(QueryExecuteError, lambda: client.bulk_query_rule([ANN], "tasks.authz", "never"))
    wrong = fails(requests.HTTPError, lambda: client.ad_hoc_query("x ="))
    assert wrong.response.status_code == 400

    # Policies come from resources, and the client hears why.
    deleted = fails(DeletePolicyError, lambda: client.delete_policy("tasks/authz@1.0/policy.rego"))
    assert deleted.expression == "REQUEST.METHOD_NOT_ALLOWED"
    assert "policies come from resources" in deleted.message
    assert fails(DeleteDataError, lambda: client.delete_data("tasks")).message
    patch = [{"op": "add", "path": "/x", "value": 1}]
    assert fails(PatchDataError, lambda: client.patch_data("tasks", patch)).message
    fails(Exception, lambda: client.update_policy_from_string("package x", "mine.rego"))
    fails(Exception, lambda: client.update_or_create_data({"x": 1}, "mine"))

    # A lock is neither an answer nor the lack of one.
    send("POST", "/policy/tasks/authz/1.0/lock")
    for call in (
        lambda: client.query_rule(ANN, "tasks.authz", "allow"),
        lambda: client.query_rule(ANN, "tasks.authz", "never"),
        lambda: client.ad_hoc_query("not data.tasks.authz.allow"),
        lambda: client.bulk_query_rule([ANN], "tasks.authz", "allow"),
    ):
        locked = fails(requests.HTTPError, call).response
        assert locked.status_code == 403
        assert locked.json()["code"] == "POLICY.LOCKED"
    assert fails(PolicyNotFoundError, lambda: client.get_data("tasks/authz")).expression == "POLICY.LOCKED"
    send("DELETE", "/policy/tasks/authz/1.0/lock")
    assert client.query_rule(ANN, "tasks.authz", "allow")["result"] is True


async def asks_asynchronously():
    async with AsyncOpaClient(host=HOST, port=PORT, timeout=60) as client:
        assert await client.check_health()
        asked = await client.query_rule(ANN, "tasks.authz", "allow")
        assert asked["result"] is True
        many = await client.bulk_query_rule([ANN, BOB], "tasks.authz", "allow")
        assert many == [True, False]


with OpaClient(host=HOST, port=PORT, timeout=60) as opa:
    asks(opa)
asyncio.run(asks_asynchronously())
print("done")
