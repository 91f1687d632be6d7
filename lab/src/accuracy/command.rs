//! `cargo xtask accuracy`: its flags.

use super::families::{Family, FAMILIES};
use super::machine::Machine;
use super::score::{score, Run};
use super::variant::{variants, Variant};
use super::{markdown, report, runner, HELD_OUT, TUNING};
use crate::exporter::binary;
use crate::run::Options;
use crate::stop::Stop;
use anyhow::{bail, ensure, Context, Result};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Flags of `accuracy`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What the variants are made of: 1 to 99 to tune rules on, 1000 and up are held out to judge them by
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Only these families: causes, two_causes, healthy
    #[arg(long, value_name = "CAUSE", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Variants of each family; healthy ones are three times as many
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub variants: u32,
    /// One variant alone, as a report names it
    #[arg(long, value_name = "CAUSE:N", conflicts_with_all = ["only", "variants"])]
    pub rerun: Option<String>,
    /// Print the variants and run nothing; with =yaml as scenario files
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "short")]
    pub list: Option<Listing>,
    /// For machines
    #[arg(long)]
    pub json: bool,
    /// Write the results as a page of the documentation too
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// The miglink to judge; without it: target/release/miglink, else target/debug/miglink
    #[arg(long, env = "MIGLINK", value_name = "PATH")]
    pub miglink: Option<PathBuf>,
    /// Leave logs and what was scraped
    #[arg(long)]
    pub keep: bool,
}

/// How variants are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Listing {
    /// A line each.
    Short,
    /// Their scenario files.
    Yaml,
}

/// Does it.
///
/// # Errors
/// On unknown names, and when nothing can be run at all. Wrong verdicts are no errors: this measures.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let chosen = choose(arguments)?;
    if let Some(how) = arguments.list {
        chosen.iter().for_each(|variant| list(variant, how));
        return Ok(ExitCode::SUCCESS);
    }
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: namespaces and control groups need root");
        return Ok(ExitCode::SUCCESS);
    }
    if (TUNING + 1..HELD_OUT).contains(&arguments.seed) {
        eprintln!(
            "seed {} is neither of tuning (1 to {TUNING}) nor held out ({HELD_OUT} and up)",
            arguments.seed
        );
    }
    let miglink = Some(binary(arguments.miglink.clone())?);
    let options = Options { miglink, keep: arguments.keep, brief: true, ..Options::default() };
    let stop = Stop::on_signals()?;
    let runs = runner::run_all(&chosen, &options, &stop);
    if stop.is_set() {
        eprintln!("stopped after {} of {}; everything is removed", runs.len(), chosen.len());
    }
    tell(arguments, &runs)?;
    Ok(ExitCode::SUCCESS)
}

fn choose(arguments: &Arguments) -> Result<Vec<Variant>> {
    if let Some(wanted) = &arguments.rerun {
        let parts = wanted.rsplit_once(':').and_then(|(name, number)| Some((name, number.parse().ok()?)));
        let (name, number) = parts.with_context(|| format!("--rerun: '{wanted}' is not CAUSE:N"))?;
        return Ok(vec![Variant::make(family(name)?, number, arguments.seed)?]);
    }
    arguments.only.iter().try_for_each(|name| family(name).map(drop))?;
    ensure!(arguments.variants > 0, "--variants: at least 1");
    variants(arguments.seed, arguments.variants, &arguments.only)
}

fn family(name: &str) -> Result<&'static Family> {
    if let Some(family) = FAMILIES.iter().find(|family| family.name == name) {
        return Ok(family);
    }
    let known: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    bail!("'{name}' cannot be made; there are: {}", known.join(", "))
}

fn list(variant: &Variant, how: Listing) {
    match how {
        Listing::Short => println!("{:<20}{}", variant.id(), variant.summary()),
        Listing::Yaml => println!("---\n# {}\n{}", variant.id(), variant.text),
    }
}

fn tell(arguments: &Arguments, runs: &[Run]) -> Result<()> {
    let (score, machine) = (score(runs), Machine::read());
    if let Some(path) = &arguments.markdown {
        let page = markdown::page(&command(arguments), arguments.seed, &machine, &score, runs);
        std::fs::write(path, page).with_context(|| path.display().to_string())?;
    }
    if arguments.json {
        let all = json!({"seed": arguments.seed, "machine": machine, "score": score, "runs": runs});
        println!("{}", serde_json::to_string_pretty(&all).context("JSON")?);
    } else {
        println!("{}\n{}", machine.line(), report::text(&score, runs));
    }
    Ok(())
}

/// What makes the same variants again.
fn command(arguments: &Arguments) -> String {
    let mut line =
        format!("cargo xtask accuracy --seed {} --variants {}", arguments.seed, arguments.variants);
    if !arguments.only.is_empty() {
        line = format!("{line} --only {}", arguments.only.join(","));
    }
    match &arguments.rerun {
        Some(one) => format!("cargo xtask accuracy --seed {} --rerun {one}", arguments.seed),
        None => line,
    }
}
