//! PURE. Who carries whom: what each link is for, which links are shown, and how a link is described.
//!
//! Imports `sample` only.

pub mod description;
pub mod path;
pub mod roles;
