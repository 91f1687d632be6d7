//! A network namespace with N links, and a folder to go with it, that are gone when we are, however we end.

use anyhow::{bail, Context, Result};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A namespace of our own.
pub struct Namespace {
    name: String,
    scratch: PathBuf,
    janitor: Child,
}

impl Namespace {
    /// Makes `links` veth devices (rounded down to pairs), all up, without IPv6 so that nothing speaks by itself.
    pub fn with_links(links: usize) -> Result<Self> {
        let name = format!("miglink-scale-{links}");
        if Path::new("/run/netns").join(&name).exists() {
            bail!("namespace {name} exists: another run is on; if it is left over: ip netns del {name}");
        }
        let everyone_may_read = std::fs::Permissions::from_mode(0o755);
        let scratch =
            tempfile::Builder::new().prefix("miglink-scale-").permissions(everyone_may_read).tempdir()?;
        let janitor = janitor(&name, scratch.path())?;
        let namespace = Self { name, scratch: scratch.keep(), janitor };
        expect(Command::new("ip").args(["netns", "add", &namespace.name]).status(), "ip netns add")?;
        let no_ipv6 = "cd /proc/sys/net/ipv6/conf 2>/dev/null || exit 0; \
                       echo 1 > all/disable_ipv6; echo 1 > default/disable_ipv6";
        expect(namespace.command("sh").args(["-c", no_ipv6]).status(), "disabling IPv6")?;
        namespace.batch(&links_to_make(links))?;
        Ok(namespace)
    }

    /// A command that runs in the namespace, with /sys of the namespace.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// An empty folder that every user may read.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    fn batch(&self, lines: &str) -> Result<()> {
        let mut ip =
            Command::new("ip").args(["-n", &self.name, "-batch", "-"]).stdin(Stdio::piped()).spawn()?;
        if let Some(mut input) = ip.stdin.take() {
            input.write_all(lines.as_bytes()).context("ip -batch stopped reading")?;
        }
        expect(ip.wait(), "ip -batch")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its standard input ends, and that is its sign.
        drop(self.janitor.stdin.take());
        if let Err(error) = self.janitor.wait() {
            eprintln!("namespace {} may be left over: {error}", self.name);
        }
    }
}

/// A child that deletes the namespace and the folder when its standard input ends, which the kernel sees to however we end. It has a
/// process group of its own, because Ctrl-C goes to the whole group of the terminal's foreground.
fn janitor(name: &str, scratch: &Path) -> Result<Child> {
    let script = "cat >/dev/null; rm -rf \"$1\"; [ -e /run/netns/\"$0\" ] || exit 0; \
                  ip netns pids \"$0\" | xargs -r kill -KILL; ip netns del \"$0\"";
    Command::new("sh")
        .args(["-c", script, name])
        .arg(scratch)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("sh does not start")
}

fn links_to_make(links: usize) -> String {
    let mut lines = String::from("link set lo up\n");
    for pair in 0..links / 2 {
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            "link add va{pair:05} up type veth peer name vb{pair:05}\nlink set vb{pair:05} up"
        );
    }
    lines
}

fn expect(status: std::io::Result<ExitStatus>, what: &str) -> Result<()> {
    let status = status.with_context(|| format!("{what} does not start"))?;
    if !status.success() {
        bail!("{what} ended with {status}");
    }
    Ok(())
}
