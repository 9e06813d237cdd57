//! What is wrong with a document, and where.

use std::collections::BTreeMap;

use super::{Context, Result};
use crate::rego::value::Value;

/// The document as a whole.
pub(super) const ROOT: &str = "(Root)";

/// What is wrong with a part of a document.
#[derive(Debug, Clone)]
pub(super) struct Error {
    kind: &'static str,
    /// The names and indices that lead to the part.
    field: String,
    description: String,
}

impl From<Error> for Value {
    fn from(error: Error) -> Self {
        let whole = format!("{}: {}", error.field, error.description);
        let members = [
            ("error", whole),
            ("type", error.kind.to_owned()),
            ("field", error.field),
            ("desc", error.description),
        ];
        let members = members.map(|(name, text)| (Self::from(name), Self::from(text)));
        BTreeMap::from(members).into()
    }
}

/// What was found so far. Of several schemas none of which holds, the errors of that with the
/// highest score are told.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) errors: Vec<Error>,
    pub(super) score: i64,
}

impl Outcome {
    /// Adds an error. Its texts are accounted for: names are as long as those who ask make them.
    pub(super) fn add(
        &mut self,
        context: &mut Context<'_, '_>,
        kind: &'static str,
        place: &Place<'_>,
        description: impl Into<String>,
    ) -> Result<()> {
        let description = description.into();
        let field = place.field();
        context.charge_members(4)?;
        context.charge_bytes(2 * (field.len() + description.len()))?;
        self.errors.push(Error {
            kind,
            field,
            description,
        });
        self.score -= 2;
        Ok(())
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.score += other.score;
    }

    pub(super) fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }
}

/// Where a part of the document is: below another one, under a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p>(pub(super) Option<&'p Place<'p>>, pub(super) &'p str);

impl Place<'_> {
    fn path(&self) -> String {
        match self.0 {
            Some(above) => format!("{}.{}", above.path(), self.1),
            None => self.1.to_owned(),
        }
    }

    pub(super) fn field(&self) -> String {
        let path = self.path();
        match path.strip_prefix("(Root).") {
            Some(field) => field.to_owned(),
            None => path,
        }
    }
}
