//! Which RDMA ports there are, which link each belongs to, and which files hold its counters.

use super::fields::COUNTERS;
use crate::source::contract::{file_error, read_file, SourceError};
use std::path::{Path, PathBuf};

/// The first entries of a port's address table name its link; the rest are its further addresses.
const ADDRESSES: usize = 16;
/// Files of `hw_counters` that are no counters.
const NO_COUNTERS: [&str; 1] = ["lifespan"];

/// One port of an RDMA device.
#[derive(Debug, Default)]
pub struct Port {
    /// `…/DEVICE/ports/NUMBER`.
    pub directory: PathBuf,
    /// The RDMA device, for example `mlx5_0`.
    pub rdma_device: String,
    /// The port's number, from 1.
    pub number: String,
    /// The network device that it belongs to; empty if there is none.
    pub device: String,
    /// `Ethernet` (RoCE), `InfiniBand`; empty if the kernel does not say.
    pub link_layer: String,
    /// For each of `COUNTERS`, the file that holds it and its factor.
    pub counters: Vec<Option<(PathBuf, u64)>>,
    /// How many hardware counters there are that `COUNTERS` does not know.
    pub unlisted: u64,
}

/// The directories of all ports, by device and number.
pub fn list(class: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let mut found = Vec::new();
    for device in names(class)? {
        let ports = class.join(device).join("ports");
        // A device that went away meanwhile has no ports.
        found.extend(names(&ports).unwrap_or_default().into_iter().map(|port| ports.join(port)));
    }
    Ok(found)
}

impl Port {
    /// Looks at a port's directory.
    pub fn explore(directory: PathBuf) -> Self {
        let device = directory.ancestors().nth(2).unwrap_or(&directory).to_path_buf();
        let number = last(&directory);
        let counters = COUNTERS.iter().map(|counter| {
            let mut places = counter.places.iter();
            places.find_map(|place| {
                let path = directory.join(place.directory).join(place.file);
                path.exists().then_some((path, place.factor))
            })
        });
        Self {
            rdma_device: last(&device),
            device: link_of(&directory, &device, &number),
            link_layer: line(&directory.join("link_layer")),
            counters: counters.collect(),
            unlisted: unlisted(&directory.join("hw_counters")),
            number,
            directory,
        }
    }

    /// What makes it the same port from one reading to the next.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.rdma_device, self.number, self.device)
    }
}

/// The network device of a port: by its address table (RoCE), or by the devices of the same function (`IPoIB`).
fn link_of(port: &Path, device: &Path, number: &str) -> String {
    let table = port.join("gid_attrs/ndevs");
    let named =
        (0..ADDRESSES).map(|index| line(&table.join(index.to_string()))).find(|name| !name.is_empty());
    named.unwrap_or_else(|| {
        let siblings = device.join("device/net");
        let mut names = names(&siblings).unwrap_or_default().into_iter();
        // `dev_port` counts from 0, ports from 1.
        let is_mine = |name: &String| {
            let port = line(&siblings.join(name).join("dev_port")).parse::<u64>().ok();
            port.is_some_and(|port| (port + 1).to_string() == number)
        };
        names.find(is_mine).unwrap_or_default()
    })
}

fn unlisted(directory: &Path) -> u64 {
    let is_listed = |name: &str| {
        let mut places = COUNTERS.iter().flat_map(|counter| counter.places);
        NO_COUNTERS.contains(&name) || places.any(|place| place.file == name)
    };
    names(directory).unwrap_or_default().iter().filter(|name| !is_listed(name)).count() as u64
}

/// A file's only line; empty if it cannot be read (an entry of the address table that is not in use).
fn line(path: &Path) -> String {
    read_file(path).unwrap_or_default().trim().to_owned()
}

/// What is in a directory, sorted.
fn names(directory: &Path) -> Result<Vec<String>, SourceError> {
    let entries = std::fs::read_dir(directory).map_err(|error| file_error(directory, error))?;
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

fn last(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
