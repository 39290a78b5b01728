//! `cargo xtask`: set-up, run, test, image and bench.

fn main() {}
