//! Opens sockets in another network namespace. A socket stays in the namespace that it was opened in, so one short
//! visit is enough; the visit is made by a thread of its own, which ends, so that no thread of ours is ever left in
//! the wrong place.

use rustix::thread::{move_into_link_name_space, LinkNameSpaceType};
use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::AsFd;
use std::path::Path;

/// Runs `open` inside the network namespace that the file (`/proc/PID/ns/net`) stands for. Needs CAP_SYS_ADMIN.
pub fn inside<T: Send>(place: &Path, open: impl FnOnce() -> T + Send) -> Result<T> {
    let namespace = File::open(place)?;
    std::thread::scope(|scope| {
        let visit = std::thread::Builder::new().name("namespace".into()).spawn_scoped(scope, || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(open())
        })?;
        visit.join().unwrap_or_else(|_| Err(Error::other("the visit to a namespace panicked")))
    })
}

#[cfg(test)]
mod tests {
    use super::inside;
    use std::path::Path;

    #[test]
    fn our_own_namespace_can_be_entered_or_is_refused() {
        match inside(Path::new("/proc/self/ns/net"), || 7) {
            Ok(seven) => assert_eq!(seven, 7),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}"),
        }
        let error = inside(Path::new("/proc/self/ns/none"), || ()).expect_err("no such namespace");
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}
