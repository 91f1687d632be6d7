//! Which libvirt daemons there are: those of the configuration, or those whose sockets are in the usual places.

use super::board::Board;
use super::daemon::{Daemon, EVENTS};
use super::Orders;
use crate::source::contract::{Doors, Now};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Where daemons listen by default. The modular one first: beside it, the second place is only a proxy to it, and
/// would tell everything twice.
pub const USUAL: [&str; 2] = ["/run/libvirt/virtqemud-sock-ro", "/run/libvirt/libvirt-sock-ro"];
/// How often the usual places are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Watches all daemons until the orders end.
pub async fn watch_all(mut orders: watch::Receiver<Orders>, clock: Now, board: Board) {
    let mut running: BTreeMap<PathBuf, JoinHandle<()>> = BTreeMap::new();
    loop {
        let doors = std::sync::Arc::clone(&orders.borrow_and_update().doors);
        let paths = places(&doors, &running, &board, &USUAL.map(Path::new));
        board.set_absent(paths.is_empty());
        running.retain(|path, daemon| {
            let stays = paths.contains(path);
            if !stays {
                daemon.abort();
                board.forget(path);
            }
            stays
        });
        for path in paths {
            running.entry(path.clone()).or_insert_with(|| {
                let daemon = Daemon::new(path, clock.clone(), board.clone());
                let orders = orders.clone();
                tokio::task::spawn_local(async move { daemon.run(orders).await })
            });
        }
        let ended =
            async { while orders.changed().await.is_ok() && orders.borrow_and_update().doors == doors {} };
        // Nothing more is to be done for the old orders, or the time is over, or the orders have ended.
        if timeout(LOOK_EVERY, ended).await.is_ok() && orders.has_changed().is_err() {
            break;
        }
    }
    for daemon in running.into_values() {
        // They see the end of the orders themselves.
        daemon.await.ok();
    }
}

/// The sockets to be watched now.
fn places<T>(doors: &Doors, running: &BTreeMap<PathBuf, T>, board: &Board, usual: &[&Path]) -> Vec<PathBuf> {
    if !doors.libvirt.is_empty() {
        return doors.libvirt.clone();
    }
    let mut found = Vec::new();
    for path in usual.iter().map(|path| path.to_path_buf()) {
        // One that was there is kept: its daemon is being restarted, or was stopped.
        if !path.exists() && !running.contains_key(&path) {
            continue;
        }
        let serves = path.exists() && !board.is_troubled(&path, EVENTS);
        found.push(path);
        if serves {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{places, Board, Doors, EVENTS};
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    #[test]
    fn the_modular_daemon_goes_before_its_proxy_unless_it_does_not_serve() {
        let folder = tempfile::tempdir().unwrap();
        let [modular, proxy] = ["virtqemud-sock-ro", "libvirt-sock-ro"].map(|name| folder.path().join(name));
        let usual = [modular.as_path(), proxy.as_path()];
        let (board, mut running) = (Board::default(), BTreeMap::new());
        let found = |running: &BTreeMap<PathBuf, bool>| places(&Doors::default(), running, &board, &usual);
        assert!(found(&running).is_empty());
        std::fs::write(&proxy, "").unwrap();
        assert_eq!(found(&running), std::slice::from_ref(&proxy));
        std::fs::write(&modular, "").unwrap();
        assert_eq!(found(&running), std::slice::from_ref(&modular));
        board.trouble(&modular, EVENTS, Some("refused".into()));
        assert_eq!(found(&running), [modular.clone(), proxy.clone()]);
        std::fs::remove_file(&modular).unwrap();
        running.insert(modular.clone(), true);
        assert_eq!(found(&running), [modular.clone(), proxy.clone()], "it may come back");
        let doors = Doors { libvirt: vec!["/elsewhere".into()], ..Doors::default() };
        assert_eq!(places(&doors, &running, &board, &usual), [PathBuf::from("/elsewhere")]);
    }
}
