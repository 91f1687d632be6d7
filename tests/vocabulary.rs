//! Every metric that the documents name exists.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DOCUMENTS: [&str; 4] = ["README.md", "ARCHITECTURE.md", "docs/driver-counters.md", "docs/recording.md"];

fn known() -> BTreeSet<String> {
    let sources = miglink::source::SOURCES.iter().flat_map(|info| info.tables.iter().copied());
    let own = miglink::topology::description::TABLES.iter().chain(&miglink::run::state::TABLES).copied();
    let described = sources.chain(own).flatten().map(|column| format!("miglink_{}", column.metric.name));
    let registry = prometheus::Registry::new();
    miglink::run::recorder::metrics::Metrics::new(&registry).unwrap();
    let recording = registry.gather().into_iter().map(|family| family.name().to_owned());
    described.chain(miglink::run::totals::NAMES.map(str::to_owned)).chain(recording).collect()
}

/// The metric names in a text, with `{a,b}` written out and what is in other braces (labels) left out.
fn named(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("miglink_") {
        let rest = &text[at..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || "_{},*".contains(c))).unwrap_or(rest.len());
        expand(rest[..end].trim_end_matches(['_', ',']), &mut found);
    }
    found
}

fn expand(token: &str, found: &mut BTreeSet<String>) {
    let Some(open) = token.find('{') else {
        found.insert(token.to_owned());
        return;
    };
    let (head, inner) = (&token[..open], &token[open + 1..]);
    let Some(close) = inner.find('}') else {
        found.insert(head.to_owned());
        return;
    };
    let tail = &inner[close + 1..];
    if tail.is_empty() {
        found.insert(head.to_owned());
        return;
    }
    for choice in inner[..close].split(',') {
        expand(&format!("{head}{choice}{tail}"), found);
    }
}

#[test]
fn the_documents_name_metrics_that_exist() {
    let known = known();
    let mut unknown = Vec::new();
    for document in DOCUMENTS {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
        let names = named(&text);
        assert!(document != "README.md" || names.len() > 15, "the README names metrics: {names:?}");
        for name in names {
            let exists = match name.split_once('*') {
                Some((start, end)) => known.iter().any(|k| k.starts_with(start) && k.ends_with(end)),
                None => known.contains(&name),
            };
            if !exists {
                unknown.push(format!("{document}: {name}"));
            }
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.join("\n"));
}

#[test]
fn the_document_of_the_api_names_every_field_of_a_migration() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let text = fs::read_to_string(path).unwrap();
    let columns = miglink::analysis::migrations::table::TABLES[1].iter();
    let missing: BTreeSet<_> = columns
        .filter(|column| {
            let label = column.label.map_or(String::new(), |(_, value)| format!("`{value}`"));
            !text.contains(&format!("`{}`", column.metric.name)) || !text.contains(&label)
        })
        .map(|column| (column.metric.name, column.label))
        .collect();
    assert!(missing.is_empty(), "docs/api.md does not name {missing:?}");
}
