//! What a run has made on this machine: written down before it is made, removed at the end, and removed by the next
//! run if this one was killed. A run's folder holds its files and the list.

use crate::{clock, setting, shell, SKIPPED};
use anyhow::{Context, Result};
use rustix::process::{kill_process, Pid, Signal};
use std::cell::RefCell;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

/// What the names of all namespaces of the lab begin with; the process number of the run follows.
pub const PREFIX: &str = "mlab";
/// Name of the list in a run's folder.
const LIST: &str = "made";

/// A run's folder and list. Dropping it removes everything, unless it is kept.
#[derive(Debug)]
pub struct Made {
    folder: PathBuf,
    list: RefCell<String>,
    children: RefCell<Vec<Child>>,
    /// The right to change settings of the machine.
    settings: RefCell<Option<File>>,
    keep: bool,
}

impl Made {
    /// A new run's; what killed runs left is removed first. With `keep` the folder's files stay.
    pub fn new(keep: bool) -> Result<Self> {
        clean()?;
        let pid = std::process::id();
        // A program may make many runs and keep their folders.
        let free = |number: &u32| !base().join(format!("{pid}-{number}")).exists();
        let number = (1..10_000).find(free).context("too many kept runs")?;
        let folder = base().join(format!("{pid}-{number}"));
        fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
        let (list, children, settings) = (RefCell::default(), RefCell::default(), RefCell::default());
        let made = Self { folder, list, children, settings, keep };
        made.note(&format!("owner {pid} {}", start_time(pid).unwrap_or_default()))?;
        Ok(made)
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A namespace of this name will be made.
    pub fn namespace(&self, name: &str) -> Result<()> {
        self.note(&format!("namespace {name}"))
    }

    /// A folder outside the run's own will be made; it is removed if it is empty.
    pub fn folder_outside(&self, path: &Path) -> Result<()> {
        self.note(&format!("folder {}", path.display()))
    }

    /// A process that was started.
    pub fn child(&self, child: Child) -> Result<u32> {
        let pid = child.id();
        self.children.borrow_mut().push(child);
        self.process(pid)?;
        Ok(pid)
    }

    /// A process that was started by another.
    pub fn process(&self, pid: u32) -> Result<()> {
        self.note(&format!("process {pid} {}", start_time(pid).unwrap_or_default()))
    }

    /// Changes a setting of the whole machine; the end of the run puts back what was.
    ///
    /// # Errors
    /// When it cannot be changed here, or another run has changed one.
    pub fn setting(&self, name: &str, value: &str) -> Result<()> {
        if self.settings.borrow().is_none() {
            *self.settings.borrow_mut() = Some(setting::claim(&base())?);
        }
        let now = fs::read_to_string(setting::file(name)).with_context(|| format!("{SKIPPED} {name}"))?;
        // Before it is noted: what cannot be written cannot be put back either.
        setting::write(name, now.trim()).with_context(|| format!("{SKIPPED} {name}"))?;
        self.note(&setting::line(name, &now, &lists()))?;
        setting::write(name, value)
    }

    /// Puts a setting back before the end of the run.
    pub fn put_back(&self, name: &str) -> Result<()> {
        let list = self.list.borrow();
        let old = list.lines().filter_map(setting::parse).find(|(known, _)| *known == name);
        old.map_or(Ok(()), |(name, old)| setting::write(name, old))
    }

    fn note(&self, line: &str) -> Result<()> {
        self.list.borrow_mut().extend([line, "\n"]);
        let path = self.folder.join(LIST);
        let mut list = OpenOptions::new().append(true).create(true).open(&path).context("the run's list")?;
        writeln!(list, "{line}").context("the run's list")
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for child in self.children.borrow_mut().iter_mut() {
            child.kill().ok();
            child.wait().ok();
        }
        if let Err(error) = remove(&self.folder, &self.list.borrow(), self.keep) {
            eprintln!("lab: {error:#}");
        }
    }
}

/// Removes what runs left that are no more; says how many.
///
/// # Errors
/// When something cannot be removed.
pub fn clean() -> Result<usize> {
    let mut removed = 0;
    for run in fs::read_dir(base()).into_iter().flatten() {
        let folder = run.context("the runs' folder")?.path();
        let list = fs::read_to_string(folder.join(LIST)).unwrap_or_default();
        let mut owner = list.lines().filter_map(|line| line.strip_prefix("owner ")).filter_map(parse_process);
        if owner.any(|(pid, start)| start_time(pid) == Some(start)) {
            continue;
        }
        // A kept folder has no list any more: it is the user's.
        if !list.is_empty() {
            remove(&folder, &list, false)?;
            removed += 1;
        }
    }
    orphans().into_iter().try_for_each(|name| shell::run(&format!("ip netns del {name}")).map(drop))?;
    Ok(removed)
}

/// The lists of all runs.
fn lists() -> Vec<String> {
    let runs = fs::read_dir(base()).into_iter().flatten().flatten();
    runs.filter_map(|run| fs::read_to_string(run.path().join(LIST)).ok()).collect()
}

/// Namespaces of runs that are no more and whose list is gone too: their names hold the run's process number.
fn orphans() -> Vec<String> {
    let all = fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = all.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| owner(name).is_some_and(|pid| start_time(pid).is_none())).collect()
}

/// The process number in a namespace's name.
fn owner(namespace: &str) -> Option<u32> {
    namespace.strip_prefix(PREFIX)?.split('-').next()?.parse().ok()
}

/// Removes what one list names, last made first.
fn remove(folder: &Path, list: &str, keep: bool) -> Result<()> {
    // First, and whatever becomes of the rest: it concerns everybody.
    let settings = list.lines().filter_map(setting::parse);
    let put_back = settings.map(|(name, old)| setting::write(name, old)).fold(Ok(()), Result::and);
    // Folders are empty only when processes are gone: control groups, mount points.
    for wanted in ["process ", "namespace ", "folder "] {
        for rest in list.lines().rev().filter_map(|line| line.strip_prefix(wanted)) {
            match wanted {
                "process " => parse_process(rest).into_iter().for_each(|(pid, start)| end(pid, start)),
                "namespace " if Path::new("/run/netns").join(rest).exists() => {
                    shell::run(&format!("ip netns del {rest}")).map(drop)?;
                }
                "folder " => remove_folder(Path::new(rest)),
                _ => {}
            }
        }
    }
    // The list stays, for the next to try.
    put_back?;
    if keep {
        println!("kept: {}", folder.display());
        return fs::remove_file(folder.join(LIST)).context("the run's list");
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Removes a folder if it is empty. A control group's empties when its last process is gone, a moment after its kill.
fn remove_folder(path: &Path) {
    for _ in 0..100 {
        if !path.exists() || fs::remove_dir(path).is_ok() || !path.starts_with("/sys") {
            return;
        }
        clock::sleep(Duration::from_millis(10));
    }
}

/// Kills a process, if it is still the one that was started then, and waits until it is gone.
fn end(pid: u32, start: u64) {
    let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    for _ in 0..500 {
        if start_time(pid) != Some(start) {
            return;
        }
        kill_process(process, Signal::KILL).ok();
        clock::sleep(Duration::from_millis(10));
    }
}

fn parse_process(text: &str) -> Option<(u32, u64)> {
    let (pid, start) = text.split_once(' ')?;
    Some((pid.parse().ok()?, start.parse().ok()?))
}

/// When a process started, in clock ticks since boot; `None` if it is gone or only its exit code is left.
fn start_time(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the name in parentheses, which may itself hold spaces and parentheses.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok()).flatten()
}

fn base() -> PathBuf {
    std::env::temp_dir().join("miglink-lab")
}

#[cfg(test)]
mod tests {
    use super::{end, owner, parse_process, start_time};
    use std::process::Command;

    #[test]
    fn a_namespace_names_its_run() {
        assert_eq!(owner("mlab123-src-pod"), Some(123));
        assert_eq!(owner("mlab-src"), None);
        assert_eq!(owner("other123-src"), None);
    }

    #[test]
    fn a_process_is_known_by_its_start_too() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let start = start_time(pid).unwrap();
        assert_eq!(parse_process(&format!("{pid} {start}")), Some((pid, start)));
        end(pid, start + 1);
        assert!(child.try_wait().unwrap().is_none(), "another process that has the number now is left alone");
        end(pid, start);
        assert!(child.try_wait().unwrap().is_some(), "killed");
    }
}
