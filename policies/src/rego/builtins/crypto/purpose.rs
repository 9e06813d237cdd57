//! What a chain has to be good for.

use super::wrong;
use crate::rego::{
    builtins::Result,
    value::{self, Value, number},
};

/// What a chain has to be good for.
#[derive(Debug)]
pub(super) struct Purpose {
    pub(super) host: String,
    /// Nanoseconds since 1970.
    pub(super) time: i128,
    /// Go's numbers of the usages, any of which will do; without any, that of a server.
    pub(super) usages: Vec<u8>,
}

/// The usages that can be asked for, in the order of Go's numbers.
const USAGES: [&str; 14] = [
    "KeyUsageAny",
    "KeyUsageServerAuth",
    "KeyUsageClientAuth",
    "KeyUsageCodeSigning",
    "KeyUsageEmailProtection",
    "KeyUsageIPSECEndSystem",
    "KeyUsageIPSECTunnel",
    "KeyUsageIPSECUser",
    "KeyUsageTimeStamping",
    "KeyUsageOCSPSigning",
    "KeyUsageMicrosoftServerGatedCrypto",
    "KeyUsageNetscapeServerGatedCrypto",
    "KeyUsageMicrosoftCommercialCodeSigning",
    "KeyUsageMicrosoftKernelCodeSigning",
];

impl Purpose {
    /// That of a server, now.
    pub(super) fn usual(now: i128) -> Self {
        Self {
            host: String::new(),
            time: now,
            usages: Vec::new(),
        }
    }

    /// What OPA's options say.
    pub(super) fn of(options: &Value, now: i128) -> Result<Self> {
        let mut purpose = Self::usual(now);
        let Value::Object(options) = options else {
            return Ok(purpose);
        };
        for (key, option) in value::order::entries(options) {
            let Value::String(key) = key else {
                continue;
            };
            // A number that was written as a fraction is no integer for OPA.
            let integer =
                || number::as_i64(option).filter(|_| !number::is_written_as_fraction(option));
            let is_number = number::is_number(option);
            match &**key {
                "DNSName" => match option {
                    Value::String(host) => host.trim_matches('"').clone_into(&mut purpose.host),
                    _ => return Err(wrong("'DNSName' should be a string")),
                },
                "CurrentTime" if !is_number => {
                    return Err(wrong("'CurrentTime' should be a number"));
                }
                "CurrentTime" => {
                    let time = integer();
                    purpose.time = time
                        .ok_or_else(|| wrong("'CurrentTime' should be a valid int64 number"))?
                        .into();
                }
                // Go no longer looks at it.
                "MaxConstraintComparisons" if is_number && integer().is_some() => {}
                "MaxConstraintComparisons" => {
                    return Err(wrong("'MaxConstraintComparisons' should be a valid number"));
                }
                "KeyUsages" => purpose.usages = usages(option)?,
                _ => return Err(wrong("invalid key option")),
            }
        }
        Ok(purpose)
    }
}

fn usages(option: &Value) -> Result<Vec<u8>> {
    let names: Vec<&Value> = match option {
        Value::Set(names) => value::order::members(names).collect(),
        list => match value::elements(list) {
            Some(names) => names.iter().collect(),
            None => return Err(wrong("'KeyUsages' should be an Array or Set")),
        },
    };
    let (mut usages, mut invalid) = (Vec::new(), Vec::new());
    // What is no string is passed over.
    for name in names.into_iter().filter_map(|name| name.as_string().ok()) {
        let name = name.trim_matches('"');
        let usage = USAGES.iter().position(|usage| *usage == name);
        match usage.and_then(|usage| u8::try_from(usage).ok()) {
            Some(usage) => usages.push(usage),
            None => invalid.push(name),
        }
    }
    if invalid.is_empty() {
        return Ok(usages);
    }
    Err(wrong(format!(
        "invalid entries for 'KeyUsages' found: [{}]",
        invalid.join(" ")
    )))
}
