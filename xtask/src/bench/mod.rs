//! Benchmarks of the whole program: a list, a name, and one file for each.
//!
//! `scale` goes through the modules in this order: `scale` (the command), `programs`, `namespace` and `node_exporter`
//! (what it needs), `inside` (one size, measured in its namespace) with `kernel`, `traffic`, `exporter`, `http` and
//! `meter`, then `table` and `budget` over the `figures`. `migrations` has a folder of its own.

mod budget;
mod exporter;
mod figures;
mod http;
mod inside;
mod kernel;
mod meter;
mod migrations;
mod namespace;
mod node_exporter;
mod programs;
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
    /// CPU and memory with 1, 10 and 100 migrations, with 10,000 connections, with 2,000 processes of others
    Migrations(migrations::Arguments),
    /// The measurement, from inside its namespaces
    #[command(hide = true)]
    MigrationsInside(migrations::inside::Arguments),
    /// A process that looks like a QEMU whose guest may move
    #[command(hide = true)]
    SimulatedGuest(migrations::guest::Arguments),
    /// The far end of all connections
    #[command(hide = true)]
    SimulatedPeer(migrations::peer::Arguments),
    /// Holds connections of nobody we know
    #[command(hide = true)]
    SimulatedClient(migrations::crowd::Arguments),
}

/// Runs one benchmark, or lists them.
pub fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.bench {
        None => list(),
        Some(Bench::Scale(arguments)) => return scale::run(&arguments),
        Some(Bench::ScaleInside(arguments)) => inside::run(&arguments)?,
        Some(Bench::Migrations(arguments)) => return migrations::run(&arguments),
        Some(Bench::MigrationsInside(arguments)) => migrations::inside::run(arguments)?,
        Some(Bench::SimulatedGuest(arguments)) => migrations::guest::run(&arguments)?,
        Some(Bench::SimulatedPeer(arguments)) => migrations::peer::run(&arguments)?,
        Some(Bench::SimulatedClient(arguments)) => migrations::crowd::run(&arguments)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list() {
    println!(
        "cargo xtask bench scale        the whole program at 100, 1,000 and 10,000 links (root; --help)"
    );
    println!(
        "cargo xtask bench migrations   1, 10 and 100 simulated migrations, 10,000 connections, 2,000 processes (root)"
    );
    println!(
        "cargo bench --bench vocabulary a block of 10,000 x 40: make, compare, walk; columns against rows"
    );
}
