//! Moments that tests write into objects.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::jiff::Timestamp;

/// The moment so long from now, as manifests write it.
pub fn from_now(duration: Duration) -> Result<String> {
    // Whole seconds: fractions tell nobody anything.
    let now = Timestamp::from_second(Timestamp::now().as_second())?;
    Ok(now.checked_add(duration)?.to_string())
}
