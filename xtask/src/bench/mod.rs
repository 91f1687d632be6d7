//! Benchmarks of the whole program: a list, a name, and one file for each.
//!
//! `scale` is the only one so far. It goes through the modules in this order: `scale` (the command), `namespace` and
//! `node_exporter` (what it needs), `inside` (one size, measured in its namespace) with `kernel`, `traffic`,
//! `exporter`, `http` and `meter`, then `table` and `budget` over the `figures`.

mod budget;
mod exporter;
mod figures;
mod http;
mod inside;
mod kernel;
mod meter;
mod namespace;
mod node_exporter;
mod scale;
mod table;
mod traffic;

use anyhow::Result;
use clap::{Args, Subcommand};
use std::process::ExitCode;

/// What to measure.
#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    bench: Option<Bench>,
}

#[derive(Subcommand)]
enum Bench {
    /// CPU, memory and size of a scrape at 100, 1,000 and 10,000 links, beside the kernel's dumps and node_exporter
    Scale(scale::Arguments),
    /// One size, from inside its namespace
    #[command(hide = true)]
    ScaleInside(inside::Arguments),
}

/// Runs one benchmark, or lists them.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.bench {
        None => list(),
        Some(Bench::Scale(arguments)) => return scale::run(&arguments),
        Some(Bench::ScaleInside(arguments)) => inside::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list() {
    println!(
        "cargo xtask bench scale        the whole program at 100, 1,000 and 10,000 links (root; --help)"
    );
    println!(
        "cargo bench --bench vocabulary a block of 10,000 x 40: make, compare, walk; columns against rows"
    );
}
