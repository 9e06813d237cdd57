//! Who waits for a job, and so where it waits.

use std::sync::Arc;

use portcullis_policies::Point;

/// Where a job waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// The API server asks the cluster's policies: before all others, and always with a thread.
    Admission,
    /// The API server asks the policies of this namespace, whose owner makes them as slow as it likes.
    Tenant(Arc<str>),
    /// Somebody asks a policy by its address.
    Evaluation,
}

impl From<Point> for Lane {
    fn from(point: Point) -> Self {
        match point {
            Point::Admission => Self::Admission,
            Point::Evaluation => Self::Evaluation,
        }
    }
}
