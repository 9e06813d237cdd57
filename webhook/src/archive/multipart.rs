//! The file of a form (RFC 7578), as `curl -F file=@bundle.zip` sends it.
//!
//! The whole body is there and bounded, so that it is looked through and not parsed as it comes.

use axum::body::Bytes;

/// The archive in a body: the body itself, or the only file of a form. An error is a sentence.
pub(super) fn archive(content_type: Option<&str>, body: &Bytes) -> Result<Bytes, &'static str> {
    let Some(boundary) = content_type.and_then(boundary) else {
        return Ok(body.clone());
    };
    let first = format!("--{boundary}");
    let between = format!("\r\n--{boundary}");
    // What stands before the first boundary is for people.
    let start = if body.starts_with(first.as_bytes()) {
        first.len()
    } else {
        find(body, between.as_bytes()).ok_or("the form has no part")? + between.len()
    };
    let mut rest = body.slice(start..);
    let mut file = None;
    while !rest.starts_with(b"--") {
        let head = find(&rest, b"\r\n\r\n").ok_or("a part of the form has no end of its head")?;
        let content = rest.slice(head + 4..);
        let end = find(&content, between.as_bytes()).ok_or("the form is cut short")?;
        if file.replace(content.slice(..end)).is_some() {
            return Err("the form has more than one part: send the archive alone");
        }
        rest = content.slice(end + between.len()..);
    }
    file.ok_or("the form has no part")
}

/// The boundary of `multipart/form-data; boundary=…`, with quotes or without.
fn boundary(content_type: &str) -> Option<&str> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("boundary")
            .then_some(value.trim())
    })?;
    let value = value.trim_matches('"');
    // At most 70 characters, of RFC 2046.
    (1..=70).contains(&value.len()).then_some(value)
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    // A first byte that fits is rare, so this is as fast as the archive is long.
    bytes.windows(part.len()).position(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const FORM: &str = "multipart/form-data; boundary=xyz";

    fn part(content: &str) -> String {
        let head = "content-disposition: form-data; name=\"file\"; filename=\"b.zip\"";
        format!("--xyz\r\n{head}\r\ncontent-type: application/zip\r\n\r\n{content}\r\n")
    }

    #[rstest]
    #[case(None, "PK".to_owned(), Ok("PK"))]
    #[case(Some("application/zip"), "PK".to_owned(), Ok("PK"))]
    #[case(Some("application/x-www-form-urlencoded"), "PK".to_owned(), Ok("PK"))]
    #[case(Some(FORM), format!("{}--xyz--\r\n", part("P\r\n\r\n--xy\r\nK")), Ok("P\r\n\r\n--xy\r\nK"))]
    #[case(Some("Multipart/Form-Data; charset=x; Boundary=\"xyz\""), format!("{}--xyz--", part("")), Ok(""))]
    #[case(Some(FORM), format!("for people\r\n{}--xyz--", part("PK")), Ok("PK"))]
    #[case(Some(FORM), format!("{}{}--xyz--", part("PK"), part("PK")), Err(()))]
    #[case(Some(FORM), part("PK"), Err(()))]
    #[case(Some(FORM), "--xyz\r\n".to_owned(), Err(()))]
    #[case(Some(FORM), "--xyz--\r\n".to_owned(), Err(()))]
    #[case(Some(FORM), String::new(), Err(()))]
    fn the_archive_of_a_body(
        #[case] content_type: Option<&str>,
        #[case] body: String,
        #[case] expected: Result<&str, ()>,
    ) {
        let found = archive(content_type, &Bytes::from(body)).map_err(|_| ());
        assert_eq!(found, expected.map(|text| Bytes::from(text.to_owned())));
    }
}
