# METADATA
# title: Resolve a decentralised identifier
# description: |
#   Answers what a DID leads to, without asking the network: `{"did": "did:jwk:…"}` is answered with the DID document
#   that the identifier itself holds, `{"did": "did:web:example.com"}` with the URL at which its document is published.
#   A DID that is malformed, or of a method that needs a registry, is refused, and so is one that gives a private key
#   away.
package gaiax.didresolve

default allow := false

allow if {
	count(deny) == 0
	count(resolved) > 0
}

deny contains {
	"msg": "the input has no DID",
	"code": "DID.MALFORMED",
	"severity": "high",
	"path": "did",
	"remedy": "send {did: \"did:method:identifier\"}",
} if {
	count([did | did := input.did; is_did(did)]) == 0
}

deny contains {
	"msg": sprintf("the method of %v is not supported", [input.did]),
	"code": "DID.METHOD_NOT_SUPPORTED",
	"severity": "high",
	"path": "did",
	"remedy": "use did:web or did:jwk",
} if {
	is_did(input.did)
	method := split(input.did, ":")[1]
	not method in {"jwk", "web"}
}

deny contains {
	"msg": sprintf("%v is not an identifier of its method", [input.did]),
	"code": "DID.INVALID_IDENTIFIER",
	"severity": "high",
	"path": "did",
	"remedy": "write did:web:host%3Aport:path, or did:jwk: and a public key in base64url",
} if {
	is_did(input.did)
	method := split(input.did, ":")[1]
	method in {"jwk", "web"}
	count(resolved) == 0
}

deny contains {
	"msg": "the key holds its private part",
	"code": "DID.PRIVATE_KEY",
	"severity": "critical",
	"path": "did",
	"remedy": "replace the key, which is known now, and publish the public part of the new one only",
} if {
	jwk := key_of(input.did)
	private := {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
	count(private & object.keys(jwk)) > 0
}

# What the DID leads to: `{"document": …}` or `{"url": …}`, or nothing.
default resolved := {}

resolved := {"document": document(input.did, key_of(input.did))}

resolved := {"url": sprintf("https://%v/%v", [host, path])} if {
	is_did(input.did)
	identifier := trim_prefix(input.did, "did:web:")
	identifier != input.did
	segments := split(identifier, ":")
	regex.match(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(%3[Aa][0-9]{1,5})?$`, segments[0])
	every segment in segments {
		regex.match(`^([A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+$`, segment)
		not regex.replace(segment, `%2[Ee]`, ".") in {".", ".."}
	}
	host := lower(regex.replace(segments[0], `%3[Aa]`, ":"))
	path := concat("/", array.concat(directory(segments), ["did.json"]))
}

directory(segments) := array.slice(segments, 1, count(segments)) if {
	count(segments) > 1
} else := [".well-known"]

is_did(did) if regex.match(`^did:[a-z0-9]+:[A-Za-z0-9._:%-]*[A-Za-z0-9._%-]$`, did)

# The key in a did:jwk. Undefined for everything else.
key_of(did) := jwk if {
	startswith(did, "did:jwk:")
	jwk := json.unmarshal(base64url.decode(trim_prefix(did, "did:jwk:")))
	is_object(jwk)
	jwk.kty in {"EC", "OKP", "RSA"}
}

document(did, jwk) := object.union(uses(jwk, sprintf("%v#0", [did])), {
	"@context": ["https://www.w3.org/ns/did/v1", "https://w3id.org/security/suites/jws-2020/v1"],
	"id": did,
	"verificationMethod": [{
		"id": sprintf("%v#0", [did]),
		"type": "JsonWebKey2020",
		"controller": did,
		"publicKeyJwk": jwk,
	}],
})

# A key that says what it is for is for nothing else.
uses(jwk, id) := {purpose: [id] |
	some purpose in ["assertionMethod", "authentication", "capabilityInvocation", "capabilityDelegation", "keyAgreement"]
	not is_excluded(purpose, object.get(jwk, "use", ""))
}

is_excluded(purpose, "sig") if purpose == "keyAgreement"

is_excluded(purpose, "enc") if purpose != "keyAgreement"
