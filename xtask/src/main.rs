//! Development tasks of the project, run as `cargo xtask TASK`; one file a task.

mod apt;
mod bench;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development tasks of miglink")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Benchmarks of the whole program; without a name: which there are
    Bench(bench::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    match Cli::parse().task {
        Task::Bench(arguments) => bench::run(arguments),
    }
}
