//! The links that would slow a migration, as rows of the page: worst first, with the numbers and the commands.

use crate::output::explain;
use crate::output::flags::phases;
use crate::sample::flag::Flagged;
use crate::sample::frame::Frame;

/// Rows on the page; the metrics have the rest.
const MOST: usize = 50;

/// One cause on one link.
pub struct FlagRow<'a> {
    /// The link.
    pub device: &'a str,
    /// The cause.
    pub cause: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// By what factor.
    pub factor: String,
    /// The phases that it slows.
    pub phases: String,
    /// The numbers.
    pub evidence: &'a str,
    /// What mends it.
    pub mend: &'a [String],
}

/// The rows of a frame.
pub fn rows(frame: &Frame) -> Vec<FlagRow<'_>> {
    let causes = explain::causes();
    let slow = frame.flags.list.iter().filter_map(|finding| match &finding.result {
        Flagged::Slows { ratio, evidence, mend } => Some(FlagRow {
            device: &finding.device,
            cause: finding.cause,
            meaning: causes
                .iter()
                .find(|cause| cause.name == finding.cause)
                .map_or("", |cause| cause.meaning()),
            factor: format!("{ratio:.1} ×"),
            phases: phases(finding.cause).join(", ").replace('_', " "),
            evidence,
            mend,
        }),
        Flagged::Fine(_) | Flagged::Unknown(_) => None,
    });
    slow.take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use crate::output::page::render;
    use crate::sample::flag::{Finding, Findings, Flagged};
    use crate::sample::frame::Frame;
    use std::sync::Arc;

    #[test]
    fn a_flag_stands_with_its_command() {
        let result = Flagged::Slows {
            ratio: 6.55,
            evidence: "1 % lost <here>".into(),
            mend: vec!["ethtool -G eth0 rx 8192".into()],
        };
        let finding = Finding { key: 1, device: "eth0".into(), cause: "ring_overflow", result };
        let flags = Arc::new(Findings { judged: [1].into(), list: vec![finding] });
        let page = render(&Frame { flags, ..Frame::default() }, "/metrics");
        assert!(
            page.contains("ring_overflow") && page.contains("<code>ethtool -G eth0 rx 8192</code>"),
            "{page}"
        );
        assert!(page.contains("6.5 ×") && !page.contains("<here>"));
        let flags = Arc::new(Findings { judged: [1].into(), list: vec![] });
        let page = render(&Frame { flags, ..Frame::default() }, "/metrics");
        assert!(page.contains("Nothing was found on"));
    }
}
