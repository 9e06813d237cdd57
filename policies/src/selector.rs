//! Label selectors, with Kubernetes' meaning.

use std::collections::BTreeMap;

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// Selects objects by their labels. All parts must hold; an empty selector selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelSelector {
    /// Labels that an object has with exactly these values.
    pub match_labels: Labels,
    /// What else must hold.
    pub match_expressions: Vec<Requirement>,
}

/// One condition on a label.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Requirement {
    /// The object has the label with one of the values.
    In(String, Vec<String>),
    /// The object lacks the label, or has it with another value.
    NotIn(String, Vec<String>),
    /// The object has the label.
    Exists(String),
    /// The object lacks the label.
    DoesNotExist(String),
}

impl LabelSelector {
    /// Whether it says nothing, and so selects everything.
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether it selects an object with these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
            && self
                .match_expressions
                .iter()
                .all(|requirement| requirement.holds(labels))
    }
}

impl Requirement {
    /// The label that it is about.
    pub fn key(&self) -> &str {
        match self {
            Self::In(key, _)
            | Self::NotIn(key, _)
            | Self::Exists(key)
            | Self::DoesNotExist(key) => key,
        }
    }

    fn holds(&self, labels: &Labels) -> bool {
        match self {
            Self::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
            Self::NotIn(key, values) => labels.get(key).is_none_or(|value| !values.contains(value)),
            Self::Exists(key) => labels.contains_key(key),
            Self::DoesNotExist(key) => !labels.contains_key(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn require(requirement: Requirement) -> LabelSelector {
        LabelSelector {
            match_expressions: vec![requirement],
            ..LabelSelector::default()
        }
    }

    fn values(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[rstest]
    #[case(LabelSelector::default(), &[], true)]
    #[case(LabelSelector { match_labels: labels(&[("a", "1")]), ..Default::default() }, &[("a", "1"), ("b", "2")], true)]
    #[case(LabelSelector { match_labels: labels(&[("a", "1")]), ..Default::default() }, &[("a", "2")], false)]
    #[case(LabelSelector { match_labels: labels(&[("a", "1")]), ..Default::default() }, &[], false)]
    #[case(require(Requirement::In("a".into(), values(&["1", "2"]))), &[("a", "2")], true)]
    #[case(require(Requirement::In("a".into(), values(&["1"]))), &[], false)]
    #[case(require(Requirement::NotIn("a".into(), values(&["1"]))), &[], true)]
    #[case(require(Requirement::NotIn("a".into(), values(&["1"]))), &[("a", "1")], false)]
    #[case(require(Requirement::Exists("a".into())), &[("a", "")], true)]
    #[case(require(Requirement::Exists("a".into())), &[], false)]
    #[case(require(Requirement::DoesNotExist("a".into())), &[("b", "")], true)]
    #[case(require(Requirement::DoesNotExist("a".into())), &[("a", "")], false)]
    fn selects(
        #[case] selector: LabelSelector,
        #[case] pairs: &[(&str, &str)],
        #[case] expected: bool,
    ) {
        assert_eq!(selector.matches(&labels(pairs)), expected);
    }
}
