package system.health

import rego.v1

live := true

ready if input.plugins_ready
