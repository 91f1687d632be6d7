//! `miglink predict`: how long a guest would take to move off this host, how long it would pause, and what would help; or how
//! long many guests would take.

use super::arguments::{Output, Predict};
use super::asked::Naming;
use super::check::sample;
use super::config::Config;
use super::vms;
use crate::analysis::forecast::evacuation::{all, plan, Guest, Lane};
use crate::analysis::forecast::prospect::{self, Prospect};
use crate::analysis::forecast::question::Question;
use crate::output::evacuation::Evacuation;
use crate::output::forecast::{json_of, nobody_knows, table};
use crate::sample::footing::Footing;
use crate::sample::frame::Frame;
use crate::source::contract::Roots;
use anyhow::{anyhow, bail};
use std::io::Write;
use std::sync::Arc;

/// Prints what is expected; says whether it converges.
pub fn run(arguments: &Predict) -> anyhow::Result<bool> {
    let (text, converges) = match &arguments.vms {
        Some(file) => {
            let guests = vms::read(file, &arguments.asked)?;
            evacuate(arguments, &guests, &look(arguments)?)?
        }
        None => {
            let question = arguments.asked.question(Naming::Flag).map_err(|problem| anyhow!(problem))?;
            one(arguments, &question, &look(arguments)?)?
        }
    };
    // A reader that has enough (head, grep -q) is no failure.
    std::io::stdout().write_all(text.as_bytes()).ok();
    Ok(converges)
}

/// The links to tell of; none for a way that is given, of which no host needs to be looked at.
fn look(arguments: &Predict) -> anyhow::Result<Vec<Arc<Footing>>> {
    if arguments.asked.bandwidth.is_some() && arguments.link.is_empty() {
        return Ok(Vec::new());
    }
    let config = match &arguments.config_file {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    let roots = Roots { proc: arguments.procfs.clone(), sys: arguments.sysfs.clone() };
    let (frame, _) = sample(&config, roots, arguments.time)?;
    let found = links(&frame, &arguments.link).map_err(|problem| anyhow!(problem))?;
    if found.is_empty() {
        bail!("no link of this host is up and has an address; give what the way carries with --bandwidth");
    }
    Ok(found)
}

/// The links of these names that connections can end on; without names, all.
///
/// # Errors
/// A name that is none of theirs.
pub fn links(frame: &Frame, names: &[String]) -> Result<Vec<Arc<Footing>>, String> {
    if names.is_empty() {
        return Ok(frame.footings.to_vec());
    }
    let find = |name: &String| {
        let found = frame.footings.iter().find(|footing| *footing.device == **name).cloned();
        found.ok_or_else(|| {
            let is_there = frame.links.all().iter().any(|link| link.name == *name);
            let why = if is_there { "has no address, or is down, or is not shown" } else { "does not exist" };
            let known: Vec<&str> = frame.footings.iter().map(|footing| &*footing.device).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            format!("{name} {why}; the links that could carry a migration are: {known}")
        })
    };
    names.iter().map(find).collect()
}

/// The answers for these links, the best first; without any, for the way that is given.
pub fn prospects(links: &[Arc<Footing>], question: &Question) -> Vec<Prospect> {
    if links.is_empty() {
        return vec![prospect::of(None, question)];
    }
    let mut list: Vec<Prospect> = links.iter().map(|link| prospect::of(Some(link), question)).collect();
    prospect::rank(&mut list);
    list
}

fn one(arguments: &Predict, question: &Question, links: &[Arc<Footing>]) -> anyhow::Result<(String, bool)> {
    let list = prospects(links, question);
    let known: Vec<_> = list.iter().filter_map(|prospect| prospect.expected).collect();
    let text = match arguments.output {
        Output::Table => table(&list, question, if arguments.link.is_empty() { 1 } else { list.len() }),
        Output::Json => format!("{:#}\n", json_of(&list)),
    };
    if known.is_empty() {
        // What could be found out is still worth reading.
        std::io::stdout().write_all(text.as_bytes()).ok();
        let names: Vec<&str> = list.iter().filter_map(|prospect| prospect.device.as_deref()).collect();
        bail!("{}: {}", names.join(", "), nobody_knows(&list[0].capacity));
    }
    Ok((text, known.iter().any(|expected| expected.usual.converges)))
}

fn evacuate(arguments: &Predict, guests: &[Guest], links: &[Arc<Footing>]) -> anyhow::Result<(String, bool)> {
    let given = arguments.asked.bandwidth.map(|rate| rate.0);
    let mut lanes = Vec::new();
    if links.is_empty() {
        lanes.extend(Lane::of(None, given, guests));
    }
    for link in links {
        match Lane::of(Some(link), given, guests) {
            Some(lane) => lanes.push(lane),
            None if arguments.link.is_empty() => {}
            None => bail!("nobody knows what {} carries; give it with --bandwidth", link.device),
        }
    }
    if lanes.is_empty() {
        bail!("nobody knows what any link of this host carries; give it with --bandwidth");
    }
    let parallel = arguments.parallel.unwrap_or(lanes.len() as u32);
    let (chosen, plans) = (plan(guests, &lanes, parallel), all(guests, &lanes));
    let found = Evacuation { guests, lanes: &lanes, plan: &chosen, plans: &plans };
    let text = match arguments.output {
        Output::Table => found.table(),
        Output::Json => format!("{:#}\n", found.json()),
    };
    Ok((text, chosen.total().is_finite()))
}
