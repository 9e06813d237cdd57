//! The order of keys in what is written: numbers within them count as numbers.

use std::collections::BTreeMap;

use super::{Context, Result, decode::Document, refused};
use crate::rego::builtins::letters::{is_digit, is_letter};

/// Members in go-yaml's order, which is none for some keys: then there is no one text.
pub(super) fn sorted<'d>(
    context: &mut Context<'_, '_>,
    members: &'d BTreeMap<String, Document>,
) -> Result<Vec<(&'d str, &'d Document)>> {
    let mut sorted: Vec<(&str, &Document)> = Vec::with_capacity(members.len());
    if members
        .keys()
        .all(|key| key.bytes().all(|byte| byte.is_ascii_alphabetic()))
    {
        return Ok(members.iter().map(|(key, value)| (&**key, value)).collect());
    }
    let keys = members
        .keys()
        .map(|key| key.chars().collect())
        .collect::<Vec<Vec<char>>>();
    let mut places: Vec<usize> = Vec::with_capacity(keys.len());
    for at in 0..keys.len() {
        context.budget.steps(at as u64)?;
        // Each comes behind all that are less, and each of these is to come before it.
        let place = places
            .iter()
            .position(|other| !is_less(&keys[*other], &keys[at]))
            .unwrap_or(places.len());
        if !places[place..]
            .iter()
            .all(|other| is_less(&keys[at], &keys[*other]))
        {
            return Err(refused("the order of the keys is no order"));
        }
        places.insert(place, at);
    }
    let members: Vec<(&'d String, &'d Document)> = members.iter().collect();
    sorted.extend(places.into_iter().map(|place| {
        let (key, value) = members[place];
        (&**key, value)
    }));
    Ok(sorted)
}

fn is_less(left: &[char], right: &[char]) -> bool {
    let mut is_after_digit = false;
    for at in 0..left.len().min(right.len()) {
        let (one, other) = (left[at], right[at]);
        if one == other {
            is_after_digit = is_digit(one);
            continue;
        }
        match (is_letter(one), is_letter(other)) {
            (true, true) => return one < other,
            (false, false) => {}
            (is_left, is_right) => return if is_after_digit { is_left } else { is_right },
        }
        // Behind other digits, noughts at the beginning count.
        let is_within = (one == '0' || other == '0')
            && left[..at]
                .iter()
                .rev()
                .take_while(|character| is_digit(**character))
                .any(|digit| *digit != '0');
        let start = i64::from(is_within);
        let ((number, length), (other_number, other_length)) =
            (number(start, &left[at..]), number(start, &right[at..]));
        if number != other_number {
            return number < other_number;
        }
        if length != other_length {
            return length < other_length;
        }
        return one < other;
    }
    left.len() < right.len()
}

/// The number that digits are, and how many there are. It overflows as it does in Go.
fn number(start: i64, digits: &[char]) -> (i64, usize) {
    let digits = digits.iter().take_while(|digit| is_digit(**digit));
    digits.fold((start, 0), |(number, length), digit| {
        let digit = i64::from(u32::from(*digit)) - i64::from(u32::from('0'));
        (number.wrapping_mul(10).wrapping_add(digit), length + 1)
    })
}
