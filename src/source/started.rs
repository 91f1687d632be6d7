//! Which process id was given out last: where it is the same as before, nothing was started, and nobody need list /proc.
//!
//! It is the last word of /proc/loadavg (`loadavg_proc_show`, fs/proc/loadavg.c: the cursor of the reader's own pid
//! namespace). That file cannot hang as those of a process can, and costs 2 us, so it is read beside the counters: the
//! thread that lists processes sleeps on while none is started.

use super::contract::{Context, KeptFile, Lane, Pace, Reading, Roots, Source, SourceError, SourceInfo};
use std::time::Duration;

/// Whether processes are started.
pub static SOURCE: SourceInfo = SourceInfo {
    name: "started",
    help: "Whether a process was started, from /proc/loadavg.",
    privilege: "",
    pace: Pace::Tick,
    lane: Lane::Counters,
    deadline: Duration::from_secs(1),
    // What it reads is for the source `processes`.
    tables: &[],
    open,
};

/// `Absent` if the listed /proc is not of our own pid namespace: a container that looks at its host's /proc has another
/// cursor than the processes that it sees.
fn open(roots: &Roots) -> Result<Box<dyn Source>, SourceError> {
    let own = std::fs::read_link(roots.proc.join("self")).ok();
    let is_ours = own.and_then(|own| own.to_str()?.parse().ok()) == Some(std::process::id());
    if !is_ours {
        return Err(SourceError::Absent(format!("{} is of other processes", roots.proc.display())));
    }
    Ok(Box::new(Started { file: KeptFile::open(roots.proc.join("loadavg"))? }))
}

struct Started {
    file: KeptFile,
}

impl Source for Started {
    fn read(&mut self, _: &Context) -> Result<Reading, SourceError> {
        let newest = last_id(self.file.read_piece()?).ok_or_else(|| SourceError::Format {
            what: self.file.path().display().to_string(),
            line: 1,
            problem: "no process id at its end".into(),
        })?;
        Ok(Reading { newest_process: Some(newest), ..Reading::unchanged() })
    }
}

fn last_id(text: &str) -> Option<u32> {
    text.split_ascii_whitespace().nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{last_id, open};
    use crate::source::contract::{Context, Roots, SourceError};
    use std::path::PathBuf;

    #[test]
    fn the_last_word_is_the_last_id() {
        assert_eq!(last_id("0.20 0.18 0.12 1/80 11206\n"), Some(11206));
        assert_eq!(last_id("0.20 0.18"), None);
    }

    #[test]
    fn a_new_process_is_noticed() {
        let mut source = open(&Roots::default()).expect("our own /proc");
        let mut newest = || source.read(&Context::default()).expect("reads").newest_process;
        let before = newest();
        std::process::Command::new("true").status().expect("started");
        assert!(before.is_some() && newest() != before);
    }

    #[test]
    fn another_proc_says_nothing_of_its_processes() {
        let roots = Roots { proc: PathBuf::from("/nowhere"), ..Roots::default() };
        assert!(matches!(open(&roots), Err(SourceError::Absent(_))));
    }
}
