//! Answers of real and of older and newer hypervisors, and of none.

use super::{limits, progress, run_state, status};
use crate::sample::migration::{Direction, Limits, Progress, RunState, Status};
use proptest::prelude::{any, prop, proptest, Just, Strategy};
use proptest::prop_oneof;
use serde_json::{json, Map, Value};
use std::time::Duration;

fn answer(text: &str) -> Value {
    serde_json::from_str::<Value>(text).expect("JSON").get("return").expect("an answer").clone()
}

macro_rules! golden {
    ($name:literal) => {
        answer(include_str!(concat!("../../../../tests/data/qmp/", $name, ".json")))
    };
}

#[allow(clippy::unnecessary_wraps, reason = "what it is compared with is optional")]
fn millis(count: u64) -> Option<Duration> {
    Some(Duration::from_millis(count))
}

#[test]
fn a_running_migration_of_qemu_7_2() {
    let expected = Progress {
        status: Status::Active,
        direction: Some(Direction::Outgoing),
        total_time: millis(3514),
        setup_time: millis(1),
        expected_downtime: millis(366),
        downtime: None,
        memory_total: Some(101_195_776),
        transferred: Some(70_094_917),
        remaining: Some(5_341_184),
        normal_bytes: Some(69_881_856),
        zero_pages: Some(8466),
        page_size: Some(4096),
        dirty_pages_per_second: Some(535),
        iterations: Some(3),
        throughput: Some(160.254_959_999_999_98 * 125_000.0),
        precopy_bytes: Some(70_094_917),
        downtime_bytes: Some(0),
        postcopy_bytes: Some(0),
        multifd_bytes: Some(0),
        postcopy_requests: Some(0),
        throttle_percent: None,
        error: None,
    };
    assert_eq!(progress(&golden!("7.2/migrate-active")), expected);
}

#[test]
fn the_other_states_of_qemu_7_2() {
    assert_eq!(progress(&golden!("7.2/migrate-none")), Progress::default());
    assert_eq!(progress(&golden!("7.2/migrate-setup")).status, Status::Setup);
    let completed = progress(&golden!("7.2/migrate-completed"));
    assert_eq!((completed.status, completed.downtime), (Status::Completed, millis(4)));
    assert_eq!((completed.remaining, completed.downtime_bytes), (Some(0), Some(5_351_616)));
    let failed = progress(&golden!("7.2/migrate-failed"));
    let error = "Failed to connect to '/nonexistent/x': No such file or directory";
    assert_eq!((failed.status, failed.error.as_deref()), (Status::Failed, Some(error)));
    let incoming = progress(&golden!("7.2/migrate-incoming"));
    assert_eq!((incoming.status, incoming.direction), (Status::None, Some(Direction::Incoming)));
    assert_eq!(progress(&golden!("7.2/migrate-incoming-completed")).status, Status::Completed);
    assert_eq!(run_state(&golden!("7.2/status-running")), Some(RunState::Running));
    assert_eq!(run_state(&golden!("7.2/status-inmigrate")), Some(RunState::Incoming));
    assert_eq!(run_state(&golden!("7.2/status-postmigrate")), Some(RunState::Left));
}

#[test]
fn the_limits_of_qemu_7_2() {
    let expected = Limits {
        max_bandwidth: Some(134_217_728),
        downtime_limit: millis(300),
        max_postcopy_bandwidth: Some(u64::MAX),
        switchover_bandwidth: None,
        multifd_channels: Some(2),
        compression: Some("none".into()),
        tls: Some(false),
        capabilities: Some(Vec::new()),
    };
    assert_eq!(limits(&golden!("7.2/parameters"), &golden!("7.2/capabilities")), expected);
}

#[test]
fn qemu_4_leaves_much_out() {
    let old = progress(&golden!("handwritten/4.0-migrate-active"));
    assert_eq!((old.status, old.iterations, old.throttle_percent), (Status::Active, Some(3), Some(20)));
    assert_eq!((old.precopy_bytes, old.downtime_bytes, old.multifd_bytes), (None, None, Some(0)));
    let old = limits(&golden!("handwritten/4.0-parameters"), &golden!("handwritten/4.0-capabilities"));
    assert_eq!((old.max_bandwidth, old.tls), (Some(33_554_432), Some(false)));
    assert_eq!(old.compression.as_deref(), Some("zlib"));
    assert_eq!(old.capabilities.as_deref(), Some(&["compress".to_owned(), "events".to_owned()][..]));
}

#[test]
fn qemu_11_says_more() {
    let new = progress(&golden!("handwritten/11.1-migrate-active"));
    assert_eq!((new.status, new.remaining), (Status::Active, Some(9_000_000)));
    assert_eq!(new.multifd_bytes, Some(7_000_000));
    let new = limits(&golden!("handwritten/11.1-parameters"), &golden!("handwritten/11.1-capabilities"));
    assert_eq!((new.max_bandwidth, new.switchover_bandwidth), (Some(u64::MAX), Some(1_250_000_000)));
    assert_eq!((new.compression.as_deref(), new.tls), (Some("qatzip"), Some(true)));
}

#[test]
fn every_status_word_has_its_meaning() {
    let words = [
        ("cancelling", Status::Cancelling),
        ("cancelled", Status::Cancelled),
        ("postcopy-active", Status::Postcopy),
        ("postcopy-recover-setup", Status::PostcopyPaused),
        ("pre-switchover", Status::PreSwitchover),
        ("device", Status::Device),
        ("wait-unplug", Status::Other),
        ("a word to come", Status::Other),
    ];
    for (word, meaning) in words {
        assert_eq!(status(word), meaning, "{word}");
    }
    assert_eq!(run_state(&json!({"status": "io-error"})), Some(RunState::Stopped));
    assert_eq!(run_state(&json!({"status": 7})), None);
}

#[test]
fn a_field_of_another_type_is_left_out_alone() {
    let odd = json!({
        "status": ["active"], "total-time": "12", "setup-time": -1, "expected-downtime": 1.5, "error-desc": {},
        "ram": {"total": 4096, "remaining": null, "transferred": true, "mbps": "fast", "page-size": [4096]},
    });
    let expected =
        Progress { direction: Some(Direction::Outgoing), memory_total: Some(4096), ..Progress::default() };
    assert_eq!(progress(&odd), expected);
    assert_eq!(progress(&json!({"ram": 7, "status": "active"})).status, Status::Active);
    let odd = json!({"max-bandwidth": -5, "downtime-limit": [], "tls-creds": 1, "multifd-compression": 3});
    assert_eq!(limits(&odd, &json!({"multifd": true})), Limits::default());
    assert_eq!(limits(&json!({"max-bandwidth": 0}), &Value::Null).max_bandwidth, Some(u64::MAX));
    let libvirt = json!({"max-bandwidth": 9_223_372_036_853_727_232_u64});
    assert_eq!(limits(&libvirt, &Value::Null).max_bandwidth, Some(u64::MAX));
}

#[test]
fn long_texts_and_lists_are_cut() {
    let long = progress(&json!({"status": "failed", "error-desc": "é".repeat(100_000)}));
    assert!(long.error.is_some_and(|error| error.len() <= 512));
    let many: Vec<Value> = (0..1000).map(|n| json!({"capability": n.to_string(), "state": true})).collect();
    assert_eq!(limits(&Value::Null, &Value::Array(many)).capabilities.map(|names| names.len()), Some(64));
}

/// JSON whose keys are those that are looked for, and whose values are anything.
fn anything() -> impl Strategy<Value = Value> {
    let keys = prop::sample::select(vec![
        "status",
        "ram",
        "total",
        "mbps",
        "remaining",
        "total-time",
        "downtime",
        "max-bandwidth",
        "tls-creds",
        "multifd-compression",
        "capability",
        "state",
        "error-desc",
        "socket-address",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((keys.clone(), inner), 0..8).prop_map(|pairs| {
                Value::Object(
                    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(one in anything(), other in anything()) {
        let read = progress(&one);
        assert!(read.throughput.is_none_or(|rate| rate.is_finite() && rate >= 0.0));
        run_state(&one);
        limits(&one, &other);
    }
}
