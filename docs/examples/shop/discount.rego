package shop.discount

default allow := false

allow if count(deny) == 0

deny contains sprintf("%d%% is more than %d%%", [input.percent, limit]) if input.percent > limit

limit := data.limits[input.role]
