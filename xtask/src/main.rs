//! Development tasks of the project, run as `cargo xtask TASK`; one file a task.

mod apt;
mod bench;
mod migrations;
mod page;
mod test;
mod vm;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Development tasks of miglink.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Everything that must hold: installs what the tests need, then checks and runs all of it
    Test(test::Arguments),
    /// Boots Debian's stock kernel in an emulated machine and compares miglink with the kernel's own tools
    Vm(vm::Args),
    /// Real live migrations between two hosts made of namespaces (root)
    #[command(subcommand)]
    Lab(lab::cli::Command),
    /// How often miglink's verdicts are right, over many real live migrations with known causes (root)
    Accuracy(lab::accuracy::command::Arguments),
    /// How good miglink's forecasts are, over many real live migrations (root)
    Forecast(lab::forecast::command::Arguments),
    /// One real, slow live migration to look at, with miglink's page (root)
    Demo(lab::demo::Arguments),
    /// The page in a real browser during a real migration, with pictures (root)
    Page(page::Arguments),
    /// Benchmarks of the whole program; without a name: which there are
    Bench(bench::Arguments),
}

fn main() -> ExitCode {
    let done = match Cli::parse().task {
        Task::Test(arguments) => test::run(&arguments),
        Task::Vm(args) => vm::run(&args),
        Task::Lab(command) => migrations::run(&command),
        Task::Accuracy(arguments) => migrations::accuracy(&arguments),
        Task::Forecast(arguments) => migrations::forecast(&arguments),
        Task::Demo(arguments) => migrations::demo(&arguments),
        Task::Page(arguments) => page::run(&arguments),
        Task::Bench(arguments) => bench::run(arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::from(2)
    })
}
