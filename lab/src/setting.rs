//! Settings of the whole machine, which no namespace has for itself. Only one run at a time may change one; the old value
//! is in its list of what it made, and is put back from there.

use anyhow::{bail, Context, Result};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// What a line of a list begins with; the name and the old value follow.
pub const LINE: &str = "setting ";
/// How many packets may wait for a CPU between a driver and the protocols.
pub const BACKLOG: &str = "net.core.netdev_max_backlog";

/// Where the kernel has a setting.
pub fn file(name: &str) -> PathBuf {
    Path::new("/proc/sys").join(name.replace('.', "/"))
}

/// The right to change settings, until it is dropped or its process is gone.
///
/// # Errors
/// When another run has it.
pub fn claim(base: &Path) -> Result<File> {
    let path = base.join("settings.lock");
    let lock = File::create(&path).with_context(|| path.display().to_string())?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            bail!("another run has changed the machine's settings; wait for its end")
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The line that keeps a setting's value. What a killed run has written down is older and true: what is set now may be that
/// run's own. `lists` are those of all runs.
pub fn line(name: &str, now: &str, lists: &[String]) -> String {
    let kept = lists.iter().flat_map(|list| list.lines()).filter_map(parse);
    let old = kept.filter(|(known, _)| *known == name).map(|(_, old)| old).next();
    format!("{LINE}{name} {}", old.unwrap_or(now).trim())
}

/// Name and old value of a line of a list; `None` if it is of something else.
pub fn parse(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix(LINE)?.split_once(' ')
}

/// Writes a setting.
pub fn write(name: &str, value: &str) -> Result<()> {
    let path = file(name);
    fs::write(&path, value).with_context(|| format!("writing {value} to {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::{claim, line, parse};

    #[test]
    fn what_a_killed_run_found_is_the_old_value() {
        let lists =
            ["owner 1 2\nnamespace a\n".to_owned(), "owner 3 4\nsetting net.core.a 1000\n".to_owned()];
        assert_eq!(line("net.core.a", "16\n", &lists), "setting net.core.a 1000");
        assert_eq!(line("net.core.b", "16\n", &lists), "setting net.core.b 16");
        assert_eq!(parse("setting net.core.b 16"), Some(("net.core.b", "16")));
        assert_eq!(parse("namespace net.core.b"), None);
    }

    #[test]
    fn one_at_a_time() {
        let base = std::env::temp_dir().join(format!("miglink-lab-setting-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        let first = claim(&base).unwrap();
        assert!(format!("{:#}", claim(&base).unwrap_err()).contains("another run"));
        drop(first);
        claim(&base).unwrap();
        std::fs::remove_dir_all(&base).unwrap();
    }
}
