//! Functions that reach outside of the evaluation: `http.send`, `net.lookup_ip_addr`, `opa.runtime`.
//!
//! ```text
//! operand ─ request ─▶ HttpRequest ─ Outside::send ─▶ HttpResponse ─ response ─▶ Value
//! ```
//!
//! What OPA calls an error of the function is one here; what it would answer, and is not allowed or
//! not supported here, ends the evaluation. The same request is sent once in an evaluation.

mod request;
mod response;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Context, Fault, Function, Power, Result, refused, string, wrong_type};
use crate::{
    Hosts,
    outside::{HttpResponse, Outside, OutsideFault},
    rego::{execute::ErrorKind, value::Value},
};
use request::Sending;

pub(super) const FUNCTIONS: &[(&str, u8, Power, Function)] = &[
    ("http.send", 1, Power::Network, send),
    ("net.lookup_ip_addr", 1, Power::Network, lookup),
    // Without a configuration, OPA knows nothing of its runtime; its environment is nobody's business.
    ("opa.runtime", 0, Power::Network, |context, _| {
        network(context, "opa.runtime")?;
        Ok(Value::new_object())
    }),
];

/// Calls of the network in one evaluation: a policy that asks for each of many things asks for all
/// of them at once instead.
const MAX_CALLS: u32 = 16;

/// Time for one call where the evaluation has no limit, as in tools.
const PATIENCE: Duration = Duration::from_secs(30);

/// The hosts that an evaluation may ask, and what they have answered.
#[derive(Debug, Clone)]
pub struct Network<'o> {
    outside: &'o dyn Outside,
    hosts: &'o Hosts,
    calls: u32,
    answers: BTreeMap<Value, Answer>,
    addresses: BTreeMap<String, Value>,
}

/// What a call of `http.send` came to.
type Answer = std::result::Result<Value, OutsideFault>;

impl<'o> Network<'o> {
    /// What an administrator and the policy's settings allow.
    pub fn new(outside: &'o dyn Outside, hosts: &'o Hosts) -> Self {
        Self {
            outside,
            hosts,
            calls: 0,
            answers: BTreeMap::new(),
            addresses: BTreeMap::new(),
        }
    }

    /// Counts a call before it is made.
    fn count(&mut self, name: &'static str) -> Result<()> {
        self.calls += 1;
        if self.calls > MAX_CALLS {
            let message = format!("an evaluation makes no more than {MAX_CALLS} calls");
            return Err(ended(name, message));
        }
        Ok(())
    }
}

fn send(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let name = "http.send";
    network(context, name)?;
    let Value::Object(options) = &operands[0] else {
        return Err(wrong_type(1, "object", &operands[0]));
    };
    let raises = request::raises_error(options)?;
    // The body is written as JSON, before anybody knows its length.
    context.charge_text(&operands[0])?;
    let answer = match request::key(options).and_then(|key| Ok((key, request::read(options)?))) {
        Ok((key, sending)) => answer(context, key, &sending)?,
        Err(fault) => Err(fault),
    };
    match answer {
        Ok(value) => Ok(value),
        Err(OutsideFault::Refused(message)) => Err(ended(name, message)),
        Err(fault) if raises => Err(Fault::Value(fault.to_string())),
        Err(fault) => Ok(response::of_fault(&fault)),
    }
}

/// What came for the same request before, or comes now.
fn answer(context: &mut Context<'_, '_>, key: Value, sending: &Sending) -> Result<Answer> {
    let name = "http.send";
    if let Some(answer) = network(context, name)?.answers.get(&key) {
        return Ok(answer.clone());
    }
    context.charge_bytes(sending.request.body.len())?;
    let left = context.budget.time_left().unwrap_or(PATIENCE);
    let mut request = sending.request.clone();
    request.time = match request.time {
        // In Go, no time is no limit.
        Duration::ZERO => left,
        time => time.min(left),
    };
    let network = network(context, name)?;
    network.count(name)?;
    let sent = network.outside.send(&request, network.hosts);
    // A call that took all the time that was left ends the evaluation, whatever came of it.
    context.budget.steps(1)?;
    let answer = match sent {
        Ok(response) => read(context, &response, sending)?,
        Err(fault) => Err(fault),
    };
    let is_kept = answer.as_ref().map_or(true, response::is_kept);
    if is_kept {
        let answers = &mut self::network(context, name)?.answers;
        answers.insert(key, answer.clone());
    }
    Ok(answer)
}

fn read(
    context: &mut Context<'_, '_>,
    response: &HttpResponse,
    sending: &Sending,
) -> Result<Answer> {
    let headers = response.headers.iter();
    let size: usize = headers.map(|(name, value)| name.len() + value.len()).sum();
    context.charge_bytes(size + response.body.len())?;
    context.charge_members(2 * response.headers.len() + response.body.len() / 2)?;
    Ok(response::read(response, sending.reads_json))
}

fn lookup(context: &mut Context<'_, '_>, operands: &[Value]) -> Result<Value> {
    let name = "net.lookup_ip_addr";
    let host = string(operands, 0)?;
    let left = context.budget.time_left().unwrap_or(PATIENCE);
    let network = network(context, name)?;
    if let Some(addresses) = network.addresses.get(host) {
        return Ok(addresses.clone());
    }
    network.count(name)?;
    let found = network.outside.lookup(host, network.hosts, left);
    context.budget.steps(1)?;
    match found {
        Ok(found) => {
            context.charge_members(found.len())?;
            let found = found.into_iter().map(Value::from);
            let addresses = Value::from(found.collect::<BTreeSet<_>>());
            let known = &mut self::network(context, name)?.addresses;
            known.insert(host.to_owned(), addresses.clone());
            Ok(addresses)
        }
        Err(OutsideFault::Refused(message)) => Err(ended(name, message)),
        Err(fault) => Err(Fault::Value(fault.to_string())),
    }
}

fn network<'c, 'q>(
    context: &'c mut Context<'_, 'q>,
    name: &'static str,
) -> Result<&'c mut Network<'q>> {
    let reason = "no hosts are allowed here";
    let network = context.surroundings.network.as_mut();
    network.ok_or_else(|| refused(name, reason))
}

fn ended(name: &'static str, message: String) -> Fault {
    Fault::Ends(ErrorKind::Outside { name, message }.into())
}
