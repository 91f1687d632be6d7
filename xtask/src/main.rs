//! Development tasks of the project, run as `cargo xtask TASK`; one file a task.

fn main() {}
