//! A host of the lab: a process that is the first of its own network, mount, process and name (UTS) namespaces, so that a
//! program inside sees its own links and its own processes, as on a machine of its own. When that process is killed,
//! the kernel ends everything inside.

use crate::made::Made;
use crate::scenario::fault::Side;
use crate::scenario::Link;
use crate::stop::Stop;
use crate::{clock, shell};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The name of a host's link to the path, on every host.
pub const LINK: &str = Link::Mig0.name();

/// A running host.
#[derive(Debug)]
pub struct Host {
    /// Source or destination.
    pub side: Side,
    /// Its network namespace.
    pub namespace: String,
    /// Where its files are.
    pub folder: PathBuf,
    /// The network namespace in which its hypervisors live, where that is another.
    pub pod: Option<String>,
    first: u32,
}

impl Host {
    /// Starts it in a network namespace that is there. `setup` is shell text that is run inside first.
    pub fn start(made: &Made, side: Side, namespace: &str, setup: &str, stop: &Stop) -> Result<Self> {
        let folder = made.folder().join(side.short());
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let ready = folder.join("ready");
        // The first process must take up the exit codes of orphans, as a shell that waits does.
        let script = format!(
            "set -e\nmount --make-rprivate /\nhostname {namespace}\n{setup}\n: >{}\nsleep infinity & wait\n",
            ready.display()
        );
        let log = File::create(folder.join("host.log")).context("a log")?;
        let child = Command::new("ip")
            .args(["netns", "exec", namespace, "unshare", "--mount", "--uts", "--pid", "--fork"])
            .args(["--kill-child", "--mount-proc", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("a log")?)
            .stderr(log)
            .spawn()
            .context("ip netns exec")?;
        let outer = made.child(child)?;
        let first = clock::wait("a host", Duration::from_secs(10), stop, || {
            anyhow::ensure!(
                alive(outer),
                "{}",
                fs::read_to_string(folder.join("host.log")).unwrap_or_default()
            );
            Ok(ready.exists().then(|| only_child(outer)).flatten())
        })?;
        made.process(first)?;
        Ok(Self { side, namespace: namespace.to_owned(), folder, pod: None, first })
    }

    /// A program on this host.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        self.command_in(&format!("/proc/{}/ns/net", self.first), program)
    }

    /// A program on this host, where its hypervisors live.
    pub fn hypervisor(&self, program: &str) -> Command {
        match &self.pod {
            Some(pod) => self.command_in(&format!("/run/netns/{pod}"), program),
            None => self.command(program),
        }
    }

    fn command_in(&self, network: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--target={}", self.first)).args(["--mount", "--uts", "--pid"]);
        command.arg(format!("--net={network}")).arg("--").arg(program).stdin(Stdio::null());
        command
    }

    /// Starts a program of [`command`](Self::command) that stays, with a log of its own; its process number, as the
    /// machine sees it.
    pub fn spawn(&self, made: &Made, command: &mut Command, log: &str, stop: &Stop) -> Result<u32> {
        let file = File::create(self.folder.join(log)).context("a log")?;
        command.stdout(file.try_clone().context("a log")?).stderr(file);
        let outer = made.child(command.spawn().context("nsenter")?)?;
        let inner = clock::wait("a process", Duration::from_secs(10), stop, || {
            anyhow::ensure!(alive(outer), "{}", self.log(log));
            Ok(only_child(outer))
        })?;
        made.process(inner)?;
        Ok(inner)
    }

    /// What a program said.
    pub fn log(&self, log: &str) -> String {
        fs::read_to_string(self.folder.join(log)).unwrap_or_default().trim().to_owned()
    }

    /// Writes a kernel setting of where its hypervisors live.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let path = Path::new("/proc/sys").join(name.replace('.', "/"));
        let mut write = self.hypervisor("sh");
        shell::finish(write.args(["-c", "printf %s \"$1\" >\"$2\"", "sh", value]).arg(path)).map(drop)
    }

    /// The file that stands for its network namespace.
    pub fn network(&self) -> Result<File> {
        File::open(format!("/proc/{}/ns/net", self.first)).context("a network namespace")
    }

    /// Processes inside whose command line holds a text, as the machine numbers them.
    pub fn processes(&self, text: &str) -> Vec<u32> {
        let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = space(&self.first.to_string());
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let names = all.filter_map(|entry| entry.file_name().into_string().ok());
        let inside =
            names.filter(|pid| pid.bytes().all(|b| b.is_ascii_digit()) && own.is_some() && space(pid) == own);
        let wanted = inside.filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(text)
        });
        wanted.filter_map(|pid| pid.parse().ok()).collect()
    }
}

fn alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// The process that `unshare --fork` or `nsenter --pid` has started.
fn only_child(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}
