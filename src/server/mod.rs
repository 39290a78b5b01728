//! Owns everything; `step()` is one turn of the poll loop.

pub mod journal;
pub mod machine;

pub use machine::Machine;
