// What services do with OPA's client for Node, asked of the server whose URL is given.
import assert from "node:assert/strict";
import { OPAClient } from "@open-policy-agent/opa";
import { OpaApiClient } from "@open-policy-agent/opa/sdk/index.js";
import { ClientError, SDKError, ServerError } from "@open-policy-agent/opa/sdk/models/errors";

const url = process.argv[2];
const opa = new OPAClient(url);
const ann = { user: "ann" };

// A rule, with an input and without, and what a service makes of it.
assert.equal(await opa.evaluate("tasks/authz/allow", ann), true);
assert.equal(await opa.evaluate("tasks/authz/allow", { user: "bob" }), false);
assert.equal(await opa.evaluate("tasks/authz/allow"), false);
const fromResult = (result) => result.allow;
assert.equal(await opa.evaluate("tasks/authz", ann, { fromResult }), true);
class Caller {
  toInput() {
    return ann;
  }
}
assert.equal(await opa.evaluate("tasks/authz/greeting", new Caller()), "hello ann");
assert.deepEqual(await opa.evaluate("tasks/limits/table/one/two/three/1"), { four: 4 });

// What is undefined, or does not exist.
assert.equal(await opa.evaluate("tasks/authz/never", ann), undefined);
assert.equal(await opa.evaluate("unknown/policy"), undefined);

// The default decision.
assert.deepEqual(await opa.evaluateDefault(ann), { allow: true, user: "ann" });

// Many inputs: there is no such route, and the client asks for one after the other.
const many = await opa.evaluateBatch(
  "tasks/authz/allow",
  { one: ann, two: { user: "bob" } },
  { fallback: true },
);
assert.deepEqual(many, { one: true, two: false });

// Parameters and answers of the API itself.
const api = new OpaApiClient({ serverURL: url });
const asked = await api.executePolicyWithInput({
  path: "tasks/authz/allow",
  requestBody: { input: ann },
  metrics: true,
  provenance: true,
  pretty: true,
});
const answer = asked.successfulPolicyResponse;
assert.equal(answer.result, true);
assert.equal(answer.decisionId.length, 36);
assert.ok(answer.metrics.timer_server_handler_ns > 0);
assert.ok(answer.provenance.bundles["tasks/authz@1.0"].revision.startsWith("sha256:"));
assert.ok(await api.health());
assert.ok(await api.health(true, true));

// What fails, fails.
const failing = opa.evaluate("tasks/authz/conflict", { conflict: true });
await assert.rejects(failing, (error) => {
  assert.ok(error instanceof ServerError, error);
  assert.equal(error.code, "internal_error");
  assert.equal(error.errors[0].code, "eval_conflict_error");
  return true;
});
await assert.rejects(opa.evaluate('tasks/"authz"', ann), (error) => {
  assert.ok(error instanceof ClientError, error);
  assert.equal(error.code, "invalid_parameter");
  return true;
});

// A lock is neither an answer nor the lack of one.
const lock = `${url}/policy/tasks/authz/1.0/lock`;
assert.equal((await fetch(lock, { method: "POST" })).status, 200);
for (const path of ["tasks/authz/allow", "tasks/authz/never", "tasks"]) {
  const error = await opa.evaluate(path, ann).then(assert.fail, (error) => error);
  assert.ok(error instanceof SDKError, error);
  assert.equal(error.httpMeta.response.status, 403);
}
assert.equal((await fetch(lock, { method: "DELETE" })).status, 200);
assert.equal(await opa.evaluate("tasks/authz/allow", ann), true);
console.log("done");
