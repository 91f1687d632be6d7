//! The command line, with flags as Prometheus users know them.

use super::amounts::Bytes;
use super::asked::Asked;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Exports this host's network links to Prometheus and tells why a live migration is slow.
#[derive(Debug, Parser)]
#[command(name = "miglink", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
pub struct Arguments {
    /// What to do; without a word: run.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of `run`.
    #[command(flatten)]
    pub run: Run,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sample this host's links and serve them (the default).
    Run(Run),
    /// Say which of this host's links would slow a live migration, by what factor, and what mends it.
    ///
    /// Exit code: 0 nothing found, 1 something found, 2 an error.
    Check(Check),
    /// Say how long a guest would take to move off this host, how long it would pause, and what would help.
    ///
    /// Exit code: 0 it converges, 1 it never ends, 2 an error.
    Predict(Box<Predict>),
    /// List the migrations that the exporter has recorded on this host.
    Migrations(Migrations),
    /// Explain a cause: what it means, how its evidence reads, what to do.
    Explain(Explain),
    /// Work with the configuration file.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Flags of `check`.
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// Look at this link only.
    #[arg(long, value_name = "DEVICE")]
    pub link: Option<String>,
    /// Causes of this phase only.
    #[arg(long, value_name = "PHASE")]
    pub phase: Option<PhaseName>,
    /// How long to look, for example 10s or 1m: what drops or is busy only now and then needs longer.
    #[arg(long = "for", value_name = "TIME", default_value = "3s", value_parser = looking_time)]
    pub time: Duration,
    /// Print what is fine and what nobody can tell, too.
    #[arg(long, short)]
    pub verbose: bool,
    /// Form of the answer.
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub output: Output,
    /// Configuration file (YAML): which links count.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Where procfs is mounted.
    #[arg(long = "path.procfs", value_name = "DIR", default_value = "/proc")]
    pub procfs: PathBuf,
    /// Where sysfs is mounted.
    #[arg(long = "path.sysfs", value_name = "DIR", default_value = "/sys")]
    pub sysfs: PathBuf,
}

/// Flags of `predict`.
#[derive(Debug, Clone, Args)]
pub struct Predict {
    /// The guest.
    #[command(flatten)]
    pub asked: Asked,
    /// Over this link; may be given more than once. Without it: every link that could carry it, the best first.
    #[arg(long, value_name = "DEVICE")]
    pub link: Vec<String>,
    /// Many guests instead of one: a YAML list of name, memory, dirty_rate, working_set, zero.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["memory", "dirty_rate", "dirty_window", "zero", "concurrent"])]
    pub vms: Option<PathBuf>,
    /// So many guests at a time [default: one for each link].
    #[arg(long, value_name = "N", requires = "vms", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub parallel: Option<u32>,
    /// How long to look at this host: what others send is known better after longer.
    #[arg(long = "for", value_name = "TIME", default_value = "3s", value_parser = looking_time)]
    pub time: Duration,
    /// Form of the answer.
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub output: Output,
    /// Configuration file (YAML): which links count.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Where procfs is mounted.
    #[arg(long = "path.procfs", value_name = "DIR", default_value = "/proc")]
    pub procfs: PathBuf,
    /// Where sysfs is mounted.
    #[arg(long = "path.sysfs", value_name = "DIR", default_value = "/sys")]
    pub sysfs: PathBuf,
}

/// Flags of `migrations`.
#[derive(Debug, Clone, Args)]
pub struct Migrations {
    /// Those of this guest only.
    #[arg(long, value_name = "NAME")]
    pub vm: Option<String>,
    /// Form of the answer.
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub output: Output,
    /// Configuration file (YAML): where is recorded.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Folder of the recording [default: as the exporter's].
    #[arg(long = "storage.path", value_name = "DIR")]
    pub path: Option<PathBuf>,
}

/// Flags of `explain`.
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The cause; without it, all of them in a sentence each.
    pub cause: Option<String>,
    /// Form of the answer.
    #[arg(long, value_name = "FORM", default_value = "table")]
    pub output: Output,
}

/// A phase that flags are told of.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum PhaseName {
    /// Memory is copied, the guest runs.
    MemoryCopy,
    /// The guest stands still.
    StateTransfer,
}

/// Form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For a person.
    Table,
    /// For a program.
    Json,
}

fn looking_time(text: &str) -> Result<Duration, String> {
    let time = super::config::parse_duration(text);
    let time = time.ok_or("write a number with a unit, for example 3s, 10s or 1m")?;
    if !(Duration::from_secs(2)..=Duration::from_secs(3600)).contains(&time) {
        return Err("must be between 2s and 1h".into());
    }
    Ok(time)
}

/// Work with the configuration file.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say whether a configuration file is valid, and what is wrong with it.
    Check {
        /// The file.
        file: PathBuf,
    },
}

/// Flags of `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Configuration file (YAML). Without one, defaults that fit any host.
    #[arg(long = "config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Address to listen on, as HOST:PORT or :PORT. May be given more than once.
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":10063")]
    pub listen: Vec<String>,
    /// Path of the metrics.
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics", value_parser = telemetry_path)]
    pub telemetry_path: String,
    /// Allow POST /-/reload.
    #[arg(long = "web.enable-lifecycle")]
    pub enable_lifecycle: bool,
    /// What is recorded.
    #[command(flatten)]
    pub storage: Storage,
    /// Where procfs is mounted.
    #[arg(long = "path.procfs", value_name = "DIR", default_value = "/proc")]
    pub procfs: PathBuf,
    /// Where sysfs is mounted.
    #[arg(long = "path.sysfs", value_name = "DIR", default_value = "/sys")]
    pub sysfs: PathBuf,
    /// Least severe messages to log.
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    pub log_level: Level,
    /// Form of the log.
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt")]
    pub log_format: LogFormat,
}

/// Flags of the flight recorder.
#[derive(Debug, Clone, Default, Args)]
pub struct Storage {
    /// Folder of the recording [default: $STATE_DIRECTORY, /var/lib/miglink for root, ~/.local/state/miglink].
    #[arg(long = "storage.path", value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// How long recordings are kept [default: 7d].
    #[arg(long = "storage.retention.time", value_name = "TIME", value_parser = super::config::storage::kept)]
    pub retention_time: Option<Duration>,
    /// How large recordings may grow together [default: 10GiB].
    #[arg(long = "storage.retention.size", value_name = "BYTES", value_parser = super::config::storage::most)]
    pub retention_size: Option<Bytes>,
    /// Record nothing.
    #[arg(long)]
    pub no_storage: bool,
}

/// How severe a message is.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Level {
    /// For developers.
    Debug,
    /// What happens.
    Info,
    /// What may need attention.
    Warn,
    /// What does.
    Error,
}

/// Form of the log.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum LogFormat {
    /// key=value, a line a message.
    Logfmt,
    /// One JSON object a line.
    Json,
}

fn telemetry_path(text: &str) -> Result<String, String> {
    let taken = ["/-/", "/api/", "/page/"].iter().any(|own| text.starts_with(own)) || text == "/";
    if !text.starts_with('/') || taken {
        return Err("must start with a slash and not be /, /-/…, /api/… or /page/…".into());
    }
    Ok(text.to_owned())
}

/// The socket addresses that an address of the command line can mean, best first: `:10063` is every address of both
/// families, and IPv4 alone where there is no IPv6.
pub fn socket_addresses(text: &str) -> Result<Vec<SocketAddr>, String> {
    let mend = "write HOST:PORT, [IPv6]:PORT or :PORT";
    if let Some(port) = text.strip_prefix(':') {
        let port = port.parse().map_err(|_| format!("'{port}' in '{text}' is no port; {mend}"))?;
        return Ok(vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()]);
    }
    match std::net::ToSocketAddrs::to_socket_addrs(text) {
        Ok(found) => Ok(found.collect()),
        Err(error) => Err(format!("'{text}' is no address to listen on ({error}); {mend}")),
    }
}

#[cfg(test)]
mod tests {
    use super::{socket_addresses, Arguments};
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn addresses_are_written_as_in_prometheus() {
        let found =
            |text| socket_addresses(text).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(found(":9"), Ok(vec!["[::]:9".into(), "0.0.0.0:9".into()]));
        assert_eq!(found("127.0.0.1:0"), Ok(vec!["127.0.0.1:0".into()]));
        assert_eq!(found("[::1]:80"), Ok(vec!["[::1]:80".into()]));
        assert!(found(":http").is_err_and(|e| e.contains(":PORT")));
        assert!(found("10063").is_err_and(|e| e.contains("HOST:PORT")));
    }
}
