//! Truths that are known in numbers: how much of the link others really took. A stream that has just begun may leave a
//! migration that was there first nearly all of a link for some seconds; then it is the link that limits.

use crate::scenario::expect::Stretch;
use crate::traffic::Others;

/// Others that take this much of a link are the cause.
const MOST: f64 = 0.5;
/// Others that take less than this are none.
const LITTLE: f64 = 0.15;

/// The causes that other traffic makes.
const BY_OTHERS: [&str; 2] = ["link_shared", "storage_on_link"];
/// What is the cause on the lab's links where others are not.
const LINK: &str = "traffic_shaping";

/// The share of a link, in bytes a second, that others took while they were there; none if there were none.
pub fn share(others: &[Others], link: f64) -> Option<f64> {
    let (seconds, bytes) = others.iter().fold((0.0, 0.0), |(seconds, bytes), one| {
        (seconds + (one.until - one.from), bytes + one.bytes as f64)
    });
    (seconds > 0.0).then(|| bytes / seconds / link)
}

/// The truth as measured. Half of the link and more: theirs. Less: the link's too. Nearly nothing: the link's alone.
pub fn corrected(stretches: &[Stretch], others: Option<f64>) -> Vec<Stretch> {
    let correct = |stretch: &Stretch| {
        let (mut stretch, share) = (stretch.clone(), others.unwrap_or(MOST));
        let is_theirs = |cause: &String| BY_OTHERS.contains(&cause.as_str());
        if share >= MOST || !stretch.causes.iter().any(is_theirs) {
            return stretch;
        }
        if !stretch.causes.iter().any(|cause| cause == LINK) {
            stretch.causes.push(LINK.to_owned());
        }
        if share < LITTLE {
            stretch.causes.retain(|cause| !is_theirs(cause));
        }
        stretch
    };
    stretches.iter().map(correct).collect()
}

#[cfg(test)]
mod tests {
    use super::{corrected, share};
    use crate::scenario::expect::Stretch;
    use crate::traffic::Others;

    #[test]
    fn what_others_took_is_what_they_are_blamed_for() {
        let stretch = |causes: &[&str]| Stretch {
            from: None,
            until: None,
            causes: causes.iter().map(|cause| (*cause).to_owned()).collect(),
        };
        let after = |causes: &[&str], others| corrected(&[stretch(causes)], others)[0].causes.clone();
        assert_eq!(after(&["link_shared"], Some(0.7)), ["link_shared"]);
        assert_eq!(after(&["link_shared"], Some(0.3)), ["link_shared", "traffic_shaping"]);
        assert_eq!(after(&["storage_on_link"], Some(0.1)), ["traffic_shaping"]);
        assert_eq!(after(&["dirty_pages", "link_shared"], Some(0.1)), ["dirty_pages", "traffic_shaping"]);
        assert_eq!(after(&["bandwidth_cap"], Some(0.1)), ["bandwidth_cap"]);
        assert_eq!(after(&["link_shared"], None), ["link_shared"]);
    }

    #[test]
    fn a_share_is_of_the_time_that_they_were_there() {
        let one = Others { from: 10.0, until: 14.0, bytes: 20_000_000 };
        assert_eq!(share(&[one], 10e6), Some(0.5));
        assert_eq!(share(&[], 10e6), None);
    }
}
