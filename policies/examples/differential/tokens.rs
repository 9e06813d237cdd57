//! Sources as tokens, for whoever changes them.

/// The tokens of a source, white space and comments included: together they are the source.
pub(crate) fn split(source: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while !rest.is_empty() {
        let (token, after) = rest.split_at(length(rest));
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// Whether a token means nothing.
pub(crate) fn is_blank(token: &str) -> bool {
    token.trim().is_empty()
}

fn length(text: &str) -> usize {
    let while_in = |start: usize, belongs: fn(char) -> bool| {
        let rest = &text[start..];
        start + rest.find(|c: char| !belongs(c)).unwrap_or(rest.len())
    };
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let first = text.chars().next().unwrap_or_default();
    match first {
        '"' => quoted(text, 0),
        '$' if text[1..].starts_with('"') => quoted(text, 1),
        '`' => raw(text, 0),
        '$' if text[1..].starts_with('`') => raw(text, 1),
        '#' => text.find('\n').unwrap_or(text.len()),
        '\n' => 1,
        c if c.is_whitespace() => while_in(c.len_utf8(), |c| c.is_whitespace() && c != '\n'),
        c if c.is_ascii_digit() => while_in(1, |c| c.is_ascii_alphanumeric() || c == '.'),
        c if is_name(c) => while_in(c.len_utf8(), |c| c.is_alphanumeric() || c == '_'),
        c => {
            let pairs = [":=", "==", "!=", "<=", ">="];
            match pairs.iter().find(|pair| text.starts_with(**pair)) {
                Some(pair) => pair.len(),
                None => c.len_utf8(),
            }
        }
    }
}

fn quoted(text: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(start + 1) {
        match byte {
            b'\n' => return at,
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn raw(text: &str, start: usize) -> usize {
    let inside = &text[start + 1..];
    inside
        .find('`')
        .map_or(text.len(), |end| start + 1 + end + 1)
}

/// Where the bracket at an index, if it is one, is closed: the index of the closing one.
pub(crate) fn closing(tokens: &[&str], open: usize) -> Option<usize> {
    if !["(", "[", "{"].contains(&tokens[open]) {
        return None;
    }
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match *token {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}
