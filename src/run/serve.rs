//! Start and stop, in order: configuration, listeners, agent, server; then the server drains and the agent ends.

use super::agent::Agent;
use super::arguments::{socket_addresses, Run};
use super::config::Config;
use super::http::routes::Routes;
use super::http::server::{self, Limits};
use super::process::Process;
use super::recorder::Recorder;
use super::state;
use crate::analysis::flags::table as flags;
use crate::analysis::forecast::profiles;
use crate::analysis::migrations::table;
use crate::analysis::peaks;
use crate::output::page::Place;
use crate::source::contract::Roots;
use crate::source::SOURCES;
use anyhow::{anyhow, Context};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{signal, Signal, SignalKind};
use tokio::sync::Notify;

/// Runs until SIGTERM or SIGINT.
pub fn run(arguments: &Run) -> anyhow::Result<()> {
    super::logging::start(arguments.log_level, arguments.log_format);
    let config = match &arguments.config_file {
        Some(file) => Config::read(file)?,
        None => Config::default(),
    };
    let settings = config.settings()?;
    let listeners = arguments.listen.iter().map(|text| listen(text)).collect::<anyhow::Result<Vec<_>>>()?;
    let process = Process::new()?;
    let roots = Roots { proc: arguments.procfs.clone(), sys: arguments.sysfs.clone() };
    let recording = config.storage.recording(&arguments.storage);
    let metrics = process.recording(recording.is_some())?;
    let recorder = Recorder::start(recording, config.text, metrics, &arguments.procfs);
    let (recorder, ending) = recorder.context("cannot start the recorder's thread")?;
    let kept = (process.totals.clone(), Some(recorder.clone()));
    let mut agent = Agent::start(SOURCES, roots, settings, config.sampling.interval, kept)
        .context("cannot start the sampling threads")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("web")
        .enable_all()
        .build()
        .context("cannot start the server's threads")?;
    let result = runtime.block_on(serve(arguments, listeners, process, (&agent, &recorder)));
    agent.stop();
    recorder.stop(&ending);
    tracing::info!("stopped");
    result
}

async fn serve(
    arguments: &Run,
    listeners: Vec<TcpListener>,
    process: Process,
    (agent, recorder): (&Agent, &Recorder),
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hangup = signal(SignalKind::hangup())?;
    let reload = Arc::new(Notify::new());
    let by_http = arguments.enable_lifecycle.then(|| Arc::clone(&reload));
    let place = Place { host: host(&arguments.procfs), metrics_path: arguments.telemetry_path.clone() };
    let routes = Arc::new(Routes::new(agent.frames.clone(), process, source_names(), place, by_http));
    for listener in &listeners {
        let address = listener.local_addr()?;
        tracing::info!(%address, "serving {} and a page at /", arguments.telemetry_path);
    }
    let listeners =
        listeners.into_iter().map(tokio::net::TcpListener::from_std).collect::<Result<Vec<_>, _>>()?;
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    };
    tokio::select! {
        () = server::serve(listeners, routes, Limits::default(), stop) => {}
        () = reload_on_demand(arguments, (agent, recorder), hangup, &reload) => {}
    }
    Ok(())
}

/// This host's name, for whoever has the pages of many open; empty if it cannot be read.
fn host(procfs: &Path) -> String {
    let name = std::fs::read_to_string(procfs.join("sys/kernel/hostname")).unwrap_or_default();
    name.trim().to_owned()
}

/// Reads the configuration again at SIGHUP or when asked by HTTP. A broken one changes nothing.
async fn reload_on_demand(
    arguments: &Run,
    (agent, recorder): (&Agent, &Recorder),
    mut hangup: Signal,
    asked: &Notify,
) {
    loop {
        tokio::select! {
            _ = hangup.recv() => {}
            () = asked.notified() => {}
        }
        let Some(file) = &arguments.config_file else {
            tracing::warn!("there is no configuration file to reload; start with --config.file");
            continue;
        };
        match Config::read(file).and_then(|config| Ok((config.settings()?, config))) {
            Ok((settings, config)) => {
                agent.configure(settings);
                recorder.configure(config.storage.recording(&arguments.storage), config.text);
                tracing::info!(file = %file.display(), "configuration reloaded");
            }
            Err(error) => tracing::error!("the old configuration stays: {error:#}"),
        }
    }
}

/// The names that `collect[]` and `exclude[]` understand.
pub fn source_names() -> Vec<&'static str> {
    let mut names: Vec<_> = SOURCES.iter().map(|info| info.name).collect();
    names.extend([peaks::SOURCE, table::SOURCE, flags::SOURCE, profiles::SOURCE, state::SELF, "process"]);
    names
}

fn listen(text: &str) -> anyhow::Result<TcpListener> {
    let addresses = socket_addresses(text).map_err(|problem| anyhow!(problem))?;
    let mut last = None;
    for address in &addresses {
        match TcpListener::bind(address) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                return Ok(listener);
            }
            // Without IPv6 the next address, of IPv4, is tried; a port in use is in use for both.
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| std::io::Error::other("the name has no address"));
    let mend = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another miglink may be running, or choose another with --web.listen-address"
        }
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need CAP_NET_BIND_SERVICE",
        std::io::ErrorKind::AddrNotAvailable => "; this host does not have that address",
        _ => "",
    };
    Err(anyhow!("cannot listen on {text}: {error}{mend}"))
}
