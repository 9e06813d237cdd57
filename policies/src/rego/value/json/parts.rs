//! The parts of a document as they are written, for who has to know what comes twice, or what follows.

use super::scan::{Fault, Scanner};

/// What a document is made of.
#[derive(Debug)]
pub enum Parts<'t> {
    /// The members of an object, in their order, each as often as it is written.
    Members(Vec<(String, &'t [u8])>),
    /// The elements of an array.
    Elements(Vec<&'t [u8]>),
    /// It has none.
    None,
}

/// The parts of the value that a text begins with, and whether nothing follows it.
pub fn parts(text: &[u8]) -> Result<(Parts<'_>, bool), Fault> {
    let mut scanner = Scanner::new(text);
    let parts = match scanner.peek() {
        Some(b'{') => {
            scanner.open()?;
            let mut members = Vec::new();
            let mut more = !scanner.take(b'}');
            while more {
                let key = scanner.key()?.text().into_owned();
                members.push((key, scanner.written()?));
                more = scanner.more(b'}')?;
            }
            Parts::Members(members)
        }
        Some(b'[') => {
            scanner.open()?;
            let mut elements = Vec::new();
            let mut more = !scanner.take(b']');
            while more {
                elements.push(scanner.written()?);
                more = scanner.more(b']')?;
            }
            Parts::Elements(elements)
        }
        _ => {
            scanner.skip()?;
            Parts::None
        }
    };
    Ok((parts, scanner.end().is_ok()))
}
