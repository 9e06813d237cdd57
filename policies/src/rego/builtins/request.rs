//! What builtins may know of the request: the clock, its headers, a seed.

use super::{Context, Function, Network, Result, integer, string};
use crate::{
    Headers,
    memory::Recall,
    rego::{execute::VALUE_SIZE, value::Value},
};

pub(super) const FUNCTIONS: &[(&str, u8, Function)] = &[
    ("external.http.header", 1, header),
    ("get_header", 1, header),
    ("rand.intn", 2, |context, operands| {
        string(operands, 0)?;
        let limit = integer(operands, 1)?.unsigned_abs();
        context.drawn(operands, |random| match limit {
            0 => Value::from(0),
            limit => Value::from(random.next() % limit),
        })
    }),
    ("time.now_ns", 0, |context, _| {
        Ok(Value::from(context.surroundings.now))
    }),
    ("uuid.rfc4122", 1, |context, operands| {
        string(operands, 0)?;
        context.drawn(operands, |random| Value::from(random.uuid()))
    }),
];

/// What builtins may know of the request.
#[derive(Debug, Clone, Default)]
pub struct Surroundings<'q> {
    /// Nanoseconds since 1970.
    pub now: i128,
    /// The request's headers.
    pub headers: Option<&'q Headers>,
    /// What random numbers are made from. The same seed gives the same numbers.
    pub random: Random,
    /// What has been drawn: within one evaluation, the same operands give the same number.
    drawn: Vec<(Vec<Value>, Value)>,
    /// What `print` has printed, line by line.
    pub printed: Vec<String>,
    /// The cases of tests that were begun: the keys of each.
    pub cases: Vec<Value>,
    /// The hosts that may be asked, where any may.
    pub network: Option<Network<'q>>,
    /// What earlier evaluations have set, where it may be read.
    pub recall: Option<&'q Recall<'q>>,
}

impl<'q> Surroundings<'q> {
    /// A request at a time, with headers, and with a seed for random numbers.
    pub fn new(now: i128, headers: Option<&'q Headers>, seed: u64) -> Self {
        Self {
            now,
            headers,
            random: Random(seed),
            drawn: Vec::new(),
            printed: Vec::new(),
            cases: Vec::new(),
            network: None,
            recall: None,
        }
    }
}

/// A generator of numbers that are spread evenly, and not fit for secrets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Random(u64);

impl Random {
    /// Steele, Lea and Flood's generator of 64 bits.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A UUID of version 4.
    fn uuid(&mut self) -> String {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        [
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..],
        ]
        .join("-")
    }
}

impl Context<'_, '_> {
    /// What was made of these operands before, or is made now and kept.
    pub(super) fn kept(
        &mut self,
        operands: &[Value],
        make: impl FnOnce(&mut Self) -> Result<Value>,
    ) -> Result<Value> {
        let drawn = &self.surroundings.drawn;
        self.budget.steps(drawn.len() as u64)?;
        if let Some((_, value)) = drawn.iter().find(|(before, _)| before == operands) {
            return Ok(value.clone());
        }
        self.budget.charge(4 * VALUE_SIZE)?;
        let value = make(self)?;
        let entry = (operands.to_vec(), value.clone());
        self.surroundings.drawn.push(entry);
        Ok(value)
    }

    /// What was drawn for these operands before, or a new draw.
    fn drawn(
        &mut self,
        operands: &[Value],
        draw: impl FnOnce(&mut Random) -> Value,
    ) -> Result<Value> {
        self.kept(operands, |context| {
            Ok(draw(&mut context.surroundings.random))
        })
    }
}

fn header(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let name = string(operands, 0)?;
    let headers = context.surroundings.headers;
    Ok(Value::from(headers.map_or("", |headers| headers.get(name))))
}
