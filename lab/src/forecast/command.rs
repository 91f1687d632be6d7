//! `cargo xtask forecast`: its flags.

use super::case::{cases, Case};
use super::kinds::{Kind, KINDS};
use super::run::Run;
use super::runner::{run_all, Abilities};
use super::score::score;
use super::{markdown, report};
use crate::accuracy::machine::Machine;
use crate::exporter::binary;
use crate::stop::Stop;
use anyhow::{bail, Context, Result};
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Flags of `forecast`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What the runs are made of: 1 to 99 to tune the model on, 1000 and up are held out to judge it by
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many migrations
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub runs: usize,
    /// Only these kinds
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub only: Vec<String>,
    /// These runs alone, as a report names them
    #[arg(long, value_name = "KIND:N", value_delimiter = ',', conflicts_with_all = ["only", "runs"])]
    pub rerun: Vec<String>,
    /// Print what would be run, and run nothing
    #[arg(long)]
    pub list: bool,
    /// For machines
    #[arg(long)]
    pub json: bool,
    /// Write the results as a section of the documentation too
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write what was there and what happened, a line of JSON each, to play models over them (tests/data/forecast)
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// The miglink to judge; without it: target/release/miglink, else target/debug/miglink
    #[arg(long, env = "MIGLINK", value_name = "PATH")]
    pub miglink: Option<PathBuf>,
}

/// Does it.
///
/// # Errors
/// On unknown names, and when nothing can be run at all. Wrong forecasts are no errors: this measures.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let chosen = choose(arguments)?;
    if arguments.list {
        chosen.iter().for_each(|case| println!("{:<10}{}", case.id(), case.plan.summary()));
        return Ok(ExitCode::SUCCESS);
    }
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: namespaces and control groups need root");
        return Ok(ExitCode::SUCCESS);
    }
    let miglink = binary(arguments.miglink.clone())?;
    let Some(first) = chosen.first() else { return Ok(ExitCode::SUCCESS) };
    let abilities = Abilities::of(&miglink, &std::env::temp_dir(), &first.plan)?;
    for (can, what) in [(abilities.predict, "`predict`"), (abilities.profiles, "profiles of guests")] {
        if !can {
            eprintln!("{} has no {what}: no figures of that", miglink.display());
        }
    }
    let create = |path: &PathBuf| File::create(path).with_context(|| path.display().to_string());
    let mut record = arguments.record.as_ref().map(create).transpose()?;
    let stop = Stop::on_signals()?;
    let runs = run_all(&chosen, &miglink, abilities, &stop, |run| match (&mut record, &run.measured) {
        (Some(file), Some(measured)) => {
            writeln!(file, "{}", serde_json::to_string(measured).context("JSON")?).context("--record")
        }
        _ => Ok(()),
    })?;
    if stop.is_set() {
        eprintln!("stopped after {} of {}; everything is removed", runs.len(), chosen.len());
    }
    tell(arguments, &runs)?;
    Ok(ExitCode::SUCCESS)
}

fn choose(arguments: &Arguments) -> Result<Vec<Case>> {
    if !arguments.rerun.is_empty() {
        return arguments.rerun.iter().map(|wanted| again(wanted, arguments.seed)).collect();
    }
    arguments.only.iter().try_for_each(|name| kind(name).map(drop))?;
    cases(arguments.seed, arguments.runs, &arguments.only)
}

fn again(wanted: &str, seed: u64) -> Result<Case> {
    let parts = wanted.rsplit_once(':').and_then(|(name, number)| Some((name, number.parse().ok()?)));
    let (name, number) = parts.with_context(|| format!("--rerun: '{wanted}' is not KIND:N"))?;
    Case::make(kind(name)?, number, seed)
}

fn kind(name: &str) -> Result<&'static Kind> {
    let Some(kind) = Kind::named(name) else {
        bail!("'{name}' is no kind; there are: {}", KINDS.map(|kind| kind.name).join(", "))
    };
    Ok(kind)
}

fn tell(arguments: &Arguments, runs: &[Run]) -> Result<()> {
    let (score, machine) = (score(runs), Machine::read());
    if let Some(path) = &arguments.markdown {
        let section = markdown::section(&command(arguments), arguments.seed, &machine, &score);
        std::fs::write(path, section).with_context(|| path.display().to_string())?;
    }
    if arguments.json {
        let all = json!({"seed": arguments.seed, "machine": machine, "score": score, "runs": runs});
        println!("{}", serde_json::to_string_pretty(&all).context("JSON")?);
    } else {
        println!("{}\n{}", machine.line(), report::text(&score, runs));
    }
    Ok(())
}

/// What makes the same runs again.
fn command(arguments: &Arguments) -> String {
    if !arguments.rerun.is_empty() {
        let again = arguments.rerun.join(",");
        return format!("cargo xtask forecast --seed {} --rerun {again}", arguments.seed);
    }
    let only = arguments.only.join(",");
    let only = if only.is_empty() { only } else { format!(" --only {only}") };
    format!("cargo xtask forecast --seed {} --runs {}{only}", arguments.seed, arguments.runs)
}
