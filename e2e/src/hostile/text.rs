//! Sections of an entry: lines, and directives for what would be too long to write down.
//!
//! ```text
//! @text "no line break behind this"
//! @repeat 1000000 "a"                 the text so many times
//! @count 3 "a{+} := a{} "             a1 := a0 a2 := a1 a3 := a2
//! @nest 5000 "[" "]" "1"              so many of the first, the third, so many of the second
//! @bytes ff fe 00                     bytes, which need not be text
//! @archive bomb.json 4294967296       a `.tar.gz` of one file with so many noughts
//! ```
//!
//! Texts are JSON strings. A directive ends without a line break, any other line with one.

use anyhow::{Context, Result, bail, ensure};

use super::archive;

/// Most bytes that a section may come to: what the largest directory may have, and some.
const LARGEST: usize = 512 << 20;

/// The bytes of a section.
pub fn expand(section: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for line in section.lines() {
        if let Some(directive) = line.strip_prefix('@') {
            let (name, rest) = directive.split_once(' ').unwrap_or((directive, ""));
            obey(name, rest, &mut bytes).with_context(|| format!("in `{line}`"))?;
        } else {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        ensure!(bytes.len() <= LARGEST, "a section is too large");
    }
    Ok(bytes)
}

fn obey(name: &str, rest: &str, bytes: &mut Vec<u8>) -> Result<()> {
    match name {
        "text" => {
            let [text] = texts(rest)?;
            bytes.extend_from_slice(text.as_bytes());
        }
        "repeat" => {
            let (count, rest) = number(rest)?;
            let [text] = texts(rest)?;
            ensure!(count.saturating_mul(text.len()) <= LARGEST, "too much");
            bytes.extend(text.repeat(count).into_bytes());
        }
        "count" => {
            let (count, rest) = number(rest)?;
            let [text] = texts(rest)?;
            for number in 0..count {
                let next = text.replace("{+}", &(number + 1).to_string());
                bytes.extend(next.replace("{}", &number.to_string()).into_bytes());
                ensure!(bytes.len() <= LARGEST, "too much");
            }
        }
        "nest" => {
            let (count, rest) = number(rest)?;
            let [open, close, inner] = texts(rest)?;
            let length = count.saturating_mul(open.len() + close.len());
            ensure!(length <= LARGEST, "too much");
            bytes.extend(open.repeat(count).into_bytes());
            bytes.extend_from_slice(inner.as_bytes());
            bytes.extend(close.repeat(count).into_bytes());
        }
        "bytes" => {
            for byte in rest.split_whitespace() {
                bytes.push(u8::from_str_radix(byte, 16).context("not two hexadecimal digits")?);
            }
        }
        "archive" => {
            let (file, size) = rest.split_once(' ').context("no size")?;
            bytes.extend(archive::of_noughts(file, size.parse()?));
        }
        other => bail!("there is no directive `{other}`"),
    }
    Ok(())
}

fn number(rest: &str) -> Result<(usize, &str)> {
    let (number, rest) = rest.split_once(' ').context("no text")?;
    Ok((number.parse().context("not a number")?, rest))
}

/// So many JSON strings, one after the other.
fn texts<const N: usize>(rest: &str) -> Result<[String; N]> {
    let texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let texts: Vec<String> = texts.collect::<Result<_, _>>()?;
    let count = texts.len();
    let texts = <[String; N]>::try_from(texts).ok();
    texts.with_context(|| format!("{count} texts and not {N}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_stand_for_what_is_long() {
        let cases: [(&str, &[u8]); 7] = [
            ("a\n\nb", b"a\n\nb\n"),
            ("@text \"a\\u0000\"\nb", b"a\0b\n"),
            ("@repeat 3 \"ab\"", b"ababab"),
            ("@count 2 \"x{+}={};\"", b"x1=0;x2=1;"),
            ("@nest 2 \"[\" \"]\" \"1\"", b"[[1]]"),
            ("@nest 2 \"(\" \")\" \"\"\n@text \"!\"", b"(())!"),
            ("@bytes ff 00", b"\xff\0"),
        ];
        for (section, expected) in cases {
            assert_eq!(expand(section).unwrap(), expected, "{section}");
        }
    }

    #[test]
    fn what_is_no_directive_is_told() {
        for section in [
            "@nothing",
            "@repeat 3",
            "@repeat x \"a\"",
            "@repeat 3 a",
            "@repeat 3 \"a\" \"b\"",
            "@repeat 1000000000 \"a\"",
            "@bytes 1g",
        ] {
            let error = expand(section).unwrap_err();
            assert!(format!("{error:#}").starts_with("in `@"), "{error:#}");
        }
    }
}
