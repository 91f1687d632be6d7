//! The results as a section of the documentation.

use super::kinds::KINDS;
use super::report;
use super::score::Score;
use crate::accuracy::machine::Machine;
use crate::accuracy::HELD_OUT;
use std::fmt::Write;

/// The section. `command` is what was typed.
pub fn section(command: &str, seed: u64, machine: &Machine, score: &Score) -> String {
    let kind = if seed >= HELD_OUT { "held out: the model was not tuned on it" } else { "of tuning" };
    let mut text = format!(
        "## Forecasts\n\n\
         Real live migrations of emulated guests, drawn from a seed; what miglink said of each before and during it, against what\n\
         happened by QEMU's own events.\n\n\
         * Command: `{command}`, seed {seed} ({kind})\n* {}\n* {}\n",
        machine.line(),
        report::headline(score)
    );
    text.push_str(
        "| runs | forecast made | ended | said | total, median error | p90 | within p10 to p90 | pause, median error | p90 | \
         within | end told rightly |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in &score.errors {
        let cells = report::cells(row).join(" | ");
        writeln!(text, "| {} | {} | {} | {} | {cells} |", row.half, row.stage, row.runs, row.said).ok();
    }
    text.push('\n');
    for endings in &score.endings {
        writeln!(text, "* {}: {}", endings.half, report::endings(endings)).ok();
    }
    text.push_str(MEANING);
    text.push_str("\n| kind | what it is |\n|---|---|\n");
    for kind in &KINDS {
        writeln!(text, "| {} | {} |", kind.name, kind.made).ok();
    }
    text
}

/// How to read the numbers, and what they do not say.
const MEANING: &str = "\n\
* Before: `miglink predict` on the source, told the guest's memory, zero share, working set, and the dirty rate that it had while it moved\n  \
(or in the second before); the link's capacity it finds itself. In flight: `forecast` of `/api/v1/migrations`, asked every 250 ms; the last answer before a\n  \
quarter, a half and three quarters of the actual whole time. With profile: the guest's parameters are in miglink's configuration.\n\
* Total: from the start of the setup until the guest runs at the destination. Its error is relative, that of the pause is not. p90: nine\n  \
tenths are better. Errors are of migrations that ended by themselves.\n\
* An endless migration is one that was still copying when it was called off, after 15 s for those made to be endless and 50 s for others.\n\
* Not covered: more than one channel, compression, post-copy, auto-converge, several migrations at once, guests whose pace changes,\n  \
hardware acceleration (guests are emulated, so devices take longer and pages are found more slowly), links above 100 MB/s.\n";
