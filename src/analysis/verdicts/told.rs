//! The verdicts as the frame carries them: each migration's phases with their causes, the largest part first.

use super::course::{Course, Courses};
use super::table::JUDGED;
use crate::analysis::migrations::entry::Entry;
use crate::analysis::migrations::migration::{Phase, PHASES};
use crate::sample::verdict::{Part, PhaseVerdict, Verdict};

/// Those of the migrations that are shown, as far as they were judged.
pub fn verdicts(shown: &[&Entry], courses: &Courses) -> Vec<Verdict> {
    let of = |entry: &&Entry| {
        let course = courses.of(entry.migration.key)?;
        let leading = course.leading.as_ref().filter(|_| entry.migration.is_on());
        let now = leading.map(|share| Part {
            cause: share.cause,
            seconds: share.share * course.lately().as_secs_f64(),
            share: share.share,
            evidence: share.evidence.to_string(),
        });
        let phases = JUDGED.iter().filter_map(|phase| phase_of(course, *phase)).collect();
        Some(Verdict { migration: entry.migration.key, now, phases })
    };
    shown.iter().filter_map(of).collect()
}

fn phase_of(course: &Course, phase: Phase) -> Option<PhaseVerdict> {
    let place = PHASES.iter().position(|known| *known == phase)?;
    let seconds = || course.ledger.seconds.iter().filter(|((of, _), _)| *of == place);
    let sum: f64 = seconds().map(|(_, seconds)| seconds).sum();
    let part = |(key, seconds): (&(usize, &'static str), &f64)| Part {
        cause: key.1,
        seconds: *seconds,
        share: seconds / sum.max(f64::MIN_POSITIVE),
        evidence: course.ledger.evidence.get(key).map(ToString::to_string).unwrap_or_default(),
    };
    let mut parts: Vec<Part> = seconds().map(part).collect();
    parts.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    (!parts.is_empty()).then(|| PhaseVerdict { phase: phase.name(), parts })
}

#[cfg(test)]
mod tests {
    use super::phase_of;
    use crate::analysis::migrations::migration::Phase;
    use crate::analysis::verdicts::course::Course;

    #[test]
    fn the_largest_part_comes_first() {
        let mut course = Course::default();
        course.ledger.seconds.insert((1, "link_shared"), 1.0);
        course.ledger.seconds.insert((1, "storage_on_link"), 3.0);
        course.ledger.seconds.insert((2, "unknown"), 9.0);
        course.ledger.evidence.insert((1, "storage_on_link"), "eth0: full".into());
        let phase = phase_of(&course, Phase::MemoryCopy).expect("judged");
        let parts: Vec<_> = phase.parts.iter().map(|part| (part.cause, part.share)).collect();
        assert_eq!(
            (phase.phase, &parts[..]),
            ("memory_copy", &[("storage_on_link", 0.75), ("link_shared", 0.25)][..])
        );
        assert_eq!(phase.parts[0].evidence, "eth0: full");
        assert_eq!(phase_of(&course, Phase::Postcopy), None);
    }
}
