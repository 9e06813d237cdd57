//! Which requests an exemption is for.

use super::images;
use crate::{
    Condition, Document, LabelSelector, ResourceRule, Subject,
    matching::{ObjectLabels, glob},
    rego::{
        plan::access::Access,
        value::{self, Value},
    },
};

/// Requests; all that is said has to hold of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExemptedObjects {
    /// One of these covers it; without any, whatever it is.
    pub rules: Vec<ResourceRule>,
    /// It selects the object as it will be, and in a deletion as it is.
    pub labels: LabelSelector,
    /// Patterns, one of which matches each image of the object; without any, whatever they are.
    pub images: Vec<String>,
    /// Names and patterns, one of which matches the user, unless one of `groups` does.
    pub users: Vec<String>,
    /// Names and patterns, one of which matches a group of the user, unless one of `users` does.
    pub groups: Vec<String>,
    /// All of these are true.
    pub conditions: Vec<Condition>,
}

impl ExemptedObjects {
    /// Whether a request is one of these, but for the conditions.
    pub(super) fn include(&self, subject: &Subject, document: &Document) -> bool {
        let is_covered = |rule: &ResourceRule| rule.excludes(subject);
        (self.rules.is_empty() || self.rules.iter().any(is_covered))
            && self.include_requester(document)
            && self.include_object(subject, document)
    }

    fn include_requester(&self, document: &Document) -> bool {
        if self.users.is_empty() && self.groups.is_empty() {
            return true;
        }
        let any = |patterns: &[String], name: &Value| match name {
            Value::String(name) => patterns.iter().any(|own| glob::matches(own, name)),
            _ => false,
        };
        let user = document.part(&["userInfo", "username"]);
        let groups = document.part(&["userInfo", "groups"]);
        user.is_some_and(|user| any(&self.users, user))
            || groups
                .and_then(value::elements)
                .is_some_and(|groups| groups.iter().any(|group| any(&self.groups, group)))
    }

    fn include_object(&self, subject: &Subject, document: &Document) -> bool {
        if self.labels.is_empty() && self.images.is_empty() {
            return true;
        }
        let there = |key: &str| {
            let object = document.part(&[key]);
            object.filter(|object| value::kind(object) != value::Kind::Null)
        };
        let Some(object) = there("object").or_else(|| there("oldObject")) else {
            return false;
        };
        let is_selected = || match ObjectLabels::of_value(object) {
            ObjectLabels::Known(labels) => self.labels.matches(&labels),
            ObjectLabels::Absent | ObjectLabels::Unreadable => false,
        };
        let are_meant = |images: &Vec<&str>| {
            let is_meant = |image: &&str| self.images.iter().any(|own| images::matches(own, image));
            images.iter().all(is_meant)
        };
        (self.labels.is_empty() || is_selected())
            && (self.images.is_empty()
                || images::of(subject, object).as_ref().is_some_and(are_meant))
    }

    /// What is looked at of an `AdmissionRequest`, but for the conditions.
    pub(super) fn access(&self) -> Access {
        let mut access = Subject::access();
        let requester = access.key("userInfo");
        if !self.users.is_empty() {
            requester.key("username").whole();
        }
        if !self.groups.is_empty() {
            requester.key("groups").whole();
        }
        for object in ["object", "oldObject"] {
            let object = access.key(object);
            if !self.labels.is_empty() {
                object.key("metadata").key("labels").whole();
            }
            if !self.images.is_empty() {
                images::note(object);
            }
        }
        access
    }
}
