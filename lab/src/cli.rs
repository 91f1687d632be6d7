//! The lab's commands, which `cargo xtask` offers.

use crate::exporter::binary;
use crate::run::{run, Options, Outcomes};
use crate::scenario::Scenario;
use crate::stop::Stop;
use crate::{clock, made, report, SKIPPED};
use anyhow::{Context, Result};
use serde_json::{json, Value};
use std::path::PathBuf;
use std::process::ExitCode;

/// Real live migrations between two hosts made of namespaces.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Run scenario files, and compare miglink with what really happened
    Run(Arguments),
    /// Remove what killed runs left
    Clean,
}

/// Flags of `run`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// For machines
    #[arg(long)]
    pub json: bool,
    /// Leave logs and what was scraped
    #[arg(long)]
    pub keep: bool,
    /// The miglink to test; without it: target/release/miglink, else target/debug/miglink
    #[arg(long, env = "MIGLINK", value_name = "PATH")]
    pub miglink: Option<PathBuf>,
    /// Run a scenario that failed again, up to this many times in all: a busy machine makes an emulated guest late
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub tries: u32,
    /// Only the migrations, without miglink
    #[arg(long)]
    pub no_exporter: bool,
}

/// How one file ended.
enum End {
    Done(Outcomes),
    Skipped(String),
    Broken(String),
}

/// Does it; the exit code says whether all is right.
pub fn perform(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Clean => {
            println!("{} killed runs removed", made::clean()?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Run(arguments) => run_all(arguments),
    }
}

fn run_all(arguments: &Arguments) -> Result<ExitCode> {
    // All files are read first: a mistake in the last is told before the first takes its time.
    let files = files(&arguments.files)?;
    let scenarios = files.iter().map(|file| Scenario::read(file)).collect::<Result<Vec<_>>>()?;
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: namespaces and control groups need root");
        return Ok(ExitCode::SUCCESS);
    }
    let miglink = if arguments.no_exporter { None } else { Some(binary(arguments.miglink.clone())?) };
    let options = Options { miglink, keep: arguments.keep, ..Options::default() };
    if let Some(path) = &options.miglink {
        let changed = path.metadata().and_then(|data| data.modified()).ok();
        let age = changed.map_or(0, |at| clock::age(at).as_secs() / 60);
        eprintln!("testing {}, built {age} minutes ago", path.display());
    }
    let stop = Stop::on_signals()?;
    let mut ends = Vec::new();
    for (file, scenario) in files.iter().zip(&scenarios) {
        let end = try_one(file, scenario, &options, &stop, arguments)?;
        ends.push((file, end));
    }
    if arguments.json {
        let all: Vec<Value> = ends.iter().map(|(file, end)| json(file, end)).collect();
        println!("{}", serde_json::to_string_pretty(&all).context("JSON")?);
    }
    Ok(ExitCode::from(u8::from(ends.iter().any(|(_, end)| word(end) == "FAILED"))))
}

/// Runs a scenario until it is right or its tries are used up; each try is told.
fn try_one(
    file: &std::path::Path,
    scenario: &Scenario,
    options: &Options,
    stop: &Stop,
    arguments: &Arguments,
) -> Result<End> {
    let mut left = arguments.tries.max(1);
    loop {
        let start = clock::now();
        let end = run_one(scenario, options, stop);
        stop.check()?;
        left -= 1;
        let (word, seconds) = (word(&end), clock::since(start).as_secs_f64());
        if !arguments.json {
            print!("{word:<8}{} ({}, {seconds:.0} s)\n{}", scenario.name, file.display(), details(&end));
        }
        if word != "FAILED" || left == 0 {
            return Ok(end);
        }
        eprintln!("once more");
    }
}

/// The files, and those in the folders by name.
fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path).with_context(|| path.display().to_string())?;
        let mut inside = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
        inside.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

fn run_one(scenario: &Scenario, options: &Options, stop: &Stop) -> End {
    match run(scenario, options, stop) {
        Ok(outcomes) => End::Done(outcomes),
        Err(error) => {
            let text = format!("{error:#}");
            if text.contains(SKIPPED) {
                End::Skipped(text)
            } else {
                End::Broken(text)
            }
        }
    }
}

fn word(end: &End) -> &'static str {
    match end {
        End::Done(outcomes) if outcomes.is_right() => "ok",
        End::Skipped(_) => "SKIPPED",
        _ => "FAILED",
    }
}

fn details(end: &End) -> String {
    match end {
        End::Done(outcomes) => report::text(outcomes),
        End::Skipped(text) | End::Broken(text) => format!("  {text}\n"),
    }
}

fn json(file: &std::path::Path, end: &End) -> Value {
    let (outcomes, error) = match end {
        End::Done(outcomes) => (Some(outcomes), None),
        End::Skipped(text) | End::Broken(text) => (None, Some(text)),
    };
    json!({"file": file, "end": word(end), "error": error, "outcomes": outcomes})
}
