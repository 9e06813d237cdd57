//! From ordered bodies to the [`Plan`](ir::Plan) that is executed.

pub mod access;
pub mod height;
pub mod index;
pub mod ir;
pub mod lower;
pub mod part;
pub mod reads;
pub mod visit;
