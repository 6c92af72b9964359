//! The command line of Actions Runner Manager.

fn main() {}
