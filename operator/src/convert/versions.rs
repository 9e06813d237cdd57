//! What the status of a policy says of other versions.

use portcullis_crds::{self as crds, time::moment};
use portcullis_policies::InPlaceOf;
use serde::Deserialize as _;
use serde_json::Value as Json;

/// Whose place a policy has taken, as its status says it. One that cannot be read is none: both
/// versions judge then.
pub(crate) fn in_place_of(status: &crds::InPlaceOf) -> Option<InPlaceOf> {
    Some(InPlaceOf {
        version: status.version.parse().ok()?,
        since: moment(&status.since).ok()?,
    })
}

/// The same of the status of an object as it is in the cluster.
pub(crate) fn in_place_of_object(status: &Json) -> Option<InPlaceOf> {
    let found = crds::InPlaceOf::deserialize(status.get("inPlaceOf")?).ok()?;
    in_place_of(&found)
}
