//! What the fuzz targets share.

pub mod decisions;
pub mod doors;
pub mod faults;
pub mod rego;
