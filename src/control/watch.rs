//! Sources of changes: each reports what users wrote, as `control::change` words.

pub mod file;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
