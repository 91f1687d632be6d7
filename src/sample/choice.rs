//! Some of the exported links, chosen once for each change of the links: those that a source has something to ask of.
//!
//! A host can show ten thousand links of which four have rings; their rows alone are kept, read and written.

use super::link::{Link, Links};
use super::subject::{Subjects, SubjectsBuilder};
use std::sync::Arc;

/// Chosen links, a row each.
#[derive(Debug, Default)]
pub struct Choice {
    /// The links that it was chosen from; `None` if it must be chosen anew.
    generation: Option<u64>,
    /// Their places among the links.
    places: Vec<u32>,
    subjects: Arc<Subjects>,
}

impl Choice {
    /// Chooses among the exported links, unless they are the same as the last time.
    pub fn renew(&mut self, links: &Links, wanted: impl Fn(&Link) -> bool) {
        if self.generation == Some(links.generation) {
            return;
        }
        self.generation = Some(links.generation);
        self.places.clear();
        let mut subjects = SubjectsBuilder::default();
        for (place, link) in links.exported().iter().enumerate().filter(|(_, link)| wanted(link)) {
            self.places.push(place as u32);
            subjects.row(link.key).label("device", &link.name);
        }
        let subjects = subjects.build();
        if subjects == **links.subjects() {
            // Ten thousand names are a megabyte with their keys: one list for all who chose all.
            self.subjects = Arc::clone(links.subjects());
        } else if *self.subjects != subjects {
            self.subjects = Arc::new(subjects);
        }
        self.places.shrink_to_fit();
    }

    /// The next `renew` chooses anew.
    pub fn forget(&mut self) {
        self.generation = None;
    }

    /// The chosen links of those that it was chosen from, in the order of the rows.
    pub fn of<'a>(&'a self, links: &'a Links) -> impl Iterator<Item = &'a Link> {
        self.places.iter().map(|place| &links.all()[*place as usize])
    }

    /// The rows, labelled `device`.
    pub fn subjects(&self) -> &Arc<Subjects> {
        &self.subjects
    }
}

#[cfg(test)]
mod tests {
    use super::Choice;
    use crate::sample::link::{Link, Links};
    use std::sync::Arc;

    #[test]
    fn only_wanted_links_have_rows() {
        let link = |key, name: &str, kind: &str| Link {
            key,
            index: key as u32,
            name: name.into(),
            kind: kind.to_owned().into(),
            exported: true,
            ..Link::default()
        };
        let list = vec![link(1, "eth0", "physical"), link(2, "br0", "bridge"), link(3, "eth1", "physical")];
        let links = Links::new(1, list.clone(), None);
        let mut choice = Choice::default();
        choice.renew(&links, |link| link.kind == "physical");
        let names: Vec<_> = choice.of(&links).map(|link| link.name.as_str()).collect();
        assert_eq!((names, choice.subjects().keys()), (vec!["eth0", "eth1"], [1, 3].as_slice()));
        let before = Arc::clone(choice.subjects());
        let more = Links::new(2, [list, vec![link(4, "br1", "bridge")]].concat(), Some(&links));
        choice.renew(&more, |link| link.kind == "physical");
        assert!(Arc::ptr_eq(&before, choice.subjects()), "the same rows are the same subjects");
        choice.forget();
        choice.renew(&more, |_| true);
        assert_eq!(choice.subjects().len(), 4);
        assert!(Arc::ptr_eq(choice.subjects(), more.subjects()), "all links are the links' own list");
    }
}
