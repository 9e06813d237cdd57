package quiet.none

allow if input.never == "so"
