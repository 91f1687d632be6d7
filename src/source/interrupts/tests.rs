//! Interrupt counts over built trees: both places they are read from, and what happens between two readings.

use super::SOURCE;
use crate::sample::link::Link;
use crate::source::contract::SourceError;
use crate::source::fixture::{captured_proc, context, escaped, golden, lines, link, text, value_of, Tree};
use std::sync::Arc;

fn links() -> Vec<Link> {
    vec![link(1, "eth0", "0000:3b:00.0"), link(2, "eth1", "0000:00:04.0"), link(3, "bond0", "")]
}

#[test]
fn a_built_tree_reads_as_its_golden() {
    let tree = Tree::of(&text("sys/irq.tree"));
    let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
    let context = context(&tree.roots(), links());
    let first = source.read(&context).expect("reads");
    golden("interrupts", &lines(&first));
    let second = source.read(&context).expect("reads again");
    assert!(Arc::ptr_eq(&first.blocks[0].subjects, &second.blocks[0].subjects));
}

#[test]
fn a_cpu_once_seen_stays_and_a_vanished_interrupt_is_a_gap() {
    let tree = Tree::of(&text("sys/irq.tree"));
    let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
    let context = context(&tree.roots(), links());
    let rows = source.read(&context).expect("reads").blocks[0].rows();
    std::fs::write(tree.path("sys/kernel/irq/131/per_cpu_count"), "0,0,0,0\n").expect("a file");
    let reset = source.read(&context).expect("reads");
    assert_eq!(reset.blocks[0].rows(), rows);
    assert_eq!(value_of(&reset, r#"link_interrupts_total{device="eth0",cpu="3"}"#), "0");
    std::fs::remove_file(tree.path("sys/kernel/irq/131/per_cpu_count")).expect("a file");
    let gone = source.read(&context).expect("reads");
    assert_eq!(value_of(&gone, r#"link_interrupts_total{device="eth0",cpu="3"}"#), "Failed");
    assert_eq!(value_of(&gone, r#"link_interrupts_total{device="eth1",cpu="0"}"#), "12");
}

#[test]
fn without_sysfs_the_table_is_read_and_names_find_the_interrupts() {
    let mut roots = captured_proc();
    let mut by_name = link(1, "eth0", "");
    by_name.hardware_mut().bus_address = "virtio2".into();
    let mut source = (SOURCE.open)(&roots).expect("opens");
    let reading = source.read(&context(&roots, vec![by_name.clone()])).expect("reads");
    golden("interrupts_by_name", &lines(&reading));
    roots.proc = roots.sys.clone();
    assert!(matches!((SOURCE.open)(&roots), Err(SourceError::Absent(_))));
}

#[test]
fn a_cpu_that_goes_offline_is_a_gap_in_the_table() {
    let tree = Tree::of(&format!("proc/interrupts={}", "      CPU0  CPU1\\n 9: 5 6 chip edge eth0\\n"));
    let mut by_name = link(1, "eth0", "");
    by_name.hardware_mut().bus_address = "platform-nic".into();
    let context = context(&tree.roots(), vec![by_name]);
    let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
    source.read(&context).expect("reads");
    std::fs::write(tree.path("proc/interrupts"), "      CPU0\n 9: 7 chip edge eth0\n").expect("a file");
    let reading = source.read(&context).expect("reads");
    assert_eq!(value_of(&reading, r#"link_interrupts_total{device="eth0",cpu="0"}"#), "7");
    assert_eq!(value_of(&reading, r#"link_interrupts_total{device="eth0",cpu="1"}"#), "NotRead");
}

#[test]
fn a_table_that_cannot_be_read_is_told_with_its_line() {
    let tree = Tree::of(&format!("proc/interrupts={}", escaped("sys/empty/README")));
    let mut by_name = link(1, "eth0", "");
    by_name.hardware_mut().bus_address = "platform-nic".into();
    let mut source = (SOURCE.open)(&tree.roots()).expect("opens");
    let error = source.read(&context(&tree.roots(), vec![by_name])).expect_err("no table").to_string();
    assert!(error.contains("proc/interrupts, line 1"), "{error}");
}
