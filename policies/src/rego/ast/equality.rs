//! When two trees are the same: wherever they are written, and however their numbers are.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{Call, Expr, Numeral, Term, With};

impl Numeral {
    /// Its sign, its digits from the first to the last that is not zero, and the power of ten that
    /// the last one stands for.
    fn decimal(&self) -> (bool, String, i64) {
        let (negative, text) = match self.0.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, &*self.0),
        };
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return (false, String::new(), 0);
        }
        let power = exponent.parse::<i64>().unwrap_or_default();
        let shift = |length: usize| i64::try_from(length).unwrap_or_default();
        let power = power - shift(fraction.len()) + shift(digits.len() - significant.len());
        (negative, significant.to_owned(), power)
    }
}

/// The same number, however it is written.
impl PartialEq for Numeral {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.decimal() == other.decimal()
    }
}

impl Eq for Numeral {}

impl Hash for Numeral {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.decimal().hash(state);
    }
}

/// The same term, wherever it is written.
impl PartialEq for Term {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.hash == other.hash && self.kind == other.kind
    }
}

impl Eq for Term {}

impl Hash for Term {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// The same call, wherever it is written.
impl PartialEq for Call {
    fn eq(&self, other: &Self) -> bool {
        self.operator == other.operator && self.arguments == other.arguments
    }
}

impl Eq for Call {}

impl Hash for Call {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.operator.hash(state);
        self.arguments.hash(state);
    }
}

/// The same condition, wherever it is written.
impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || self.negated == other.negated
                && self.kind == other.kind
                && self.modifiers == other.modifiers
    }
}

impl Eq for Expr {}

impl Hash for Expr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.negated.hash(state);
        self.kind.hash(state);
        self.modifiers.hash(state);
    }
}

impl PartialEq for With {
    fn eq(&self, other: &Self) -> bool {
        self.target == other.target && self.value == other.value
    }
}

impl Eq for With {}

impl Hash for With {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.target.hash(state);
        self.value.hash(state);
    }
}
