//! `miglink explain`: what a cause means.

use super::arguments::{Explain, Output};
use crate::output::explain::{causes, nearest};
use anyhow::anyhow;
use std::io::Write;

/// Prints one cause, or all in a sentence each.
pub fn run(arguments: &Explain) -> anyhow::Result<()> {
    let causes = causes();
    let text = match (&arguments.cause, arguments.output) {
        (None, Output::Json) => {
            format!("{:#}\n", causes.iter().map(|cause| cause.json()).collect::<serde_json::Value>())
        }
        (None, Output::Table) => {
            let width = causes.iter().map(|cause| cause.name.len()).max().unwrap_or(0);
            let lines = causes.iter().map(|cause| format!("{:width$}  {}", cause.name, cause.meaning()));
            lines.chain([String::new()]).collect::<Vec<_>>().join("\n")
        }
        (Some(name), output) => {
            let found = causes.iter().find(|cause| cause.name == name);
            let cause = found.ok_or_else(|| {
                let near = match nearest(name).join(", ") {
                    names if names.is_empty() => names,
                    names => format!("; did you mean {names}?"),
                };
                anyhow!("there is no cause '{name}'{near} (`miglink explain` lists all)")
            })?;
            match output {
                Output::Table => cause.text(),
                Output::Json => format!("{:#}\n", cause.json()),
            }
        }
    };
    // A reader that has enough (head, grep -q) is no failure.
    std::io::stdout().write_all(text.as_bytes()).ok();
    Ok(())
}
