# METADATA
# title: Addresses and ports
# description: |
#   Whether an address or a network is in one of several networks, and whether a port or a range of ports is among others.
#
#   What cannot be read is in nothing, and nothing is in it. Where networks or ports say what is refused, a policy also
#   refuses what `not network.is_valid(address)` or `not network.is_valid_port(port)`.
package lib.network

# METADATA
# scope: document
# title: Whether an address is in one of several networks
# description: |
#   An address of IPv4 or IPv6, or a network in CIDR's notation that has to be inside as a whole. The networks are an
#   array or a set; an address among them is a network of its own.
default is_in(_, _) := false

is_in(address, networks) if {
	inner := cidr(address)
	some network in networks
	net.cidr_contains(cidr(network), inner)
}

# METADATA
# scope: document
# title: Whether an address shares a part with one of several networks
# description: What `is_in` says, and also whether one of the networks is within the address, which is one, too.
default overlaps(_, _) := false

overlaps(address, networks) if is_in(address, networks)

overlaps(address, networks) if {
	some network in networks
	is_in(network, [address])
}

# METADATA
# scope: document
# title: Whether a value is an address or a network
default is_valid(_) := false

is_valid(address) if cidr(address)

# METADATA
# scope: document
# title: Whether a port is among others
# description: |
#   Ports are numbers, texts (`"8080"`) or ranges (`"8000-8080"`), from 1 to 65535. A range has to be inside of one of the
#   others as a whole. The ports are an array or a set.
default is_port_in(_, _) := false

is_port_in(port, ports) if {
	inner := port_range(port)
	some other in ports
	outer := port_range(other)
	outer.first <= inner.first
	inner.last <= outer.last
}

# METADATA
# scope: document
# title: The first and the last port of a range
# description: |
#   `{"first": 8000, "last": 8080}` for `"8000-8080"`; of a single port, both are that. Undefined for what is no port and
#   no range.
port_range(port) := {"first": port, "last": port} if is_port(port)

port_range(text) := {"first": first, "last": last} if {
	[_, from, to] := regex.find_all_string_submatch_n(`\A([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?\z`, text, 1)[0]
	first := to_number(from)
	last := to_number(defaulted(to, from))
	is_port(first)
	is_port(last)
	first <= last
}

# METADATA
# scope: document
# title: Whether a value is a port or a range of ports
default is_valid_port(_) := false

is_valid_port(port) if port_range(port)

cidr(text) := text if {
	contains(text, "/")
	net.cidr_is_valid(text)
}

cidr(text) := network if {
	not contains(text, "/")
	network := sprintf("%s/%d", [text, bits(text)])
	net.cidr_is_valid(network)
}

bits(address) := 128 if {
	contains(address, ":")
} else := 32

is_port(port) if {
	is_number(port)
	port == floor(port)
	port >= 1
	port <= 65535
}

defaulted("", default_text) := default_text

defaulted(given, _) := given if given != ""
