//! `miglink migrations`: the migrations that are recorded, whether the exporter runs or not.

use super::arguments::{Migrations, Output};
use super::config::Config;
use crate::output::recorded::{table, Recorded};
use crate::record::migration::MigrationRecord;
use crate::record::reader::{moment, Recording};
use anyhow::Context;
use serde_json::json;
use std::io::Write;

/// Prints the list, the oldest first.
pub fn run(arguments: &Migrations) -> anyhow::Result<()> {
    let config = match &arguments.config_file {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    let folder = config.storage.folder(arguments.path.clone());
    let recording = Recording::new(&folder);
    let (records, damage) = recording.migrations().with_context(|| {
        format!("nothing is recorded in {}; another folder is given by --storage.path", folder.display())
    })?;
    for damage in damage {
        eprintln!("miglink: {} {}", damage.path.display(), damage.what);
    }
    let wanted =
        |record: &&MigrationRecord| arguments.vm.as_deref().is_none_or(|vm| record.text("vm") == Some(vm));
    let records: Vec<_> = records.iter().filter(wanted).collect();
    let text = match arguments.output {
        Output::Table => table(&records.iter().map(|record| recorded(record)).collect::<Vec<_>>()),
        Output::Json => format!("{:#}\n", json!({ "migrations": records })),
    };
    // A reader that has enough (head, grep -q) is no failure.
    std::io::stdout().write_all(text.as_bytes()).ok();
    Ok(())
}

fn recorded(record: &MigrationRecord) -> Recorded {
    let text = |name| record.text(name).unwrap_or_default().to_owned();
    let began = record.began().unwrap_or_default();
    // 20261123T034635Z
    let began = moment((began * 1e9) as u64);
    let part = |range| began.get(range).unwrap_or_default();
    let began = format!(
        "{}-{}-{} {}:{}:{}",
        part(0..4),
        part(4..6),
        part(6..8),
        part(9..11),
        part(11..13),
        part(13..15)
    );
    Recorded {
        id: record.id.clone(),
        began,
        vm: text("vm"),
        direction: text("direction"),
        device: text("device"),
        result: record.result().map(str::to_owned),
        seconds: record.phases().iter().map(|phase| phase.seconds).sum(),
        pause: record.number("migration_guest_downtime_seconds"),
        cause: record.cause(),
    }
}
