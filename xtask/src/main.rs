//! Development tasks of the project, run as `cargo xtask TASK`; one file a task.

mod apt;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Development tasks of the project.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Boots Debian's stock kernel in an emulated machine and compares miglink with the kernel's own tools.
    Vm(vm::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Vm(args) => vm::run(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}
