//! Lists of CPUs as the kernel writes them in sysfs: `0-3,8,10-11`. Pure.

/// More than any kernel is built for (`NR_CPUS` is 8192 at most); a longer list is no list of CPUs.
const MOST: u32 = 65_536;

/// The CPUs of a list; `None` if it does not read as one.
pub fn list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last || last >= MOST {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::list;
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn ranges_and_single_cpus_are_read() {
        assert_eq!(list("0-3,8,10-11\n"), Some(vec![0, 1, 2, 3, 8, 10, 11]));
        assert_eq!(list("0\n"), Some(vec![0]));
        assert_eq!(list("\n"), Some(vec![]), "no CPU is offline");
        for wrong in ["3-1", "a", "0-", "0-4294967295", "-1"] {
            assert_eq!(list(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_set_comes_back(set in proptest::collection::btree_set(0u32..9000, 0..40)) {
            let text: Vec<String> = set.iter().map(u32::to_string).collect();
            prop_assert_eq!(list(&text.join(",")), Some(set.into_iter().collect()));
        }

        #[test]
        fn any_text_is_answered(text in "[0-9,-]{0,24}") {
            prop_assert_eq!(list(&text).is_some(), list(&format!("{text}\n")).is_some());
        }
    }
}
