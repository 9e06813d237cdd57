package lib.network_test

import data.lib.network

private := ["10.0.0.0/8", "192.168.1.1", "fd00::/8"]

test_addresses_that_are_in if {
	every address in [
		"10.0.0.0",
		"10.255.255.255",
		"10.1.0.0/16",
		"10.0.0.0/8",
		"192.168.1.1",
		"192.168.1.1/32",
		"fd00::1",
		"FD12:0::1",
		"fd00::/64",
		"::ffff:10.0.0.1",
	] {
		network.is_in(address, private)
	}
	network.is_in("8.8.8.8", {"0.0.0.0/0"})
	network.is_in("::1", ["::1"])
}

test_addresses_that_are_not if {
	every address in [
		"11.0.0.0",
		"9.255.255.255",
		"0.0.0.0/0",
		"10.0.0.0/7",
		"192.168.1.2",
		"192.168.1.0/24",
		"fc00::1",
		"::/0",
		"fe80::1",
	] {
		network.is_in(address, private) == false
		network.is_valid(address)
	}
	network.is_in("10.0.0.1", []) == false
	network.is_in("10.0.0.1", "10.0.0.0/8") == false
	network.is_in("10.0.0.1", null) == false
}

test_what_is_no_address if {
	every address in [
		"",
		"/",
		"10",
		"10.0.0",
		"10.0.0.256",
		"010.0.0.1",
		"10.0.0.1 ",
		"10.0.0.1/33",
		"10.0.0.1/",
		"10.0.0.1/8/8",
		"10.0.0.1:80",
		"[::1]",
		"fe80::1%eth0",
		"localhost",
		1,
		null,
		["10.0.0.1"],
	] {
		network.is_valid(address) == false
		network.is_in(address, ["0.0.0.0/0", "::/0"]) == false
		network.is_in("10.0.0.1", [address]) == false
		network.overlaps(address, ["0.0.0.0/0", "::/0"]) == false
	}
	network.is_in("10.0.0.1", ["nonsense", "10.0.0.0/8"])
}

test_networks_that_share_a_part if {
	network.overlaps("10.0.0.0/7", private)
	network.overlaps("0.0.0.0/0", private)
	network.overlaps("10.1.2.3", private)
	network.overlaps("192.168.1.0/24", private)
	network.overlaps("11.0.0.0/8", private) == false
	network.overlaps("2001:db8::/32", private) == false
}

test_ports_that_are_in if {
	ports := [22, "443", "8000-8080"]
	every port in [22, "22", "22-22", 443, "443", 8000, "8080", "8000-8080", "8010-8020", 22.0] {
		network.is_port_in(port, ports)
		network.is_port_in(port, {port | some port in ports})
	}
}

test_ports_that_are_not if {
	ports := [22, "443", "8000-8080"]
	every port in [23, "442", 7999, 8081, "8000-8081", "7999-8080", "22-443", "1-65535"] {
		network.is_port_in(port, ports) == false
		network.is_valid_port(port)
	}
	network.is_port_in(22, []) == false
	network.is_port_in(22, 22) == false
	network.is_port_in(22, null) == false
}

test_what_is_no_port if {
	every port in [
		0,
		-1,
		65536,
		80.5,
		"",
		"0",
		"-1",
		"080",
		"65536",
		"80-",
		"-80",
		"80-79",
		"80 - 90",
		"80-90\n",
		"80-90-100",
		"http",
		"80,90",
		"٨",
		null,
		[80],
		{},
	] {
		network.is_valid_port(port) == false
		network.is_port_in(port, ["1-65535"]) == false
		network.is_port_in(80, [port]) == false
	}
}

test_ranges if {
	network.port_range(80) == {"first": 80, "last": 80}
	network.port_range("80") == {"first": 80, "last": 80}
	network.port_range("8000-8080") == {"first": 8000, "last": 8080}
	network.port_range("1-65535") == {"first": 1, "last": 65535}
	not network.port_range("80-79")
}
