//! From ordered bodies to the [`Plan`](ir::Plan) that is executed.

pub mod ir;
pub mod lower;
