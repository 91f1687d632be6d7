//! Whether TCP connections were opened in a network namespace since the last time, without listing any.
//!
//! The kernel counts them (`ActiveOpens`, `PassiveOpens`), and how many stand (`CurrEstab`: one that was still dialling
//! at the last look counts anew once it stands), in /proc/PID/net/snmp (net/ipv4/proc.c). Reading that is many times
//! cheaper than a list of connections, for which the kernel walks its whole table.

use crate::source::contract::KeptFile;
use std::path::Path;

/// The counts that change when connections come.
const WATCHED: [&str; 3] = ["ActiveOpens", "PassiveOpens", "CurrEstab"];

/// What was counted last. The file stays that of the namespace that it was opened in, whoever has the process id then.
#[derive(Debug)]
pub struct Opened {
    file: KeptFile,
    last: Option<[u64; 3]>,
}

impl Opened {
    /// Of the namespace of the process whose folder in /proc this is; `None` where the kernel does not tell.
    pub fn of(process: &Path) -> Option<Self> {
        let mut opened = Self { file: KeptFile::open(process.join("net/snmp")).ok()?, last: None };
        opened.count().map(|_| opened)
    }

    /// Whether there may be other connections than at the last time that this was asked.
    pub fn may_differ(&mut self) -> bool {
        let now = self.count();
        let before = std::mem::replace(&mut self.last, now);
        now.is_none() || now != before
    }

    fn count(&mut self) -> Option<[u64; 3]> {
        parse(self.file.read().ok()?)
    }
}

/// The two lines that begin with `Tcp:`, names and values.
fn parse(text: &str) -> Option<[u64; 3]> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
    let (names, values) = (lines.next()?, lines.next()?);
    let both = || names.split_ascii_whitespace().zip(values.split_ascii_whitespace());
    let mut found = [0; 3];
    for (place, wanted) in found.iter_mut().zip(WATCHED) {
        *place = both().find(|(name, _)| *name == wanted)?.1.parse().ok()?;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::{parse, Opened};
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;

    #[test]
    fn a_new_connection_is_noticed() {
        let mut opened = Opened::of(Path::new("/proc/self")).expect("a kernel with TCP");
        assert!(opened.may_differ(), "the first time");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let _ours = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        assert!(opened.may_differ());
        assert!(Opened::of(Path::new("/nowhere")).is_none());
    }

    #[test]
    fn counts_are_found_by_name() {
        let text = "Ip: A B\nIp: 1 2\nTcp: RtoMin MaxConn ActiveOpens PassiveOpens CurrEstab\nTcp: 200 -1 7 8 9\nUdp: 1\n";
        assert_eq!(parse(text), Some([7, 8, 9]));
        assert_eq!(parse("Tcp: ActiveOpens PassiveOpens\nTcp: 7 8\n"), None);
        assert_eq!(parse("Tcp: ActiveOpens PassiveOpens CurrEstab\n"), None);
    }
}
