package words.text

html := "<b>a & b</b>"

letters := "grüße, 世界, 🎉"

lines := "a\nb\tc\\d\"e\u0000\u007f\u2028"

keys := {"": 1, "a b": 2, "a/b": 3, "<k>": 4, "é": 5, "1": 6, "x-y": 7}

long := concat("", [part | some i in numbers.range(1, 300); part := sprintf("%d,", [i])])

short := substring(long, 0, 900)

echo := input

shorthand := 1e3 if input == "shorthand"
