//! `cargo xtask page`: a real migration, and miglink's page in a real browser meanwhile. What must hold of it is checked
//! (`views`), and every view leaves a picture to be looked at.

mod chromium;
mod views;

use crate::apt;
use anyhow::{ensure, Context, Result};
use lab::exporter::binary;
use lab::proxy::Proxy;
use lab::run::{Lab, Options};
use lab::scenario::Scenario;
use lab::stop::Stop;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use views::Views;

/// Flags of `page`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What migrates: a scenario that lasts half a minute at least
    #[arg(default_value = "lab/page.yaml")]
    scenario: PathBuf,
    /// Where the pictures go
    #[arg(long, value_name = "FOLDER", default_value = "target/page")]
    pictures: PathBuf,
    /// The miglink to look at; without it: target/release/miglink, else target/debug/miglink
    #[arg(long, env = "MIGLINK", value_name = "PATH")]
    miglink: Option<PathBuf>,
}

/// Runs it.
///
/// # Errors
/// When it cannot be done here, or the machine fails.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    apt::ensure(&["chromium", "fonts-dejavu-core", "iproute2", "qemu-system-x86"])?;
    ensure!(apt::root(), "a host made of namespaces needs root");
    std::fs::create_dir_all(&arguments.pictures)?;
    let text = std::fs::read_to_string(&arguments.scenario)
        .with_context(|| arguments.scenario.display().to_string())?;
    let scenario = Scenario::parse(&text).with_context(|| arguments.scenario.display().to_string())?;
    let stop = Stop::on_signals()?;
    let options = Options { miglink: Some(binary(arguments.miglink.clone())?), ..Options::default() };
    let problems = look(&scenario, &options, &arguments.pictures, &stop)?;
    for problem in &problems {
        println!("FAILED  {problem}");
    }
    println!("pictures are in {}", arguments.pictures.display());
    Ok(ExitCode::from(u8::from(!problems.is_empty())))
}

/// Migrates, and looks at the page before, meanwhile, after, and when nobody answers any more. Gives what does not hold.
fn look(scenario: &Scenario, options: &Options, pictures: &Path, stop: &Stop) -> Result<Vec<String>> {
    let mut lab = Lab::start(scenario, options, stop)?;
    let proxy = Proxy::start(&lab.hosts[0], 0)?;
    let mut views = Views::start(&format!("http://{}/", proxy.address), pictures)?;
    views.idle()?;
    // The browser looks on a thread of its own while the lab drives the migration on this one.
    let (sender, receiver) = mpsc::channel();
    let looker = std::thread::spawn(move || {
        let seen = views.running();
        sender.send((views, seen)).ok();
    });
    lab.migrate(stop, |_| ())?;
    looker.join().ok().context("the browser's thread")?;
    let (mut views, seen) = receiver.recv()?;
    seen?;
    lab.settle(stop)?;
    views.over()?;
    drop(proxy);
    drop(lab);
    views.silent()?;
    Ok(views.problems)
}
