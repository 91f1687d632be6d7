//! `storage_on_link`: the streams beside the migration go to a port of storage.

use super::link_shared::beside;
use super::Family;
use crate::accuracy::draw::Draw;
use crate::accuracy::recipe::Recipe;

/// The family.
pub static FAMILY: Family = Family {
    name: "storage_on_link",
    made: "the same as link_shared, to ports of iSCSI, NFS, NBD, Ceph or SMB",
    weight: 1,
    make,
};

/// iSCSI, NFS, NBD, Ceph (its first OSD and a later one), SMB.
const PORTS: [u16; 6] = [3260, 2049, 10_809, 6800, 6812, 445];

fn make(draw: &mut Draw, number: u32) -> Recipe {
    let port = draw.one_of(&PORTS);
    beside(draw, number, port, "storage_on_link")
}
