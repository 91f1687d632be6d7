//! `storage_on_link`: storage connections use the link that migrations would take.

use super::contract::{slows, Flag, Flagged};
use super::state::LinkState;
use super::words::bits;
use crate::analysis::rules::contract::BOTH;

/// The flag.
pub static FLAG: Flag = Flag {
    cause: "storage_on_link",
    phases: BOTH,
    factor: "What the link carries over what its storage connections leave of it (their mean of the last minutes), but never less than \
             an even share with each of them.",
    judge: flag,
};

/// Storage that uses less than this share of the link takes nothing away worth a flag (our choice).
const QUIET: f64 = 0.1;

/// Told from what storage moved of late, in the direction that it used more.
pub fn flag(link: &LinkState) -> Flagged {
    let Some(storage) = &link.storage else { return Flagged::Unknown("this host's storage connections") };
    let [received, sent] = storage.rates;
    if storage.connections == 0 && received + sent <= 0.0 {
        return Flagged::Fine("no storage connection leaves by this link".into());
    }
    let Some(ceiling) = link.ceiling() else { return Flagged::Unknown("the link's speed") };
    let used = received.max(sent);
    let plural = if storage.connections == 1 { "" } else { "s" };
    let evidence = format!(
        "{} connection{plural} of {} received {} MB/s and sent {} MB/s in the last {} s, {:.0} % of {}",
        storage.connections,
        if storage.kinds.is_empty() { "storage".to_owned() } else { storage.kinds.join(", ") },
        megabytes(received),
        megabytes(sent),
        storage.time.as_secs(),
        used / ceiling * 100.0,
        bits(ceiling)
    );
    if used < QUIET * ceiling {
        return Flagged::Fine(evidence);
    }
    let even = ceiling / (1 + storage.connections.max(1)) as f64;
    slows(ceiling / (ceiling - used).max(even), evidence, Vec::new())
}

/// Two digits where there are few.
fn megabytes(rate: f64) -> String {
    let megabytes = rate / 1e6;
    if megabytes < 10.0 && megabytes > 0.0 {
        format!("{megabytes:.1}")
    } else {
        format!("{megabytes:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::{flag, Flagged};
    use crate::analysis::flags::state::{LinkState, Storage};
    use std::time::Duration;

    #[test]
    fn storage_that_is_busy() {
        let link = LinkState::example();
        assert!(matches!(flag(&link), Flagged::Unknown(_)), "nobody tells");
        let with = |kinds: &[&str], received, sent| {
            let storage = Storage {
                rates: [received, sent],
                connections: kinds.len() as u64,
                kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
                time: Duration::from_secs(300),
            };
            flag(&LinkState { storage: Some(storage), ..link.clone() })
        };
        assert!(matches!(with(&[], 0.0, 0.0), Flagged::Fine(_)));
        assert!(matches!(with(&["iSCSI"], 1e6, 1e5), Flagged::Fine(_)), "it rests");
        let Flagged::Slows { ratio, evidence, .. } = with(&["NFS", "iSCSI"], 6e8, 2e6) else {
            panic!("half of the link")
        };
        assert!((2.0..2.1).contains(&ratio), "{ratio}");
        let words =
            "2 connections of NFS, iSCSI received 600 MB/s and sent 2.0 MB/s in the last 300 s, 51 % of";
        assert!(evidence.starts_with(words), "{evidence}");
        assert!(
            matches!(with(&["NFS"], 0.0, 1.2e9), Flagged::Slows { ratio, .. } if (1.9..2.1).contains(&ratio)),
            "an even share"
        );
        let unknown = LinkState {
            speed: None,
            storage: Some(Storage { connections: 1, ..Storage::default() }),
            ..link
        };
        assert!(matches!(flag(&unknown), Flagged::Unknown(_)));
    }
}
