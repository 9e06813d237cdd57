package system.health

live if input.plugins_ready

ready if is_object(input.plugin_state)

odd := 1

text := "true"

no := false

never if input.x
