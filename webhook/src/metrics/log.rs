//! What becomes of the entries of the decision log.

use std::{fmt, sync::atomic::Ordering};

use prometheus_client::{
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
};

use super::{count_of, encode_count, encode_gauge};
use crate::{Loss, decision_log::DecisionLog};

pub(super) fn encode(log: &DecisionLog, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let counts = log.counts();
    let name = "portcullis_decision_log_entries";
    let help = "Entries of the decision log that were written, or taken by their receiver";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (sink, of) in counts.by_name() {
        encode_count(&mut metric, &[("sink", sink)], of.written())?;
    }
    let name = "portcullis_decision_log_lost";
    let help = "Entries of the decision log that were lost, by why";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (sink, of) in counts.by_name() {
        for why in Loss::ALL {
            let labels = [("sink", sink), ("reason", why.as_str())];
            encode_count(&mut metric, &labels, of.lost(why))?;
        }
    }
    let name = "portcullis_decision_log_retries";
    let help = "Attempts to write or to send entries that failed, and are made again";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (sink, of) in counts.by_name() {
        encode_count(&mut metric, &[("sink", sink)], of.failures())?;
    }
    let name = "portcullis_decision_log_waiting_entries";
    let help = "Entries that wait for their sink";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (sink, of) in counts.by_name() {
        let (entries, _) = of.waiting();
        metric
            .encode_family(&[("sink", sink)])?
            .encode_gauge(&entries)?;
    }
    let name = "portcullis_decision_log_waiting_bytes";
    let help = "Memory of the entries that wait for their sink";
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (sink, of) in counts.by_name() {
        let (_, bytes) = of.waiting();
        metric
            .encode_family(&[("sink", sink)])?
            .encode_gauge(&bytes)?;
    }
    for (name, help, count) in [
        (
            "portcullis_decision_log_dropped",
            "Entries that the rules of `system/log` have dropped",
            &counts.dropped,
        ),
        (
            "portcullis_decision_log_erased",
            "Entries without input and result, because the rules of `system/log` gave no answer",
            &counts.erased,
        ),
    ] {
        encoder
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&count.load(Ordering::Relaxed), None)?;
    }
    encode_gauge(
        encoder,
        "portcullis_decision_log_recorder_bytes",
        "Memory of the requests that wait to be made entries of",
        &count_of(log.waiting_bytes()),
    )
}
