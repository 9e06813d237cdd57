package gaiax.didresolve_test

import data.gaiax.didresolve

key := {"kty": "EC", "crv": "P-256", "x": "acbIQiuMs3i8_uszEjJ2tpTtRM4EU3yz91PH6CdH2V0", "y": "_KcyLj9vWMptnmKtm46GqDz8wf74I5LKgrl2GzH3nSE"}

jwk(content) := sprintf("did:jwk:%v", [base64url.encode_no_pad(content)])

answer(asked) := found if found := didresolve with input as asked

codes(did) := {denial.code | some denial in answer({"did": did}).deny}

test_where_the_document_of_a_did_web_is if {
	cases := {
		"did:web:example.com": "https://example.com/.well-known/did.json",
		"did:web:Example.COM": "https://example.com/.well-known/did.json",
		"did:web:example.com%3A8443": "https://example.com:8443/.well-known/did.json",
		"did:web:example.com%3a8443:a": "https://example.com:8443/a/did.json",
		"did:web:example.com:user:alice": "https://example.com/user/alice/did.json",
		"did:web:example.com:a%20b": "https://example.com/a%20b/did.json",
		"did:web:localhost": "https://localhost/.well-known/did.json",
	}
	{did |
		some did, url in cases
		answer({"did": did}) != {"allow": true, "deny": set(), "resolved": {"url": url}}
	} == set()
}

test_the_document_of_a_did_jwk if {
	did := jwk(json.marshal(key))
	id := sprintf("%v#0", [did])
	answer({"did": did}) == {"allow": true, "deny": set(), "resolved": {"document": {
		"@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"],
		"id": did,
		"verificationMethod": [{
			"id": id,
			"type": "JsonWebKey2020",
			"controller": did,
			"publicKeyJwk": key,
		}],
		"assertionMethod": [id],
		"authentication": [id],
		"capabilityInvocation": [id],
		"capabilityDelegation": [id],
		"keyAgreement": [id],
	}}}
}

test_what_a_key_may_be_used_for if {
	signing := answer({"did": jwk(json.marshal(object.union(key, {"use": "sig"})))}).resolved.document
	not signing.keyAgreement
	count(signing.assertionMethod) == 1
	encrypting := answer({"did": jwk(json.marshal(object.union(key, {"use": "enc"})))}).resolved.document
	count(encrypting.keyAgreement) == 1
	not encrypting.assertionMethod
	not encrypting.authentication
	not encrypting.capabilityInvocation
	not encrypting.capabilityDelegation
}

test_private_keys_are_refused if {
	every member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
		got := answer({"did": jwk(json.marshal(object.union(key, {member: "x"})))})
		got.allow == false
		{denial.code | some denial in got.deny} == {"DID.PRIVATE_KEY"}
	}
}

test_what_is_no_did if {
	texts := [
		"",
		"did",
		"did:",
		"did:web",
		"did:web:",
		"did:WEB:example.com",
		"DID:web:example.com",
		" did:web:example.com",
		"did:web:example.com ",
		"did:web:example.com\n",
		"did:web:example.com/path",
		"did:web:example.com?query",
		"did:web:example.com#fragment",
		"did:web:user@example.com",
		"did:web:example.com:",
		"did:web:exämple.com",
		"https://example.com",
		null,
		7,
		true,
		["did:web:example.com"],
		{"did": "did:web:example.com"},
	]
	{text | some text in texts; codes(text) != {"DID.MALFORMED"}} == set()
}

test_identifiers_that_lead_nowhere if {
	texts := [
		"did:web:example.com:..:secret",
		"did:web:example.com:.",
		"did:web:example.com:%2e%2E:secret",
		"did:web:..",
		"did:web:-",
		"did:web:example.com::a",
		"did:web::example.com",
		"did:web:example.com%2Fpath",
		"did:web:example.com%3A",
		"did:web:example.com%3A123456",
		"did:web:example.com:%2",
		"did:web:example.com:%zz",
		"did:jwk:not-base64-%",
		"did:jwk:x",
		jwk("no json"),
		jwk("[]"),
		jwk("null"),
		jwk("{}"),
		jwk(`{"kty": "oct"}`),
		jwk(`{"kty": null}`),
	]
	{text | some text in texts; codes(text) != {"DID.INVALID_IDENTIFIER"}} == set()
}

test_other_methods_are_not_supported if {
	every did in ["did:key:z6Mk", "did:ebsi:x", "did:jwk2:x", "did:webs:example.com"] {
		codes(did) == {"DID.METHOD_NOT_SUPPORTED"}
	}
}

test_what_is_refused_leads_nowhere if {
	every did in ["did:key:z6Mk", "did:web:..", "x"] {
		got := answer({"did": did})
		got.allow == false
		got.resolved == {}
	}
}

test_every_message_is_whole if {
	every did in ["x", "did:key:z", "did:web:..", jwk(json.marshal(object.union(key, {"d": "x"})))] {
		count(answer({"did": did}).deny) == 1
		every denial in answer({"did": did}).deny {
			denial.msg != ""
			denial.remedy != ""
			denial.path == "did"
			denial.severity in {"critical", "high"}
		}
	}
}

test_an_input_of_another_shape_is_refused if {
	didresolve.allow == false
	{denial.code | some denial in didresolve.deny} == {"DID.MALFORMED"}
	every asked in [null, [], "did:web:example.com", {}, 7] {
		answer(asked).allow == false
		{denial.code | some denial in answer(asked).deny} == {"DID.MALFORMED"}
	}
}
